//! The world of the real run, as far as its records show it: so that sizes and popularity can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;

use beatlytica::simulator::{Artist, Catalogue, FirstName, Gender, Place, Song, UserAgent, World};
use serde_json::Value;

use super::sample::{Plays, Sample};

/// Songs by how often they were heard, and people by how many listeners have that name, place or browser.
pub fn real_world(real: &Sample) -> Arc<World> {
    let parsed = real.listeners.values().map(|line| serde_json::from_slice(line).expect("JSON"));
    let people: Vec<Value> = parsed.collect();
    let places = counted(&people, |person| (text(person, "zip"), place(person)));
    let first_names = counted(&people, |person| {
        let (name, gender) = (text(person, "firstName"), text(person, "gender"));
        let letter = if gender == "F" { Gender::Female } else { Gender::Male };
        (format!("{name} {gender}"), FirstName { name, gender: letter, weight: 0.0 })
    });
    let agents = counted(&people, |person| (text(person, "userAgent"), text(person, "userAgent")));
    Arc::new(World {
        catalogue: catalogue(&real.plays),
        places: places.into_iter().map(|(place, weight)| Place { weight, ..place }).collect(),
        first_names: first_names.into_iter().map(|(name, weight)| FirstName { weight, ..name }).collect(),
        last_names: counted(&people, |person| (text(person, "lastName"), text(person, "lastName"))),
        user_agents: agents
            .into_iter()
            .map(|(text, weight)| UserAgent { text, quoted: false, weight })
            .collect(),
    })
}

fn text(record: &Value, key: &str) -> String {
    record[key].as_str().expect("text").to_owned()
}

fn place(person: &Value) -> Place {
    Place {
        city: text(person, "city"),
        zip: text(person, "zip"),
        state: text(person, "state"),
        lon: person["lon"].as_f64().expect("degrees"),
        lat: person["lat"].as_f64().expect("degrees"),
        weight: 0.0,
    }
}

/// Distinct things, by key, with how many people have them.
fn counted<T>(people: &[Value], of: impl Fn(&Value) -> (String, T)) -> Vec<(T, f64)> {
    let mut found: BTreeMap<String, (T, f64)> = BTreeMap::new();
    for person in people {
        let (key, value) = of(person);
        found.entry(key).or_insert((value, 0.0)).1 += 1.0;
    }
    found.into_values().collect()
}

fn catalogue(plays: &Plays) -> Catalogue {
    let mut artists = Vec::new();
    let plays: BTreeMap<_, _> = plays.iter().collect();
    let songs = plays.into_iter().map(|(song, &count)| {
        let record: Value =
            serde_json::from_slice(&[song.as_slice(), b"}".as_slice()].concat()).expect("JSON");
        artists.push(Artist { name: repaired(&text(&record, "artist")), genre: "" });
        Song {
            artist: artists.len() as u32 - 1,
            title: repaired(&text(&record, "song")),
            duration: record["duration"].as_f64().expect("seconds") as f32,
            released: None,
            weight: count as f64,
        }
    });
    let songs = songs.collect();
    Catalogue { artists, songs, ..Catalogue::default() }
}

/// What Eventsim did to a text, undone.
fn repaired(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).expect("a character below U+0100")).collect();
    let text = String::from_utf8(bytes).expect("UTF-8");
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\""),
        None => text,
    }
}
