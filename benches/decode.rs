//! What decoding costs, in time for each event: by the scanner, by the validating parser alone, and the record hash.
//!
//! Records are Eventsim's listen and page-view events where `BEATLYTICA_EVENTSIM_DATA` names their folder (in their
//! original order, so that dictionaries see their real variety), else records of the same shape made here.
//! criterion's "thrpt" line gives events a second, the printed line before it ns an event.

#[path = "input/lines.rs"]
#[allow(dead_code, reason = "shared; each user takes a part")]
mod lines;

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beatlytica::schemas::{Decoder, EventKind, RawRecord, Source, record_hash};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lines::made_line;

const RECORDS: usize = 100_000;
const BATCH: usize = 5_000;

fn records(kind: EventKind) -> Vec<Vec<u8>> {
    match std::env::var_os("BEATLYTICA_EVENTSIM_DATA") {
        Some(folder) => read_lines(&Path::new(&folder).join(format!("{}.jsonl.zst", kind.table()))),
        None => (0..RECORDS).map(|turn| made_line(kind, turn)).collect(),
    }
}

fn read_lines(path: &Path) -> Vec<Vec<u8>> {
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decompressor = zstd::Decoder::new(file).expect("a zstd file");
    decompressor.window_log_max(27).expect("a window that is allowed");
    let lines = BufReader::new(decompressor).split(b'\n').take(RECORDS);
    let with_end = |line: std::io::Result<Vec<u8>>| [line.expect("a line"), vec![b'\n']].concat();
    lines.map(with_end).collect()
}

/// Time that this thread has run on a processor, so that a busy machine counts for little; wall time where the kernel
/// does not tell.
fn processor_time(since: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let run = told.and_then(|told| told.split(' ').next()?.parse().ok());
    run.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// One pass over `lines` in batches; the time it took.
fn pass(decoder: &mut Decoder, lines: &[Vec<u8>]) -> Duration {
    let since = Instant::now();
    let begun = processor_time(since);
    for (number, batch) in lines.chunks(BATCH).enumerate() {
        let start = (number * BATCH) as i64;
        decoder.begin(start, batch.len());
        for (offset, line) in (start..).zip(batch) {
            let record = RawRecord { offset, timestamp: offset, key: None, value: Some(line) };
            decoder.push(record, Vec::new);
        }
        black_box(decoder.finish(start + batch.len() as i64));
    }
    processor_time(since).saturating_sub(begun)
}

fn decode(criterion: &mut Criterion) {
    for kind in [EventKind::Listen, EventKind::PageView] {
        let lines = records(kind);
        let mut group = criterion.benchmark_group(kind.table());
        group.throughput(Throughput::Elements(lines.len() as u64)).sample_size(20);
        for (name, fast_path) in [("scanner", true), ("validating parser", false)] {
            let source = Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 });
            let mut decoder = Decoder::new(source, true).fast_path(fast_path);
            pass(&mut decoder, &lines);
            let quickest = (0..9).map(|_| pass(&mut decoder, &lines)).min().unwrap_or_default();
            println!("{} {name}: {} ns an event", kind.table(), quickest.as_nanos() as usize / lines.len());
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|times| (0..times).map(|_| pass(&mut decoder, &lines)).sum())
            });
        }
        group.bench_function("record hash", |bencher| {
            bencher.iter(|| {
                lines.iter().fold(0u64, |sum, line| sum.wrapping_add(record_hash(1, 2, None, Some(line))))
            })
        });
        group.finish();
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
