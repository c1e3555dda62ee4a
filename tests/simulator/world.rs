//! The world of the real run, as far as its records show it: so that sizes and popularity can be compared.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use beatlytica::schemas::EventKind;
use beatlytica::simulator::{Artist, Catalogue, FirstName, Gender, Place, Song, UserAgent, World};
use serde_json::Value;

use super::runs::{folder, real_lines};

/// How often a song was heard in the real run: artist, title and length as written there.
pub type Plays = BTreeMap<(String, String, String), u64>;

fn seen() -> Option<&'static (Plays, Arc<World>)> {
    static SEEN: OnceLock<Option<(Plays, Arc<World>)>> = OnceLock::new();
    SEEN.get_or_init(|| Some(read(&folder()?))).as_ref()
}

pub fn real_plays() -> Option<&'static Plays> {
    Some(&seen()?.0)
}

pub fn real_world() -> Option<Arc<World>> {
    Some(Arc::clone(&seen()?.1))
}

fn read(folder: &std::path::Path) -> (Plays, Arc<World>) {
    let mut plays = Plays::new();
    let mut people: HashMap<i64, Value> = HashMap::new();
    real_lines(folder, EventKind::Listen, |line| {
        let record: Value = serde_json::from_slice(line).expect("JSON");
        let text = |key: &str| record[key].as_str().expect("text").to_owned();
        let song = (text("artist"), text("song"), record["duration"].to_string());
        *plays.entry(song).or_default() += 1;
        people.entry(record["userId"].as_i64().expect("an id")).or_insert(record);
        true
    });
    let world = World {
        catalogue: catalogue(&plays),
        places: counted(people.values(), |person| (text(person, "zip"), place(person)))
            .into_iter()
            .map(|(place, weight)| Place { weight, ..place })
            .collect(),
        first_names: counted(people.values(), |person| {
            let (name, gender) = (text(person, "firstName"), text(person, "gender"));
            let letter = if gender == "F" { Gender::Female } else { Gender::Male };
            (format!("{name} {gender}"), FirstName { name, gender: letter, weight: 0.0 })
        })
        .into_iter()
        .map(|(name, weight)| FirstName { weight, ..name })
        .collect(),
        last_names: counted(people.values(), |person| (text(person, "lastName"), text(person, "lastName"))),
        user_agents: counted(people.values(), |person| (text(person, "userAgent"), text(person, "userAgent")))
            .into_iter()
            .map(|(text, weight)| UserAgent { text, quoted: false, weight })
            .collect(),
    };
    (plays, Arc::new(world))
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
fn counted<'a, T>(people: impl Iterator<Item = &'a Value>, of: impl Fn(&Value) -> (String, T)) -> Vec<(T, f64)> {
    let mut found: BTreeMap<String, (T, f64)> = BTreeMap::new();
    for person in people {
        let (key, value) = of(person);
        found.entry(key).or_insert((value, 0.0)).1 += 1.0;
    }
    found.into_values().collect()
}

fn catalogue(plays: &Plays) -> Catalogue {
    let mut artists = Vec::new();
    let songs = plays.iter().map(|((artist, title, duration), &count)| {
        artists.push(Artist { name: repaired(artist), genre: "" });
        Song {
            artist: artists.len() as u32 - 1,
            title: repaired(title),
            duration: duration.parse().expect("seconds"),
            released: None,
            weight: count as f64,
        }
    });
    let songs = songs.collect();
    Catalogue { artists, songs, ..Catalogue::default() }
}

/// What Eventsim did to a text, undone.
pub fn repaired(text: &str) -> String {
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).expect("a character below U+0100")).collect();
    let text = String::from_utf8(bytes).expect("UTF-8");
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\""),
        None => text,
    }
}
