//! Site configuration: Eventsim's JSON files, read unchanged.

use serde_json::{Map, Value};

use super::config::ConfigError;

/// A page as one kind of visitor sees it: what Eventsim calls a state.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Page name; `NextSong`, `Login`, `Submit Upgrade` and `Submit Downgrade` have a meaning of their own.
    pub page: String,
    /// Whether somebody is signed in: `Guest`, `Logged In`, `Logged Out` or `Cancelled`.
    pub auth: String,
    /// HTTP status; 300 to 398 is a redirect.
    pub status: i64,
    /// HTTP method.
    pub method: String,
    /// Plan: `free` or `paid`.
    pub level: String,
}

/// A possible next step.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// From here ...
    pub source: State,
    /// ... to there ...
    pub dest: State,
    /// ... with this probability. What the transitions of a state lack to 1 ends the session.
    pub p: f64,
}

/// Name and weight.
pub type Weighted = (String, u32);

/// A site: its pages, how listeners move between them, and how often they come.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteConfig {
    /// `alpha`: mean seconds between two pages, averaged over listeners.
    pub alpha: f64,
    /// `beta`: mean seconds between two sessions, averaged over listeners.
    pub beta: f64,
    /// `damping`: strength of the daily cycle, as a share of a day.
    pub damping: f64,
    /// `weekend-damping`: share of the sessions on a day off that do not take place.
    pub weekend_damping: f64,
    /// `weekend-damping-offset`: minutes before midnight at which the change to or from a day off begins.
    pub weekend_damping_offset: f64,
    /// `weekend-damping-scale`: minutes that the change takes.
    pub weekend_damping_scale: f64,
    /// `session-gap`: least seconds between two sessions, before the daily cycle moves them.
    pub session_gap: i64,
    /// `churned-state`: the auth value after which a listener does not come back.
    pub churned_auth: Option<String>,
    /// `new-user-auth`: auth value with which a new listener begins.
    pub new_user_auth: Option<String>,
    /// `new-user-level`: level with which a new listener begins.
    pub new_user_level: Option<String>,
    /// `show-user-details`: whether events with this auth value say who it is.
    pub show_user_details: Vec<(String, bool)>,
    /// `levels`: levels of the listeners at the start.
    pub levels: Vec<Weighted>,
    /// `auths`: auth values of the listeners at the start.
    pub auths: Vec<Weighted>,
    /// `new-session`: pages on which a session begins, weighted within their auth value and level.
    pub new_session: Vec<(State, u32)>,
    /// `transitions`, in file order.
    pub transitions: Vec<Transition>,
    /// `seed`.
    pub seed: u64,
    /// `tag`.
    pub tag: Option<String>,
    /// `n-users`.
    pub users: Option<u32>,
    /// `first-user-id`.
    pub first_user_id: Option<i64>,
    /// `growth-rate`.
    pub growth_rate: Option<f64>,
    /// Keys without effect, as in Eventsim, or that nobody knows.
    pub ignored: Vec<String>,
}

/// The site that is simulated where no file is given.
const OWN: &[u8] = include_bytes!("../../config/site.json");

impl SiteConfig {
    /// The project's own site.
    ///
    /// # Errors
    /// None in a released program: a test reads it.
    pub fn own() -> Result<Self, ConfigError> {
        Self::from_json(OWN)
    }

    /// Reads a file of Eventsim's (`-c`).
    ///
    /// # Errors
    /// The bytes are no JSON object, or a key's value cannot be used; the error names the key.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| ConfigError::new("site configuration", format!("is not valid JSON: {error}")))?;
        let Value::Object(object) = value else {
            return Err(ConfigError::new("site configuration", "must be a JSON object, {\"alpha\": …}"));
        };
        read(&mut Keys { object, path: String::new() })
    }
}

fn read(keys: &mut Keys) -> Result<SiteConfig, ConfigError> {
    let config = SiteConfig {
        alpha: keys.number("alpha", Some(60.0), 1.0, 1e9)?,
        beta: keys.number("beta", Some(259_200.0), 60.0, 1e10)?,
        damping: keys.number("damping", Some(0.0625), 0.0, 0.5)?,
        weekend_damping: keys.number("weekend-damping", Some(0.5), 0.0, 0.99)?,
        weekend_damping_offset: keys.number("weekend-damping-offset", Some(6.0), 0.0, 720.0)?,
        weekend_damping_scale: keys.number("weekend-damping-scale", Some(6.0), 1.0, 1440.0)?,
        session_gap: keys.number("session-gap", Some(1800.0), 1.0, 1e9)? as i64,
        churned_auth: keys.optional_text("churned-state")?,
        new_user_auth: keys.optional_text("new-user-auth")?,
        new_user_level: keys.optional_text("new-user-level")?,
        show_user_details: keys
            .list("show-user-details", false, |each| Ok((each.text("auth")?, each.boolean("show")?)))?,
        levels: keys.list("levels", true, |each| Ok((each.text("level")?, each.weight("weight")?)))?,
        auths: keys.list("auths", true, |each| Ok((each.text("auth")?, each.weight("weight")?)))?,
        new_session: keys.list("new-session", true, |each| Ok((each.state()?, each.weight("weight")?)))?,
        transitions: keys.list("transitions", true, |each| {
            let (source, dest) = (each.nested("source")?.state()?, each.nested("dest")?.state()?);
            Ok(Transition { source, dest, p: each.number("p", None, 0.0, 1.0)? })
        })?,
        seed: keys.number("seed", Some(0.0), 0.0, 9e15)? as u64,
        tag: keys.optional_text("tag")?,
        users: keys.optional_number("n-users", 0.0, f64::from(u32::MAX / 2))?.map(|users| users as u32),
        first_user_id: keys.optional_number("first-user-id", 0.0, 9e15)?.map(|id| id as i64),
        growth_rate: keys.optional_number("growth-rate", 0.0, 1e6)?,
        ignored: keys.object.keys().cloned().collect(),
    };
    Ok(config)
}

/// The members of one JSON object that have not been read yet, and where it lies in the file.
struct Keys {
    object: Map<String, Value>,
    path: String,
}

impl Keys {
    fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn absent(&self, name: &str, wanted: &str) -> ConfigError {
        ConfigError::new(self.key(name), format!("is missing; give {wanted}"))
    }

    fn wrong(&self, name: &str, found: &Value, wanted: &str) -> ConfigError {
        let mut found = found.to_string();
        if found.chars().count() > 60 {
            found = found.chars().take(60).chain(['…']).collect();
        }
        ConfigError::new(self.key(name), format!("is {found}; it must be {wanted}"))
    }

    fn optional_number(&mut self, name: &str, min: f64, max: f64) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.object.remove(name) else { return Ok(None) };
        let number = value.as_f64().filter(|number| (min..=max).contains(number));
        match number {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, &value, &format!("a number from {min} to {max}"))),
        }
    }

    fn number(&mut self, name: &str, default: Option<f64>, min: f64, max: f64) -> Result<f64, ConfigError> {
        let given = self.optional_number(name, min, max)?;
        given.or(default).ok_or_else(|| self.absent(name, &format!("a number from {min} to {max}")))
    }

    fn weight(&mut self, name: &str) -> Result<u32, ConfigError> {
        Ok(self.number(name, None, 0.0, 1e9)? as u32)
    }

    fn optional_text(&mut self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.object.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, &other, "text in quotes")),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, ConfigError> {
        self.optional_text(name)?.ok_or_else(|| self.absent(name, "text in quotes"))
    }

    fn boolean(&mut self, name: &str) -> Result<bool, ConfigError> {
        match self.object.remove(name) {
            None => Err(self.absent(name, "true or false")),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.wrong(name, &other, "true or false")),
        }
    }

    fn nested(&mut self, name: &str) -> Result<Keys, ConfigError> {
        match self.object.remove(name) {
            None => Err(self.absent(name, "an object with page, method, status, auth and level")),
            Some(Value::Object(object)) => Ok(Keys { object, path: self.key(name) }),
            Some(other) => {
                Err(self.wrong(name, &other, "an object with page, method, status, auth and level"))
            }
        }
    }

    fn state(&mut self) -> Result<State, ConfigError> {
        Ok(State {
            page: self.text("page")?,
            auth: self.text("auth")?,
            status: self.number("status", None, 100.0, 999.0)? as i64,
            method: self.text("method")?,
            level: self.text("level")?,
        })
    }

    fn list<T>(
        &mut self,
        name: &str,
        needed: bool,
        mut each: impl FnMut(&mut Keys) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let items = match self.object.remove(name) {
            None if needed => return Err(self.absent(name, "a list of objects")),
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => return Err(self.wrong(name, &other, "a list of objects")),
        };
        if needed && items.is_empty() {
            return Err(ConfigError::new(self.key(name), "is empty; give at least one entry"));
        }
        let read = items.into_iter().enumerate().map(|(index, item)| {
            let path = format!("{}[{index}]", self.key(name));
            match item {
                Value::Object(object) => each(&mut Keys { object, path }),
                other => Err(ConfigError::new(path, format!("is {other}; it must be an object"))),
            }
        });
        read.collect()
    }
}
