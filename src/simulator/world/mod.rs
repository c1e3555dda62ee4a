//! The world that listeners live in: songs, places, names and browsers. All of it is made up here.

mod catalogue;
mod file;
mod own;
mod people;
mod places;
mod songs;
mod words;

pub use catalogue::{Artist, Catalogue, Song};

/// Songs, places, names and browsers.
#[derive(Debug, Clone)]
pub struct World {
    /// What can be played.
    pub catalogue: Catalogue,
    /// Where listeners live.
    pub places: Vec<Place>,
    /// Given names.
    pub first_names: Vec<FirstName>,
    /// Family names and their weights.
    pub last_names: Vec<(String, f64)>,
    /// Browsers.
    pub user_agents: Vec<UserAgent>,
}

/// A postal code area.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// City.
    pub city: String,
    /// Five digits.
    pub zip: String,
    /// State, two letters.
    pub state: String,
    /// Longitude, degrees east.
    pub lon: f64,
    /// Latitude, degrees north.
    pub lat: f64,
    /// Share of listeners, relative to the other places.
    pub weight: f64,
}

/// A given name.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstName {
    /// The name.
    pub name: String,
    /// Whose name it is.
    pub gender: Gender,
    /// Share of listeners, relative to the other names.
    pub weight: f64,
}

/// Gender as events have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gender {
    /// `F`
    Female,
    /// `M`
    Male,
}

impl Gender {
    /// The letter in events.
    pub fn letter(self) -> &'static str {
        match self {
            Gender::Female => "F",
            Gender::Male => "M",
        }
    }
}

/// A browser.
#[derive(Debug, Clone, PartialEq)]
pub struct UserAgent {
    /// The header's text.
    pub text: String,
    /// Eventsim's list has most of them in quotes, and keeps the quotes.
    pub quoted: bool,
    /// Share of listeners, relative to the other browsers.
    pub weight: f64,
}
