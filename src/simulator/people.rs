//! Who the listeners are.

use super::calendar::YEAR;
use super::chain::newcomer;
use super::config::{Compat, ConfigError, SimulatorConfig};
use super::random::{Alias, Random};
use super::text::Visitor;

/// Longest membership at the start, years.
const LONGEST_MEMBERSHIP: f64 = 5.0;

/// Least mean seconds between pages. Below it whole seconds would hardly ever pass.
const QUICKEST: f64 = 0.1;

/// What is drawn once for each listener.
#[derive(Debug)]
pub(super) struct People {
    alpha: f64,
    beta: f64,
    first_user_id: i64,
    /// Mean years of membership at the start.
    membership: f64,
    places: Alias,
    agents: Alias,
    first_names: Alias,
    last_names: Alias,
    /// Auth value and level of newcomers.
    pub(super) newcomer: (String, String),
}

impl People {
    pub(super) fn new(config: &SimulatorConfig) -> Result<Self, ConfigError> {
        let world = &config.world;
        let alias = |key: &str, weights: Vec<f64>| {
            let nothing =
                || ConfigError::new(format!("world.{key}"), "has no entry of positive weight; give one");
            Alias::new(&weights).ok_or_else(nothing)
        };
        Ok(Self {
            alpha: config.site.alpha,
            beta: config.site.beta,
            first_user_id: config.first_user_id + i64::from(config.compat == Compat::Eventsim),
            membership: config.growth_rate,
            places: alias("places", world.places.iter().map(|place| place.weight).collect())?,
            agents: alias("user_agents", world.user_agents.iter().map(|agent| agent.weight).collect())?,
            first_names: alias("first_names", world.first_names.iter().map(|name| name.weight).collect())?,
            last_names: alias("last_names", world.last_names.iter().map(|(_, weight)| *weight).collect())?,
            newcomer: newcomer(&config.site, config.compat),
        })
    }

    /// Mean seconds between this listener's pages.
    pub(super) fn alpha(&self, random: &mut Random) -> f64 {
        (self.alpha * random.log_normal()).max(QUICKEST)
    }

    /// Mean seconds between this listener's sessions.
    pub(super) fn beta(&self, random: &mut Random) -> f64 {
        self.beta * random.log_normal()
    }

    /// Seconds that someone of the first hour has been a member at the start.
    pub(super) fn member_for(&self, random: &mut Random) -> i64 {
        random.exponential(self.membership * YEAR).min(LONGEST_MEMBERSHIP * YEAR) as i64
    }

    /// The listener number `index`; the registration is the caller's.
    pub(super) fn visitor(&self, index: usize, random: &mut Random) -> Visitor {
        Visitor {
            user_id: self.first_user_id + index as i64,
            first_name: self.first_names.draw(random),
            last_name: self.last_names.draw(random),
            place: self.places.draw(random),
            agent: self.agents.draw(random),
            registration: 0,
        }
    }
}
