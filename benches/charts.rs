//! Cost of the charts at a day of a million users: fold, queries, snapshot. `cargo bench --bench charts [events]`.

#[path = "input/activity.rs"]
mod activity;

use std::hint::black_box;

use activity::{BATCH, Generator, PARTITIONS, SONGS, USERS, sources};
use beatlytica::charts::{At, ChartSettings, Charts, GroupBy, Window};
use beatlytica::schemas::EventKind;

fn rss_mib() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0 / 1_048_576.0
}

/// Seconds of CPU that this thread has had: other processes do not count.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let began = cpu();
    let done = work();
    println!("{what}: {:.2} ms", (cpu() - began) * 1e3);
    done
}

fn main() {
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(8_000_000_i64);
    let of = events / i64::from(PARTITIONS);
    let mut generator = Generator::new(USERS, SONGS);
    let before = rss_mib();
    let mut charts = Charts::new(ChartSettings::default());
    let sources = sources(EventKind::Listen);
    sources.iter().for_each(|source| charts.assign(source, 0));
    let (mut spent, mut rows, mut last_quarter) = (0.0, 0_i64, 0.0);
    for start in (0..of).step_by(BATCH as usize) {
        for source in &sources {
            let batch = generator.batch(start, of);
            let began = cpu();
            black_box(charts.apply(source, &batch.view(), start, start + BATCH));
            let took = cpu() - began;
            spent += took;
            if start >= of / 4 * 3 {
                last_quarter += took;
            }
            rows += BATCH;
        }
    }
    println!("fold: {:.1} ns an event, {rows} events", spent * 1e9 / rows as f64);
    println!("fold, last quarter: {:.1} ns an event", last_quarter * 4e9 / rows as f64);
    println!(
        "state: {:.0} MiB, {:.1} bytes an event",
        rss_mib() - before,
        (rss_mib() - before) * 1_048_576.0 / rows as f64
    );
    for window in [Window::Sliding5m, Window::Sliding1h, Window::Sliding24h] {
        timed(&format!("top 50 songs of {window}"), || black_box(charts.top_songs(window, At::Live, 50)));
        timed(&format!("active users of {window}"), || {
            black_box(charts.active_users(window, At::Live, None))
        });
        timed(&format!("active users of {window} by state"), || {
            black_box(charts.active_users(window, At::Live, Some(GroupBy::State)))
        });
        timed(&format!("active users of {window} in detail"), || {
            black_box(charts.active_users_in_detail(window, At::Live, Some(GroupBy::Level)))
        });
        timed(&format!("songs of {window} found by name"), || {
            black_box(charts.find_songs(window, At::Live, 50, "numbér 77"))
        });
    }
    let Some(bytes) =
        sources.first().and_then(|source| timed("snapshot of a partition", || charts.snapshot(source)))
    else {
        return;
    };
    println!("snapshot: {:.1} MiB", bytes.len() as f64 / 1_048_576.0);
    let mut other = Charts::new(ChartSettings::default());
    if let Some(source) = sources.first() {
        timed("restore of a partition", || black_box(other.restore(source, &bytes).is_ok()));
    }
}
