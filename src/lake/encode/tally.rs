//! Counting one range's rows: what each row adds is noted as a number that sorts as the count tables do; then the
//! numbers are sorted and equal ones folded. Hash tables of the counted keys would be several times as large, and a
//! cache miss for each row.

use std::ops::Range;
use std::sync::Arc;

use super::arena::TextArena;
use super::counts::{CountTables, Row};
use super::error::EncodeError;
use crate::radix;
use crate::schemas::batch::Activity;
use crate::schemas::column::NULL_KEY;
use crate::schemas::tuples::Tuples;
use crate::schemas::{Dictionary, TextColumn};

/// Length of a pane, milliseconds.
const PANE_MS: i64 = 60_000;

/// Text ids are given out from 0 up, so this one is never reached.
const UNSEEN: u32 = u32::MAX - 1;

/// Counts of one or more data objects' rows.
#[derive(Debug, Default)]
pub struct Counts {
    texts: TextArena,
    /// (artist, song, level)
    songs: Tuples<3>,
    /// (level, gender, state)
    profiles: Tuples<3>,
    /// Of each play: pane, then the number of its tuple in `songs`.
    plays: Vec<u64>,
    /// Of each user's row: pane, user id in ascending order, then the number of its tuple in `profiles`.
    active: Vec<u128>,
    scratch: [ColumnIds; 5],
}

impl Counts {
    /// Adds rows of a batch or of a data object read back.
    ///
    /// # Errors
    /// Columns shorter than `rows`, keys that a dictionary does not know, or times that no pane has.
    pub fn add_activity(&mut self, activity: &Activity<'_>, rows: Range<usize>) -> Result<(), EncodeError> {
        let Self { texts, songs, profiles, plays, active, scratch: [level, gender, state, artist, song] } =
            self;
        let ts = activity.ts.get(rows.clone()).ok_or(EncodeError::Batch { column: "ts" })?;
        let known = activity.user_id.values.len().min(activity.user_id.validity.rows());
        if known < rows.end {
            return Err(EncodeError::Batch { column: "user_id" });
        }
        level.resolve(activity.level, &rows, "level", texts)?;
        gender.resolve(activity.gender, &rows, "gender", texts)?;
        state.resolve(activity.state, &rows, "state", texts)?;
        if let Some((artists, titles)) = activity.song {
            artist.resolve(artists, &rows, "artist", texts)?;
            song.resolve(titles, &rows, "song", texts)?;
            plays.reserve(rows.len());
            let names = artist.rows.iter().zip(&song.rows).zip(&level.rows);
            for (&ts, ((&artist, &song), &level)) in ts.iter().zip(names) {
                // Most songs are listened to at two levels, whose ids are mostly next to each other.
                let place = 2 * song as usize + (level & 1) as usize;
                let number = songs.number([artist, song, level], place.min(2 * texts.len()));
                plays.push(u64::from(pane(ts)?) << 32 | u64::from(number));
            }
        }
        active.reserve(rows.len());
        let groups = level.rows.iter().zip(&gender.rows).zip(&state.rows);
        for ((row, &ts), ((&level, &gender), &state)) in rows.zip(ts).zip(groups) {
            if let Some(user) = activity.user_id.get(row) {
                let profile = profiles.profile_number([level, gender, state]);
                active.push(
                    u128::from(pane(ts)?) << 96 | u128::from(ascending(user)) << 32 | u128::from(profile),
                );
            }
        }
        Ok(())
    }

    /// The counts as sorted tables.
    pub fn into_tables(self) -> CountTables {
        let Self { texts, songs, profiles, mut plays, mut active, .. } = self;
        let ranks = Ranks::of(&texts);
        let (songs, profiles) = (ranked(&songs, &ranks), ranked(&profiles, &ranks));
        for play in &mut plays {
            *play = *play & !u64::from(u32::MAX) | u64::from(songs.rank(*play as u32));
        }
        radix::sort(&mut plays);
        for user in &mut active {
            *user = *user & !u128::from(u32::MAX) | u128::from(profiles.rank(*user as u32));
        }
        radix::sort(&mut active);
        active.dedup();
        let song = |same: &[u64]| {
            let key = same.first().copied().unwrap_or_default();
            let [artist, song, level] = songs.tuple(key as u32);
            [(key >> 32) as i64 * PANE_MS, artist, song, level, same.len() as i64]
        };
        let user = |key: &u128| {
            let [level, gender, state] = profiles.tuple(*key as u32);
            [(key >> 96) as i64 * PANE_MS, descended((key >> 32) as u64), level, gender, state]
        };
        let songs: Vec<Row> = plays.chunk_by(|a, b| a == b).map(song).collect();
        let users: Vec<Row> = active.iter().map(user).collect();
        CountTables { texts, ranks, songs, users }
    }
}

/// The minute since 1970 that `ts` falls into.
fn pane(ts: i64) -> Result<u32, EncodeError> {
    // What is decoded lies in the years 1970 to 9999, which are fewer minutes than 2^32.
    u32::try_from(ts.div_euclid(PANE_MS)).map_err(|_| EncodeError::Batch { column: "ts" })
}

/// A number that sorts among unsigned ones as `value` does among signed ones.
fn ascending(value: i64) -> u64 {
    value as u64 ^ 1 << 63
}

fn descended(value: u64) -> i64 {
    (value ^ 1 << 63) as i64
}

/// The tuples in order of their texts.
fn ranked<const N: usize>(tuples: &Tuples<N>, ranks: &Ranks) -> RankedTuples<N> {
    const { assert!(N < 4, "ranks and number fill 128 bits") };
    let packed = |(tuple, number): (&[u32; N], u32)| {
        let ids = tuple.iter().fold(0, |key, id| key << 32 | u128::from(ranks.rank(*id)));
        ids << 32 | u128::from(number)
    };
    let mut ordered: Vec<u128> = tuples.all().iter().zip(0..).map(packed).collect();
    radix::sort(&mut ordered);
    let mut by_number = vec![0; ordered.len()];
    for (rank, key) in (0_u32..).zip(&ordered) {
        if let Some(slot) = by_number.get_mut(*key as u32 as usize) {
            *slot = rank;
        }
    }
    let unpacked = |key: u128| std::array::from_fn(|at| (key >> (32 * (N - at))) as u32);
    RankedTuples { by_number, by_rank: ordered.into_iter().map(unpacked).collect() }
}

struct RankedTuples<const N: usize> {
    by_number: Vec<u32>,
    /// The texts' ranks.
    by_rank: Vec<[u32; N]>,
}

impl<const N: usize> RankedTuples<N> {
    fn rank(&self, number: u32) -> u32 {
        self.by_number.get(number as usize).copied().unwrap_or_default()
    }

    fn tuple(&self, rank: u32) -> [i64; N] {
        self.by_rank.get(rank as usize).copied().unwrap_or([0; N]).map(i64::from)
    }
}

/// Ids of a column's dictionary keys. A dictionary only grows, so the ids hold from batch to batch.
#[derive(Debug, Default)]
struct ColumnIds {
    dictionary: Option<Arc<Dictionary>>,
    by_key: Vec<u32>,
    /// Ids of the rows being added.
    rows: Vec<u32>,
}

impl ColumnIds {
    fn resolve(
        &mut self,
        column: &TextColumn,
        rows: &Range<usize>,
        name: &'static str,
        texts: &mut TextArena,
    ) -> Result<(), EncodeError> {
        if !self.dictionary.as_ref().is_some_and(|known| Arc::ptr_eq(known, &column.dictionary)) {
            self.dictionary = Some(Arc::clone(&column.dictionary));
            self.by_key.clear();
        }
        let values = column.dictionary.read();
        self.by_key.resize(values.len(), UNSEEN);
        self.rows.clear();
        for &key in column.keys.get(rows.clone()).ok_or(EncodeError::Batch { column: name })? {
            if key == NULL_KEY {
                self.rows.push(NULL_KEY);
                continue;
            }
            let unknown = EncodeError::Key { column: name, key };
            let Some(id) = self.by_key.get_mut(key as usize) else { return Err(unknown) };
            if *id == UNSEEN {
                *id = texts.intern(values.get(key).ok_or(unknown)?).0;
            }
            self.rows.push(*id);
        }
        Ok(())
    }
}

/// The eight bytes of a text from `8 * word` on as a number that sorts as they do; what is missing is zeros.
fn word_of(text: Option<&str>, word: usize) -> u64 {
    let mut bytes = [0; 8];
    let rest = text.and_then(|text| text.as_bytes().get(8 * word..)).unwrap_or_default();
    bytes.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    u64::from_be_bytes(bytes)
}

/// So few texts that begin alike are compared as wholes: they are near by then.
const FEW: usize = 16;

/// Texts that are alike in so many words are compared as wholes: some go on alike for long, and where one is the other with
/// zeros behind it, no word tells them apart.
const MAX_WORDS: usize = 8;

/// Sorts ids by their texts, which are alike before word `word`; beside each id there is room for that word. A number is
/// compared sooner than a text, and lies next to the others: of each text the memory is waited for once a word.
fn sort_by_text(ids: &mut [(u64, u32)], word: usize, texts: &TextArena) {
    for (bytes, id) in &mut *ids {
        *bytes = word_of(texts.get(*id), word);
    }
    ids.sort_unstable_by_key(|&(bytes, _)| bytes);
    for alike in ids.chunk_by_mut(|a, b| a.0 == b.0) {
        if alike.len() <= FEW || word + 1 == MAX_WORDS {
            alike.sort_unstable_by_key(|&(_, id)| texts.get(id));
        } else {
            sort_by_text(alike, word + 1, texts);
        }
    }
}

/// Text ids in order of their text: rank 0 is null, which sorts first.
#[derive(Debug)]
pub(super) struct Ranks {
    by_id: Vec<u32>,
    by_rank: Vec<u32>,
}

impl Ranks {
    pub(super) fn of(texts: &TextArena) -> Self {
        let mut ordered: Vec<(u64, u32)> = (0..texts.len() as u32).map(|id| (0, id)).collect();
        sort_by_text(&mut ordered, 0, texts);
        let by_rank: Vec<u32> = ordered.into_iter().map(|(_, id)| id).collect();
        let mut by_id = vec![0; by_rank.len()];
        for (rank, id) in (1_u32..).zip(&by_rank) {
            if let Some(slot) = by_id.get_mut(*id as usize) {
                *slot = rank;
            }
        }
        Self { by_id, by_rank }
    }

    fn rank(&self, id: u32) -> u32 {
        self.by_id.get(id as usize).copied().unwrap_or(0)
    }

    /// The id of the text with this rank.
    pub(super) fn id(&self, rank: i64) -> u32 {
        let index = usize::try_from(rank - 1).ok();
        index.and_then(|index| self.by_rank.get(index)).copied().unwrap_or(NULL_KEY)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranks_are_the_order_of_texts(
            texts in prop::collection::vec(("(Song number |The )?", 0..20_usize, "[a\u{0}é]{0,10}"), 0..300),
            zeros in prop::collection::vec(0..100_usize, 0..60),
        ) {
            let mut arena = TextArena::default();
            for length in zeros {
                arena.intern(&"\u{0}".repeat(length));
            }
            for (start, length, end) in &texts {
                arena.intern(&format!("{start}{}{end}", "long ".repeat(*length)));
            }
            let ranks = Ranks::of(&arena);
            let by_rank: Vec<Option<&str>> = (1..=arena.len() as i64).map(|rank| arena.get(ranks.id(rank))).collect();
            prop_assert!(by_rank.is_sorted_by(|a, b| a < b), "{by_rank:?}");
            prop_assert!((0..arena.len() as u32).all(|id| ranks.id(i64::from(ranks.rank(id))) == id));
        }
    }
}
