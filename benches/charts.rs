//! Cost of the charts at a day of a million users: fold, queries, snapshot. `cargo bench --bench charts [events]`.

use std::hint::black_box;
use std::sync::Arc;

use beatlytica::charts::{At, ChartSettings, Charts, GroupBy, Window};
use beatlytica::schemas::batch::OwnedActivity;
use beatlytica::schemas::{Dictionary, EventKind, Int64Column, Source, TextColumn};

const USERS: u64 = 1_000_000;
const SONGS: u32 = 385_000;
const PARTITIONS: i32 = 4;
const BATCH: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
const BASE: i64 = 1_714_953_600_000;

/// SplitMix64: a fixed sequence.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A few songs get most of the plays.
    fn song(&mut self) -> u32 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (unit.powi(4) * f64::from(SONGS)) as u32
    }
}

fn dictionary(count: u32, name: &str) -> Arc<Dictionary> {
    let dictionary = Dictionary::default();
    (0..count).for_each(|number| {
        dictionary.push(&format!("{name} number {number}"));
    });
    Arc::new(dictionary)
}

/// What all batches of a run share.
struct Generator {
    random: Random,
    small: Arc<Dictionary>,
    artists: Arc<Dictionary>,
    songs: Arc<Dictionary>,
}

impl Generator {
    fn batch(&mut self, start: i64, of: i64) -> OwnedActivity {
        let column = |dictionary: &Arc<Dictionary>| TextColumn::new(dictionary.clone());
        let mut batch = OwnedActivity {
            offsets: (start..start + BATCH).collect(),
            timestamps: vec![-1; BATCH as usize],
            ts: Vec::new(),
            user_id: Int64Column::default(),
            level: column(&self.small),
            gender: column(&self.small),
            state: column(&self.small),
            song: None,
        };
        let (mut artist, mut song) = (column(&self.artists), column(&self.songs));
        for offset in start..start + BATCH {
            let jitter = (self.random.next() % 60_000) as i64;
            batch.ts.push(BASE + (DAY_MS as f64 * offset as f64 / of as f64) as i64 - jitter);
            let user = self.random.next() % USERS;
            batch.user_id.push(Some(user as i64));
            batch.level.keys.push((user % 2) as u32);
            batch.gender.keys.push(2 + (user / 2 % 2) as u32);
            batch.state.keys.push(4 + (user / 4 % 51) as u32);
            let key = self.random.song();
            song.keys.push(key);
            artist.keys.push(key / 10);
        }
        batch.song = Some((artist, song));
        batch
    }
}

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
    let mut generator = Generator {
        random: Random(7),
        small: dictionary(64, "value"),
        artists: dictionary(SONGS / 10 + 1, "artist"),
        songs: dictionary(SONGS, "song"),
    };
    let before = rss_mib();
    let mut charts = Charts::new(ChartSettings::default());
    let topic = Arc::from("listen_events");
    let sources: Vec<Source> = (0..PARTITIONS)
        .map(|partition| Source { topic: Arc::clone(&topic), kind: EventKind::Listen, epoch: 1, partition })
        .collect();
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
