//! What encoding costs a listen event: `cargo bench --bench encode`.

#[path = "input/segments.rs"]
mod segments;

use std::hint::black_box;

use beatlytica::lake::encode::{Encoder, group_by_hour, read_activity};
use beatlytica::schemas::EventKind;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segments::{batches, count, meta};

const ROWS: usize = 120_000;

fn encode(criterion: &mut Criterion) {
    let segments = batches(ROWS, 1);
    let mut encoder = Encoder::new().expect("zstd has a context");
    let meta = meta(ROWS);
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
