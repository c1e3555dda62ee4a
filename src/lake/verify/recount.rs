//! A recount of one range's data, independent of the code that made the count tables.
//!
//! Keys are kept as 128-bit hashes of their texts, so that memory is bounded by the number of distinct keys.

use std::collections::{BTreeMap, HashMap};

use twox_hash::XxHash3_128;

use crate::lake::encode::{SongCount, UserActive};
use crate::lake::layout::{Day, RangeKey};
use crate::schemas::batch::Activity;
use crate::schemas::{Dictionary, TextColumn};

const MS_PER_PANE: i64 = 60_000;
const NULL: u128 = 0x6e75_6c6c;

type Counts = HashMap<u128, i64>;

/// Expected plays and active users of one range, by event day.
#[derive(Debug, Default)]
pub struct Recount {
    songs: BTreeMap<Day, Counts>,
    users: BTreeMap<Day, Counts>,
}

impl Recount {
    /// Adds all rows of a data object.
    pub fn add(&mut self, activity: &Activity<'_>) {
        let level = hashes(activity.level);
        let gender = hashes(activity.gender);
        let state = hashes(activity.state);
        let song = activity.song.map(|(artist, song)| (artist, song, hashes(artist), hashes(song)));
        for (row, &ts) in activity.ts.iter().enumerate() {
            let pane = ts - ts.rem_euclid(MS_PER_PANE);
            let day = Day::of_ms(ts);
            let level = text(activity.level, &level, row);
            if let Some(user) = activity.user_id.get(row) {
                let (gender, state) =
                    (text(activity.gender, &gender, row), text(activity.state, &state, row));
                self.users
                    .entry(day)
                    .or_default()
                    .insert(key([pane as u128, user as u128, level, gender, state]), 1);
            }
            if let Some((artist, song, artists, songs)) = &song {
                let (artist, song) = (text(artist, artists, row), text(song, songs, row));
                *self
                    .songs
                    .entry(day)
                    .or_default()
                    .entry(key([pane as u128, artist, song, level]))
                    .or_default() += 1;
            }
        }
    }

    /// Compares a day's song counts and takes the day out; the number of keys that differ.
    pub fn take_songs(&mut self, day: Day, rows: &[SongCount]) -> u64 {
        let found = rows.iter().map(|row| {
            let texts = [hash(row.artist.as_deref()), hash(row.song.as_deref()), hash(row.level.as_deref())];
            (key([row.pane_start as u128, texts[0], texts[1], texts[2]]), row.plays)
        });
        differences(self.songs.remove(&day).unwrap_or_default(), found)
    }

    /// Compares a day's user activity and takes the day out; the number of keys that differ.
    pub fn take_users(&mut self, day: Day, rows: &[UserActive]) -> u64 {
        let found = rows.iter().map(|row| {
            let texts = [hash(row.level.as_deref()), hash(row.gender.as_deref()), hash(row.state.as_deref())];
            (key([row.pane_start as u128, row.user_id as u128, texts[0], texts[1], texts[2]]), 1)
        });
        differences(self.users.remove(&day).unwrap_or_default(), found)
    }

    /// What no object was compared with: the name of the object of `range` that should be there, and its keys.
    pub fn left(&self, range: &RangeKey) -> Vec<(String, u64)> {
        let songs = self.songs.iter().map(|(&day, keys)| (range.song_counts(day), keys.len() as u64));
        let users = self.users.iter().map(|(&day, keys)| (range.user_activity(day), keys.len() as u64));
        songs.chain(users).collect()
    }
}

fn differences(mut expected: Counts, found: impl Iterator<Item = (u128, i64)>) -> u64 {
    for (key, count) in found {
        let left = expected.entry(key).or_default();
        *left = left.saturating_sub(count);
    }
    expected.values().filter(|&&left| left != 0).count() as u64
}

fn key<const N: usize>(parts: [u128; N]) -> u128 {
    XxHash3_128::oneshot(parts.map(u128::to_le_bytes).as_flattened())
}

fn hash(text: Option<&str>) -> u128 {
    text.map_or(NULL, |text| XxHash3_128::oneshot(text.as_bytes()))
}

/// The hash of every text that the column's rows use, by key.
fn hashes(column: &TextColumn) -> HashMap<u32, u128> {
    let dictionary: &Dictionary = &column.dictionary;
    let texts = dictionary.read();
    let mut hashes = HashMap::new();
    for row in 0..column.keys.len() {
        if let Some(used) = column.key(row) {
            hashes.entry(used).or_insert_with(|| hash(texts.get(used)));
        }
    }
    hashes
}

fn text(column: &TextColumn, hashes: &HashMap<u32, u128>, row: usize) -> u128 {
    column.key(row).and_then(|used| hashes.get(&used)).copied().unwrap_or(NULL)
}
