//! What the hot path costs in instructions, which nothing else on the machine can change: run by `instructions.py` under
//! callgrind, which counts from stage to stage.
//!
//! Prints a line for each stage, its name and its events, in the order in which callgrind's dumps come. A stage is measured
//! once, warm: its dictionaries, parsers and contexts have seen other input of the same kind.

#[path = "../benches/input/activity.rs"]
#[allow(dead_code, reason = "shared; each user takes a part")]
mod activity;
#[path = "../benches/input/lines.rs"]
mod lines;
#[path = "../benches/input/segments.rs"]
#[allow(dead_code, reason = "shared; each user takes a part")]
mod segments;

use std::hint::black_box;
use std::sync::Arc;

use activity::{BATCH, Generator, PARTITIONS, sources};
use beatlytica::charts::{At, ChartSettings, Charts, GroupBy, Window};
use beatlytica::lake::encode::{Encoder, group_by_hour};
use beatlytica::schemas::batch::OwnedActivity;
use beatlytica::schemas::{Decoder, EventKind, RawRecord, Source, record_hash};

const RECORDS: usize = 10_000;
const ROWS: usize = 40_000;
const HOURS_APART_MS: i64 = 360_000;
const LISTENERS: u64 = 50_000;
const SONGS: u32 = 20_000;
/// More than one, for the allocator does not answer all alike.
const ANSWERS: usize = 8;

/// All that callgrind counts, by the name of this function.
#[inline(never)]
fn measured_stage(work: &mut dyn FnMut()) {
    work();
}

fn stage(name: &str, events: usize, mut work: impl FnMut()) {
    measured_stage(&mut work);
    println!("{name} {events}");
}

/// [`stage`] after the same work unmeasured.
fn warm_stage(name: &str, events: usize, mut work: impl FnMut()) {
    work();
    stage(name, events, work);
}

fn main() {
    decoding();
    encoding();
    charting();
}

fn decode(decoder: &mut Decoder, lines: &[Vec<u8>]) {
    decoder.begin(0, lines.len());
    for (offset, line) in (0..).zip(lines) {
        let record = RawRecord { offset, timestamp: offset, key: None, value: Some(line) };
        decoder.push(record, Vec::new);
    }
    black_box(decoder.finish(lines.len() as i64));
}

fn decoding() {
    let made = |kind, from: usize| -> Vec<Vec<u8>> {
        (from..from + RECORDS).map(|turn| lines::made_line(kind, turn)).collect()
    };
    let decoder = |kind: EventKind| {
        let source = Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 };
        Decoder::new(Arc::new(source), true)
    };
    for (name, kind, fast) in [
        ("decode", EventKind::Listen, true),
        ("decode page views", EventKind::PageView, true),
        ("decode by the validating parser", EventKind::Listen, false),
    ] {
        let mut decoder = decoder(kind).fast_path(fast);
        decode(&mut decoder, &made(kind, 0));
        let records = made(kind, RECORDS);
        stage(name, RECORDS, || decode(&mut decoder, &records));
    }
    let mut decoder = decoder(EventKind::Listen);
    let mangled: Vec<Vec<u8>> = (0..RECORDS).map(lines::mangled_line).collect();
    let (first, second) = mangled.split_at(RECORDS / 2);
    decode(&mut decoder, first);
    stage("decode and repair new texts", second.len(), || decode(&mut decoder, second));
    let records = made(EventKind::Listen, 0);
    stage("record hash", RECORDS, || {
        records.iter().for_each(|line| {
            black_box(record_hash(1, 2, None, Some(line)));
        });
    });
}

fn encoding() {
    let Ok(mut encoder) = Encoder::new() else { return };
    let meta = segments::meta(ROWS);
    let (dense, spread) = (segments::batches(ROWS, 1), segments::batches(ROWS, HOURS_APART_MS));
    let Ok(groups) = group_by_hour(&dense) else { return };
    warm_stage("encode", ROWS, || {
        black_box(encoder.encode_hour(&groups[0], &dense, "bench".to_owned(), &meta).is_ok());
    });
    stage("group by hour, one hour", ROWS, || {
        black_box(group_by_hour(&dense).is_ok());
    });
    stage("group by hour, 4000 hours", ROWS, || {
        black_box(group_by_hour(&spread).is_ok());
    });
    let Ok(hours) = group_by_hour(&spread) else { return };
    let hours = &hours[..100];
    let rows: usize = hours.iter().map(|hour| hour.rows as usize).sum();
    stage("encode hours of ten rows", rows, || {
        for hour in hours {
            black_box(encoder.encode_hour(hour, &spread, "bench".to_owned(), &meta).is_ok());
        }
    });
    let mut counts = segments::count(&dense);
    stage("count", ROWS, || counts = segments::count(&dense));
    let tables = std::mem::take(&mut counts).into_tables();
    let date = groups[0].date.clone();
    warm_stage("encode song counts", ROWS, || {
        black_box(encoder.encode_song_counts(&tables, &date, "bench".to_owned(), &meta).is_ok());
    });
    warm_stage("encode user activity", ROWS, || {
        black_box(encoder.encode_user_activity(&tables, &date, "bench".to_owned(), &meta).is_ok());
    });
}

fn charting() {
    let mut charts = Charts::new(ChartSettings::default());
    // Of a day with 24 batches for each partition: a batch is an hour.
    let of = 24 * BATCH;
    for (name, kind) in [("panes", EventKind::Listen), ("users", EventKind::PageView)] {
        let sources = sources(kind);
        sources.iter().for_each(|source| charts.assign(source, 0));
        let mut generator = Generator::new(LISTENERS, SONGS);
        let mut hour = |start: i64| -> Vec<OwnedActivity> {
            let batch = |_| {
                let mut batch = generator.batch(start, of);
                batch.song = batch.song.filter(|_| kind == EventKind::Listen);
                batch
            };
            sources.iter().map(batch).collect()
        };
        let (first, second) = (hour(0), hour(BATCH));
        let mut fold = |start: i64, batches: &[OwnedActivity]| {
            for (source, batch) in sources.iter().zip(batches) {
                black_box(charts.apply(source, &batch.view(), start, start + BATCH));
            }
        };
        fold(0, &first);
        stage(name, (BATCH * i64::from(PARTITIONS)) as usize, || fold(BATCH, &second));
    }
    stage("answer: top 50 songs of an hour", ANSWERS, || {
        for _ in 0..ANSWERS {
            black_box(charts.top_songs(Window::Sliding1h, At::Live, 50));
        }
    });
    stage("answer: active users of an hour by state", ANSWERS, || {
        for _ in 0..ANSWERS {
            black_box(charts.active_users(Window::Sliding1h, At::Live, Some(GroupBy::State)));
        }
    });
}
