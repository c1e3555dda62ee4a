//! The project's own world.

use super::{Artist, Catalogue, FirstName, Gender, Place, Song, UserAgent, World};

impl World {
    /// The project's own world, always the same.
    pub fn own() -> Self {
        let song = Song { artist: 0, title: "Test".into(), duration: 180.0, released: None, weight: 1.0 };
        Self {
            catalogue: Catalogue {
                artists: vec![Artist { name: "Tester".into(), genre: "pop" }],
                songs: vec![song],
                ..Catalogue::default()
            },
            places: vec![Place {
                city: "Springfield".into(),
                zip: "62701".into(),
                state: "IL".into(),
                lon: -89.6,
                lat: 39.8,
                weight: 1.0,
            }],
            first_names: vec![FirstName { name: "Ada".into(), gender: Gender::Female, weight: 1.0 }],
            last_names: vec![("Miller".into(), 1.0)],
            user_agents: vec![UserAgent { text: "Mozilla/5.0".into(), quoted: true, weight: 1.0 }],
        }
    }
}
