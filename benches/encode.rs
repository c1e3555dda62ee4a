//! What encoding costs a listen event: `cargo bench --bench encode`.
//!
//! Rows are shaped like Eventsim's: a listener's location, name, agent and registration follow the listener, songs are
//! drawn with a long tail, time goes forward.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use beatlytica::lake::Segment;
use beatlytica::lake::encode::{Counts, Encoder, RangeMeta, group_by_hour, read_activity};
use beatlytica::schemas::batch::{EventBatch, Source};
use beatlytica::schemas::column::NULL_KEY;
use beatlytica::schemas::{
    Column, Dictionary, EventKind, FieldType, Float64Column, Int64Column, PlainTextColumn, TextColumn,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const ROWS: usize = 120_000;
const BATCH: usize = 4_000;
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
    user: u64,
    song: u64,
}

impl Event {
    fn new(index: usize) -> Self {
        let draw = mix(index as u64 + 1);
        let user = mix(draw) % USERS;
        // The square of an even draw: few songs are heard often, many seldom.
        let share = (draw >> 11) as f64 / (1u64 << 53) as f64;
        Self { index, user, song: (share * share * share * SONGS as f64) as u64 }
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
            "ts" => BASE_MS + self.index as i64 * 120_000 / ROWS as i64 * 1_000 / 1_000,
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

fn batches() -> Vec<Segment> {
    let kind = EventKind::Listen;
    let source = Arc::new(Source { topic: "listen_events".into(), kind, epoch: 1, partition: 3 });
    let mut known: Vec<HashMap<String, u32>> = vec![HashMap::new(); kind.fields().len()];
    let dictionaries: Vec<Arc<Dictionary>> = kind.fields().iter().map(|_| Arc::default()).collect();
    let batch = |start: usize| {
        let events: Vec<Event> = (start..start + BATCH).map(Event::new).collect();
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
    (0..ROWS).step_by(BATCH).map(batch).collect()
}

fn meta() -> RangeMeta {
    RangeMeta {
        topic: "listen_events".to_owned(),
        epoch: 1,
        partition: 3,
        start: 5_000_000,
        end: 5_000_000 + ROWS as i64,
        schema_version: 1,
    }
}

fn count(segments: &[Segment]) -> Counts {
    let mut counts = Counts::default();
    for segment in segments {
        let activity = segment.batch.activity().expect("a listen batch has its columns");
        counts.add_activity(&activity, segment.rows.clone()).expect("the batch is sound");
    }
    counts
}

fn encode(criterion: &mut Criterion) {
    let segments = batches();
    let mut encoder = Encoder::new().expect("zstd has a context");
    let meta = meta();
    let groups = group_by_hour(&segments).expect("batches are sound");
    let mut hour = || {
        let object = encoder.encode_hour(&groups[0], &segments, "bench".to_owned(), &meta);
        object.expect("batches are sound")
    };
    let object = hour();
    println!("listen_events: {:.2} bytes a row", object.body.len() as f64 / object.rows as f64);

    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    group.bench_function("group_by_hour", |bencher| bencher.iter(|| group_by_hour(black_box(&segments))));
    group.bench_function("listen_events", |bencher| bencher.iter(&mut hour));
    group.bench_function("count", |bencher| bencher.iter(|| count(black_box(&segments))));

    let counts = count(&segments).into_tables();
    let date = groups[0].date.clone();
    let mut songs = || encoder.encode_song_counts(&counts, &date, "bench".to_owned(), &meta);
    let rows = songs().map_or(0, |object| object.rows);
    println!("song_counts: {rows} rows");
    group.bench_function("song_counts", |bencher| bencher.iter(&mut songs));
    let mut users = || encoder.encode_user_activity(&counts, &date, "bench".to_owned(), &meta);
    group.bench_function("user_activity", |bencher| bencher.iter(&mut users));
    group.bench_function("read_activity", |bencher| {
        bencher.iter(|| read_activity(EventKind::Listen, black_box(&object.body)));
    });
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
