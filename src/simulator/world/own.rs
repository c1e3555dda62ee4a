//! The project's own world.

use super::{World, people, places, songs};

impl World {
    /// The project's own world, made from chance with a seed of its own: always the same.
    pub fn own() -> Self {
        Self {
            catalogue: songs::catalogue(),
            places: places::places(),
            first_names: people::first_names(),
            last_names: people::last_names(),
            user_agents: people::user_agents(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::super::Gender;
    use super::*;

    #[test]
    fn places_look_real() {
        let places = places::places();
        let states: HashSet<_> = places.iter().map(|place| place.state.as_str()).collect();
        assert_eq!(states.len(), 51);
        let zips: HashSet<_> = places.iter().map(|place| place.zip.as_str()).collect();
        assert_eq!(zips.len(), places.len(), "each code is one place");
        for place in &places {
            assert!(
                place.zip.len() == 5 && place.zip.bytes().all(|digit| digit.is_ascii_digit()),
                "{place:?}"
            );
            assert!((18.0..72.0).contains(&place.lat) && (-170.0..-66.0).contains(&place.lon), "{place:?}");
        }
        let mut listeners: HashMap<&str, f64> = HashMap::new();
        for place in &places {
            *listeners.entry(&place.state).or_default() += place.weight;
        }
        // Inhabitants of 2010, in millions.
        assert!((listeners["CA"] - 37.3).abs() < 1e-6 && (listeners["WY"] - 0.6).abs() < 1e-6);
    }

    #[test]
    fn people_are_as_eventsim_has_them() {
        let names = people::first_names();
        let all: f64 = names.iter().map(|name| name.weight).sum();
        let men: f64 = names.iter().filter(|name| name.gender == Gender::Male).map(|name| name.weight).sum();
        assert!((men / all - 0.5191).abs() < 1e-9);
        let agents = people::user_agents();
        let all: f64 = agents.iter().map(|agent| agent.weight).sum();
        let quoted: f64 = agents.iter().filter(|agent| agent.quoted).map(|agent| agent.weight).sum();
        assert!((quoted / all - 0.713).abs() < 0.1, "{}", quoted / all);
        let texts: HashSet<_> = agents.iter().map(|agent| &agent.text).collect();
        assert_eq!(texts.len(), agents.len());
    }
}
