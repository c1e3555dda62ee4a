//! Decoded listen events, shaped like Eventsim's: a listener's location, name, agent and registration follow the listener,
//! songs are drawn with a long tail, time goes forward.

use std::collections::HashMap;
use std::sync::Arc;

use beatlytica::lake::Segment;
use beatlytica::lake::encode::{Counts, RangeMeta};
use beatlytica::schemas::batch::{EventBatch, Source};
use beatlytica::schemas::column::NULL_KEY;
use beatlytica::schemas::{
    Column, Dictionary, EventKind, FieldType, Float64Column, Int64Column, PlainTextColumn, TextColumn,
};

/// Rows of a batch.
pub const BATCH: usize = 4_000;
const USERS: u64 = 20_000;
const SONGS: u64 = 80_000;
const BASE_MS: i64 = 1_715_000_400_000;

/// A fixed sequence that looks random.
fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// What an event is about.
struct Event {
    index: usize,
    step_ms: i64,
    user: u64,
    song: u64,
}

impl Event {
    fn new(index: usize, step_ms: i64) -> Self {
        let draw = mix(index as u64 + 1);
        let user = mix(draw) % USERS;
        // The square of an even draw: few songs are heard often, many seldom.
        let share = (draw >> 11) as f64 / (1u64 << 53) as f64;
        Self { index, step_ms, user, song: (share * share * share * SONGS as f64) as u64 }
    }

    fn text(&self, column: &str) -> Option<String> {
        let place = mix(self.user) % 4_000;
        Some(match column {
            "artist" => format!("Artist {} & The {}s", mix(self.song / 8) % 9_000, self.song / 8 % 97),
            "song" => format!("Some Song Title ({:x})", mix(self.song)),
            "auth" => "Logged In".to_owned(),
            "level" => ["free", "paid"][(mix(self.user) % 5 / 2).min(1) as usize].to_owned(),
            "city" => format!("City {}-Metro", place % 2_500),
            "zip" => format!("{:05}", place * 23 % 99_999),
            "state" => ["CA", "TX", "NY", "FL", "WA", "OR", "GA", "OH"][(place % 8) as usize].to_owned(),
            "user_agent" => format!(
                "Mozilla/5.0 (Windows NT 6.{}) AppleWebKit/537.{} (KHTML, like Gecko) Chrome/36.0.1985",
                mix(self.user) % 3,
                mix(self.user) % 20
            ),
            "last_name" => format!("Lastname{}", mix(self.user + 7) % 1_000),
            "first_name" => format!("First{}", mix(self.user + 9) % 2_000),
            "gender" => ["F", "M"][(self.user % 2) as usize].to_owned(),
            _ => return None,
        })
    }

    fn integer(&self, column: &str) -> i64 {
        let user = self.user as i64;
        match column {
            "ts" => BASE_MS + self.index as i64 * self.step_ms,
            "session_id" => user * 3 + 100_000,
            "item_in_session" => (mix(self.index as u64) % 80) as i64,
            "user_id" => user,
            _ => BASE_MS - (mix(self.user) % 10_000_000_000) as i64,
        }
    }

    fn float(&self, column: &str) -> f64 {
        let place = mix(self.user) % 4_000;
        match column {
            "duration" => (mix(self.song) % 40_000_000) as f64 / 100_000.0,
            "lon" => -70.0 - place as f64 * 0.013_711,
            _ => 25.0 + place as f64 * 0.006_113,
        }
    }
}

/// Batches of so many rows in all, each `step_ms` after the one before.
pub fn batches(rows: usize, step_ms: i64) -> Vec<Segment> {
    let kind = EventKind::Listen;
    let source = Arc::new(Source { topic: "listen_events".into(), kind, epoch: 1, partition: 3 });
    let mut known: Vec<HashMap<String, u32>> = vec![HashMap::new(); kind.fields().len()];
    let dictionaries: Vec<Arc<Dictionary>> = kind.fields().iter().map(|_| Arc::default()).collect();
    let batch = |start: usize| {
        let events: Vec<Event> = (start..start + BATCH).map(|index| Event::new(index, step_ms)).collect();
        let columns = kind.fields().iter().enumerate().map(|(at, field)| match field.kind {
            FieldType::Text => {
                let key = |text: String| {
                    let dictionary = &dictionaries[at];
                    *known[at].entry(text).or_insert_with_key(|text| dictionary.push(text))
                };
                let mut key = key;
                let keys = events.iter().map(|event| event.text(field.column).map_or(NULL_KEY, &mut key));
                Column::Text(TextColumn { keys: keys.collect(), dictionary: Arc::clone(&dictionaries[at]) })
            }
            FieldType::Float64 => {
                let mut column = Float64Column::default();
                events.iter().for_each(|event| column.push(Some(event.float(field.column))));
                Column::Float64(column)
            }
            _ => {
                let mut column = Int64Column::default();
                events.iter().for_each(|event| column.push(Some(event.integer(field.column))));
                Column::Int64(column)
            }
        });
        let columns = columns.collect();
        let offsets: Vec<i64> = (0..BATCH as i64).map(|row| 5_000_000 + start as i64 + row).collect();
        Segment::whole(Arc::new(EventBatch {
            new_text_bytes: 0,
            source: Arc::clone(&source),
            start: offsets[0],
            end: offsets[BATCH - 1] + 1,
            timestamps: events.iter().map(|event| event.integer("ts") + 40).collect(),
            hashes: vec![0; BATCH],
            offsets,
            columns,
            extra: PlainTextColumn::default(),
            rejected: Vec::new(),
        }))
    };
    (0..rows).step_by(BATCH).map(batch).collect()
}

/// The range that so many rows make.
pub fn meta(rows: usize) -> RangeMeta {
    RangeMeta {
        topic: "listen_events".to_owned(),
        epoch: 1,
        partition: 3,
        start: 5_000_000,
        end: 5_000_000 + rows as i64,
        schema_version: 1,
    }
}

/// The counts of all of them.
pub fn count(segments: &[Segment]) -> Counts {
    let mut counts = Counts::default();
    for segment in segments {
        let activity = segment.batch.activity().expect("a listen batch has its columns");
        counts.add_activity(&activity, segment.rows.clone()).expect("the batch is sound");
    }
    counts
}
