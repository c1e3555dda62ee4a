//! The form of records against Eventsim's own output: each real record is taken apart and written anew, and must come out
//! byte for byte. Real data is read where `BEATLYTICA_EVENTSIM_DATA` names its folder.

use std::io::{BufRead, BufReader};

use serde_json::Value;

use super::chain::Node;
use super::config::Compat;
use super::site::{SiteConfig, State};
use super::text::{Moment, Texts, Visitor, Writer};
use super::world::{Artist, Catalogue, FirstName, Gender, Place, Song, UserAgent, World};
use crate::schemas::EventKind;

/// Records of each type that are compared.
const RECORDS: usize = 50_000;

/// Where they do not come from the beginning of the file alone, each so many-th.
const STEP: usize = 7;

/// A number of the record, from its own digits: the JSON library may round the last bit otherwise.
fn number<T: std::str::FromStr>(line: &[u8], key: &str) -> Option<T> {
    let line = std::str::from_utf8(line).expect("UTF-8");
    let (_, rest) = line.split_once(&format!("\"{key}\":"))?;
    rest.split([',', '}']).next()?.parse().ok()
}

/// The record as this program writes what it says.
fn rewritten(site: &SiteConfig, kind: EventKind, line: &[u8]) -> Vec<u8> {
    let record: Value = serde_json::from_slice(line).expect("JSON");
    let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
    let auth = match record["success"].as_bool() {
        Some(true) => "Logged In".to_owned(),
        Some(false) => "Logged Out".to_owned(),
        None => text("auth"),
    };
    let state = State {
        page: text("page"),
        auth,
        status: record["status"].as_i64().unwrap_or(200),
        method: text("method"),
        level: text("level"),
    };
    let has_song = record["song"].is_string();
    let song = Song {
        artist: 0,
        title: text("song"),
        duration: number(line, "duration").unwrap_or_default(),
        released: None,
        weight: 1.0,
    };
    let world = World {
        catalogue: Catalogue {
            artists: vec![Artist { name: text("artist"), genre: "" }],
            songs: vec![song],
            ..Catalogue::default()
        },
        places: vec![Place {
            city: text("city"),
            zip: text("zip"),
            state: text("state"),
            lon: number(line, "lon").expect("degrees"),
            lat: number(line, "lat").expect("degrees"),
            weight: 1.0,
        }],
        first_names: vec![FirstName {
            name: text("firstName"),
            gender: if record["gender"] == "F" { Gender::Female } else { Gender::Male },
            weight: 1.0,
        }],
        last_names: vec![(text("lastName"), 1.0)],
        user_agents: vec![UserAgent { text: text("userAgent"), quoted: false, weight: 1.0 }],
    };
    let user_id = record["userId"].as_i64();
    let visitor = Visitor {
        user_id: user_id.unwrap_or_default(),
        place: 0,
        agent: 0,
        first_name: 0,
        last_name: 0,
        registration: record["registration"].as_i64().unwrap_or_default(),
    };
    let moment = Moment {
        ts: record["ts"].as_i64().expect("a time"),
        session: record["sessionId"].as_i64().expect("a session"),
        item: record["itemInSession"].as_i64().expect("an item"),
        song: has_song.then_some(0),
    };
    let node = Node::new(site, &state, 0, user_id.is_some());
    let texts = Texts::new(&world, Compat::Clean, None);
    let mut out = Vec::new();
    Writer::new(&texts, &node, moment, &visitor).write(kind, &mut out);
    out
}

#[test]
fn real_records_are_written_byte_for_byte() {
    let Some(folder) = std::env::var_os("BEATLYTICA_EVENTSIM_DATA") else {
        eprintln!("skipped: BEATLYTICA_EVENTSIM_DATA is not set");
        return;
    };
    let site = SiteConfig::own().expect("a sound site");
    for kind in EventKind::ALL {
        let path = std::path::Path::new(&folder).join(format!("{}.jsonl.zst", kind.table()));
        let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut decompressor = zstd::Decoder::new(file).expect("a zstd file");
        decompressor.window_log_max(27).expect("a window that is allowed");
        let step = if matches!(kind, EventKind::Listen | EventKind::PageView) { STEP } else { 1 };
        let lines = BufReader::with_capacity(1 << 20, decompressor).split(b'\n').step_by(step).take(RECORDS);
        let mut compared = 0;
        for line in lines {
            let mut line = line.expect("a line");
            line.push(b'\n');
            let found = rewritten(&site, kind, &line);
            assert!(
                found == line,
                "{}\nis not\n{}",
                String::from_utf8_lossy(&found),
                String::from_utf8_lossy(&line)
            );
            compared += 1;
        }
        assert!(compared > 1_000, "{compared} of {}", kind.table());
    }
}

/// Mangled text is what the engine's repair (and Eventsim's readers) can undo.
#[test]
fn mangling_is_undone_by_the_reader() {
    use crate::schemas::{Decoder, RawRecord, Source};
    let world = World::own();
    let texts = Texts::new(&world, Compat::Eventsim, None);
    let site = SiteConfig::own().expect("a sound site");
    let state = State {
        page: "NextSong".into(),
        auth: "Logged In".into(),
        status: 200,
        method: "PUT".into(),
        level: "free".into(),
    };
    let node = Node::new(&site, &state, 0, true);
    let visitor = Visitor { user_id: 1, place: 0, agent: 0, first_name: 0, last_name: 0, registration: 0 };
    let source = Source { topic: "t".into(), kind: EventKind::Listen, epoch: 1, partition: 0 };
    let mut decoder = Decoder::new(std::sync::Arc::new(source), true);
    let songs = &world.catalogue.songs;
    let mut line = Vec::new();
    for index in 0..songs.len().min(20_000) {
        line.clear();
        let moment = Moment { ts: 1, session: 1, item: 0, song: Some(index) };
        Writer::new(&texts, &node, moment, &visitor).write(EventKind::Listen, &mut line);
        decoder
            .push(RawRecord { offset: index as i64, timestamp: 0, key: None, value: Some(&line) }, Vec::new);
    }
    let batch = decoder.finish(20_000);
    let (artists, titles) = (batch.text("artist").expect("artists"), batch.text("song").expect("songs"));
    let (artist_texts, title_texts) = (artists.dictionary.read(), titles.dictionary.read());
    for (row, song) in songs.iter().take(batch.rows()).enumerate() {
        assert_eq!(artist_texts.get(artists.keys[row]), Some(world.catalogue.artist(song)));
        // A reader strips quotes at both ends, whoever put them there.
        assert_eq!(title_texts.get(titles.keys[row]), Some(song.title.trim_matches('"')));
    }
}
