//! The site compiled: states as numbers, their transitions side by side, their part of each record's text ready.

use std::collections::HashMap;
use std::ops::Range;

use super::config::{Compat, ConfigError, SimulatorConfig};
use super::json;
use super::random::{Alias, Random};
use super::site::{SiteConfig, State, Weighted};

/// Number of a state.
pub(super) type StateId = u16;

/// Number of a pair of auth value and level.
pub(super) type ClassId = u16;

/// What the engine needs of a state.
#[derive(Debug)]
pub(super) struct Node {
    /// Pair of auth value and level.
    pub(super) class: ClassId,
    /// Status 300 to 398.
    pub(super) redirect: bool,
    pub(super) next_song: bool,
    pub(super) login: bool,
    /// `Submit Upgrade` or `Submit Downgrade`.
    pub(super) submit: bool,
    /// Somebody is signed in, as `success` of auth events has it.
    pub(super) logged_in: bool,
    /// Events say who it is.
    pub(super) shows_user: bool,
    /// The listener does not come back after a session that ends here.
    pub(super) churned: bool,
    /// Parts of the records' text, each up to the number of the item in the session.
    pub(super) listen: Box<[u8]>,
    pub(super) page_view: Box<[u8]>,
    pub(super) auth: Box<[u8]>,
    pub(super) status: Box<[u8]>,
    steps: Range<usize>,
}

/// The states and how they follow on each other.
#[derive(Debug)]
pub(super) struct Chain {
    nodes: Vec<Node>,
    /// Upper ends of consecutive intervals of [0, 1), and where each leads.
    steps: Vec<(f64, StateId)>,
    starts: Vec<Option<(Alias, Vec<StateId>)>>,
    classes: Vec<(String, String)>,
    auths: (Alias, Vec<String>),
    levels: (Alias, Vec<String>),
}

impl Chain {
    pub(super) fn new(config: &SimulatorConfig) -> Result<Self, ConfigError> {
        let site = &config.site;
        let mut builder = Builder::default();
        for (index, (state, _)) in site.new_session.iter().enumerate() {
            builder.add(site, state, || format!("new-session[{index}]"))?;
        }
        for (index, transition) in site.transitions.iter().enumerate() {
            builder.add(site, &transition.source, || format!("transitions[{index}].source"))?;
            builder.add(site, &transition.dest, || format!("transitions[{index}].dest"))?;
        }
        let mut chain = Self {
            steps: builder.steps(site)?,
            starts: builder.starts(site),
            nodes: builder.nodes,
            classes: builder.classes,
            auths: draw("auths", &site.auths)?,
            levels: draw("levels", &site.levels)?,
        };
        chain.check_starts(config)?;
        Ok(chain)
    }

    #[inline]
    pub(super) fn node(&self, state: StateId) -> Option<&Node> {
        self.nodes.get(state as usize)
    }

    /// The next state; none where the session ends.
    #[inline]
    pub(super) fn step(&self, node: &Node, random: &mut Random) -> Option<StateId> {
        let at = random.unit();
        let steps = self.steps.get(node.steps.clone())?;
        steps.iter().find(|(end, _)| at < *end).map(|&(_, state)| state)
    }

    /// The state in which a session of this class begins.
    pub(super) fn start(&self, class: ClassId, random: &mut Random) -> Option<StateId> {
        let (alias, states) = self.starts.get(class as usize)?.as_ref()?;
        states.get(alias.draw(random)).copied()
    }

    pub(super) fn class(&self, auth: &str, level: &str) -> Option<ClassId> {
        let found = self.classes.iter().position(|(a, l)| a == auth && l == level)?;
        ClassId::try_from(found).ok()
    }

    /// The auth value of a listener of the first hour.
    pub(super) fn draw_auth(&self, random: &mut Random) -> &str {
        self.auths.1.get(self.auths.0.draw(random)).map_or("", String::as_str)
    }

    /// The level of a listener of the first hour.
    pub(super) fn draw_level(&self, random: &mut Random) -> &str {
        self.levels.1.get(self.levels.0.draw(random)).map_or("", String::as_str)
    }

    /// Every session that can come to be has a page to begin with.
    fn check_starts(&mut self, config: &SimulatorConfig) -> Result<(), ConfigError> {
        let site = &config.site;
        let positive = |list: &[Weighted]| -> Vec<String> {
            list.iter().filter(|(_, weight)| *weight > 0).map(|(name, _)| name.clone()).collect()
        };
        let mut needed = Vec::new();
        for auth in positive(&site.auths) {
            for level in positive(&site.levels) {
                needed.push((auth.clone(), level, "auths and levels"));
            }
        }
        if config.growth_rate > 0.0 {
            let (auth, level) = newcomer(site, config.compat);
            needed.push((auth, level, "new-user-auth and new-user-level"));
        }
        for node in &self.nodes {
            let steps = self.steps.get(node.steps.clone()).unwrap_or_default();
            let can_end = steps.last().is_none_or(|(end, _)| *end < 1.0 - 1e-9);
            let class = self.classes.get(node.class as usize);
            if let Some((auth, level)) = class.filter(|_| can_end && !node.churned) {
                needed.push((auth.clone(), level.clone(), "transitions (a session can end so)"));
            }
        }
        for (auth, level, from) in needed {
            let class = self.class(&auth, &level).and_then(|class| self.starts.get(class as usize));
            if !matches!(class, Some(Some(_))) {
                let problem = format!(
                    "has no page of positive weight for auth {auth:?} and level {level:?}, which {from} ask for; add one"
                );
                return Err(ConfigError::new("new-session", problem));
            }
        }
        Ok(())
    }
}

/// Auth value and level of new listeners. Eventsim's default level is spelt `Free`.
pub(super) fn newcomer(site: &SiteConfig, compat: Compat) -> (String, String) {
    let level = if compat == Compat::Eventsim { "Free" } else { "free" };
    let auth = site.new_user_auth.clone().unwrap_or_else(|| "Guest".to_owned());
    (auth, site.new_user_level.clone().unwrap_or_else(|| level.to_owned()))
}

fn draw(key: &str, list: &[Weighted]) -> Result<(Alias, Vec<String>), ConfigError> {
    let weights: Vec<f64> = list.iter().map(|(_, weight)| f64::from(*weight)).collect();
    let alias = Alias::new(&weights)
        .ok_or_else(|| ConfigError::new(key, "has no weight above 0; give one entry a positive weight"))?;
    Ok((alias, list.iter().map(|(name, _)| name.clone()).collect()))
}

#[derive(Default)]
struct Builder {
    ids: HashMap<State, StateId>,
    nodes: Vec<Node>,
    classes: Vec<(String, String)>,
}

impl Builder {
    fn add(
        &mut self,
        site: &SiteConfig,
        state: &State,
        key: impl Fn() -> String,
    ) -> Result<StateId, ConfigError> {
        if let Some(&id) = self.ids.get(state) {
            return Ok(id);
        }
        let too_many = |_| ConfigError::new(key(), "is one state too many; 65,535 are taken");
        let id = StateId::try_from(self.nodes.len()).map_err(too_many)?;
        let details = site.show_user_details.iter().find(|(auth, _)| *auth == state.auth);
        let Some(&(_, shows_user)) = details else {
            let problem = format!("does not name auth {:?}, which {} uses; add it", state.auth, key());
            return Err(ConfigError::new("show-user-details", problem));
        };
        let class = self.class(state).map_err(too_many)?;
        self.nodes.push(Node::new(site, state, class, shows_user));
        self.ids.insert(state.clone(), id);
        Ok(id)
    }

    fn class(&mut self, state: &State) -> Result<ClassId, std::num::TryFromIntError> {
        let found =
            self.classes.iter().position(|(auth, level)| *auth == state.auth && *level == state.level);
        let class = found.unwrap_or_else(|| {
            self.classes.push((state.auth.clone(), state.level.clone()));
            self.classes.len() - 1
        });
        ClassId::try_from(class)
    }

    /// Lays the transitions of each state side by side, in file order.
    fn steps(&mut self, site: &SiteConfig) -> Result<Vec<(f64, StateId)>, ConfigError> {
        let mut by_source: Vec<Vec<(f64, StateId)>> = vec![Vec::new(); self.nodes.len()];
        for (index, transition) in site.transitions.iter().enumerate() {
            let (Some(&source), Some(&dest)) =
                (self.ids.get(&transition.source), self.ids.get(&transition.dest))
            else {
                continue;
            };
            let Some(steps) = by_source.get_mut(source as usize) else { continue };
            let end = steps.last().map_or(0.0, |(end, _)| *end) + transition.p;
            if end > 1.0 + 1e-9 {
                let State { page, auth, level, .. } = &transition.source;
                let problem = format!(
                    "brings the probabilities from {page:?} ({auth}, {level}) to {end:.6}; together they may be 1 at most"
                );
                return Err(ConfigError::new(format!("transitions[{index}].p"), problem));
            }
            steps.push((end, dest));
        }
        let mut all = Vec::new();
        for (node, mut steps) in self.nodes.iter_mut().zip(by_source) {
            // Decimal fractions that mean 1 add up to a little less.
            if let Some(last) = steps.last_mut().filter(|last| last.0 > 1.0 - 1e-9) {
                last.0 = 1.0;
            }
            node.steps = all.len()..all.len() + steps.len();
            all.append(&mut steps);
        }
        Ok(all)
    }

    fn starts(&self, site: &SiteConfig) -> Vec<Option<(Alias, Vec<StateId>)>> {
        let of_class = |class: usize| {
            let entries = site.new_session.iter().filter_map(|(state, weight)| {
                let id = *self.ids.get(state)?;
                let node = self.nodes.get(id as usize)?;
                (node.class as usize == class).then_some((f64::from(*weight), id))
            });
            let (weights, states): (Vec<f64>, Vec<StateId>) = entries.unzip();
            Some((Alias::new(&weights)?, states))
        };
        (0..self.classes.len()).map(of_class).collect()
    }
}

impl Node {
    pub(super) fn new(site: &SiteConfig, state: &State, class: ClassId, shows_user: bool) -> Self {
        let member = |name: &str, value: &str| {
            let mut out = format!(",\"{name}\":").into_bytes();
            json::string(&mut out, value);
            out
        };
        let (page, auth) = (member("page", &state.page), member("auth", &state.auth));
        let (method, level) = (member("method", &state.method), member("level", &state.level));
        let status = format!(",\"status\":{}", state.status).into_bytes();
        let item: &[u8] = b",\"itemInSession\":";
        let text = |parts: &[&[u8]]| parts.concat().into_boxed_slice();
        Self {
            class,
            redirect: (300..399).contains(&state.status),
            next_song: state.page == "NextSong",
            login: state.page == "Login",
            submit: matches!(state.page.as_str(), "Submit Upgrade" | "Submit Downgrade"),
            logged_in: state.auth == "Logged In",
            shows_user,
            churned: site.churned_auth.as_ref() == Some(&state.auth),
            listen: text(&[&auth, &level, item]),
            page_view: text(&[&page, &auth, &method, &status, &level, item]),
            auth: text(&[&level, item]),
            status: text(&[&auth, &level, item]),
            steps: 0..0,
        }
    }
}
