//! What a simulation is made from.

use std::sync::Arc;

use thiserror::Error;

use super::site::SiteConfig;
use super::trend::Trends;
use super::world::World;

/// A setting that does not hold up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The key, as a path into the site configuration (`transitions[3].source.page`) or a field of
    /// [`SimulatorConfig`] as the command line names it (`growth-rate`, `end`).
    pub key: String,
    /// What is wrong and what to do about it.
    pub problem: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

/// Whether Eventsim's bugs are kept. `docs/simulator.md` lists what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compat {
    /// As Eventsim does it, bugs included.
    Eventsim,
    /// The same model without what is plainly a bug.
    #[default]
    Clean,
}

/// Everything that decides what a simulation gives: the same values, the same bytes.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// The site: its pages, and how listeners move between them.
    pub site: SiteConfig,
    /// Songs, places, names and browsers.
    pub world: Arc<World>,
    /// Listeners at the start.
    pub users: u32,
    /// Only events after this are given; milliseconds since 1970 UTC.
    pub start_ms: i64,
    /// The simulation ends here, exclusive; none: it goes on for ever.
    pub end_ms: Option<i64>,
    /// New listeners a year, as a share of those there are.
    pub growth_rate: f64,
    /// Listeners who leave a year, as a share of those there are.
    pub attrition_rate: f64,
    /// Id of the first listener (in [`Compat::Eventsim`] of the one before it).
    pub first_user_id: i64,
    /// Seed of all chance.
    pub seed: u64,
    /// Label added to events that show who is signed in.
    pub tag: Option<String>,
    /// Whether Eventsim's bugs are kept.
    pub compat: Compat,
    /// Share of next songs that resemble the song before, 0 to 1, where the catalogue knows what resembles it.
    pub similarity: f64,
    /// What makes charts move.
    pub trends: Trends,
}

impl SimulatorConfig {
    /// Settings of `site` in `world`, with 1,000 listeners from `start_ms` on and no end; what the site file says
    /// itself (`n-users`, `seed`, …) is taken from it.
    pub fn new(site: SiteConfig, world: Arc<World>, start_ms: i64) -> Self {
        Self {
            users: site.users.unwrap_or(1_000),
            growth_rate: site.growth_rate.unwrap_or(0.0),
            first_user_id: site.first_user_id.unwrap_or(1),
            seed: site.seed,
            tag: site.tag.clone(),
            site,
            world,
            start_ms,
            end_ms: None,
            attrition_rate: 0.0,
            compat: Compat::default(),
            similarity: 0.0,
            trends: Trends::default(),
        }
    }
}

impl SimulatorConfig {
    /// What can be told to be wrong without the site's states.
    ///
    /// # Errors
    /// The first that is.
    pub fn check(&self) -> Result<(), ConfigError> {
        let share = |key: &str, value: f64, max: f64| {
            let problem = format!("is {value}; it must be a number from 0 to {max}");
            if (0.0..=max).contains(&value) { Ok(()) } else { Err(ConfigError::new(key, problem)) }
        };
        share("growth-rate", self.growth_rate, 1e6)?;
        share("attrition-rate", self.attrition_rate, 1e6)?;
        share("similarity", self.similarity, 1.0)?;
        if !(-MAX_ID..=MAX_ID).contains(&self.first_user_id) {
            let problem = format!("is {}; it must lie between -{MAX_ID} and {MAX_ID}", self.first_user_id);
            return Err(ConfigError::new("first-user-id", problem));
        }
        if !(0..=MAX_MS).contains(&self.start_ms) {
            let problem = format!("is {} ms; it must lie in the years 1970 to 9999", self.start_ms);
            return Err(ConfigError::new("start", problem));
        }
        match self.end_ms {
            Some(end) if end <= self.start_ms => {
                Err(ConfigError::new("end", "is not after the start; give a later end, or none"))
            }
            Some(end) if end > MAX_MS => {
                Err(ConfigError::new("end", format!("is {end} ms; it must lie in the years 1970 to 9999")))
            }
            None if self.compat == Compat::Eventsim && self.growth_rate > 0.0 => Err(ConfigError::new(
                "end",
                "is needed for growth as Eventsim has it, which makes all newcomers beforehand; give an end, or choose \
                 the clean model",
            )),
            _ => Ok(()),
        }
    }
}

/// Readers of JSON that know only floating-point numbers tell all ids up to it apart, with room for listeners after the first.
const MAX_ID: i64 = 9_000_000_000_000_000;

/// Last millisecond of the year 9999.
const MAX_MS: i64 = 253_402_300_799_999;
