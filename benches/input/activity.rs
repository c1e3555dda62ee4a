//! A day of listeners as the charts meet them: `USERS` listeners, `SONGS` songs of which a few get most of the plays.

use std::sync::Arc;

use beatlytica::schemas::batch::OwnedActivity;
use beatlytica::schemas::{Dictionary, EventKind, Int64Column, Source, TextColumn};

/// Listeners.
pub const USERS: u64 = 1_000_000;
/// Songs.
pub const SONGS: u32 = 385_000;
/// Partitions that the events are spread over.
pub const PARTITIONS: i32 = 4;
/// Rows of a batch.
pub const BATCH: i64 = 10_000;
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
    fn song(&mut self, songs: u32) -> u32 {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (unit.powi(4) * f64::from(songs)) as u32
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
pub struct Generator {
    random: Random,
    users: u64,
    songs_known: u32,
    small: Arc<Dictionary>,
    artists: Arc<Dictionary>,
    songs: Arc<Dictionary>,
}

impl Generator {
    /// Batches among so many listeners and songs.
    pub fn new(users: u64, songs: u32) -> Self {
        Self {
            random: Random(7),
            users,
            songs_known: songs,
            small: dictionary(64, "value"),
            artists: dictionary(songs / 10 + 1, "artist"),
            songs: dictionary(songs, "song"),
        }
    }

    /// The batch that begins at `start`, of a day that has `of` events in each partition.
    pub fn batch(&mut self, start: i64, of: i64) -> OwnedActivity {
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
            let user = self.random.next() % self.users;
            batch.user_id.push(Some(user as i64));
            batch.level.keys.push((user % 2) as u32);
            batch.gender.keys.push(2 + (user / 2 % 2) as u32);
            batch.state.keys.push(4 + (user / 4 % 51) as u32);
            let key = self.random.song(self.songs_known);
            song.keys.push(key);
            artist.keys.push(key / 10);
        }
        batch.song = Some((artist, song));
        batch
    }
}

/// The partitions of a topic with events of `kind`.
pub fn sources(kind: EventKind) -> Vec<Source> {
    let topic: Arc<str> = Arc::from(kind.table());
    let source = |partition| Source { topic: Arc::clone(&topic), kind, epoch: 1, partition };
    (0..PARTITIONS).map(source).collect()
}
