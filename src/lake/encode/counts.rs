//! The count tables: plays by song and minute, and who was active when, as deltas of one offset range.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::arena::TextArena;
use super::data::{ColumnEncoder, Encoder};
use super::error::EncodeError;
use super::file::FileBuilder;
use super::hours::utc_date;
use super::schema::Table;
use super::{EncodedObject, ROW_GROUP_ROWS, RangeMeta};
use crate::schemas::batch::Activity;
use crate::schemas::column::NULL_KEY;
use crate::schemas::{Dictionary, TextColumn};

/// Length of a pane, milliseconds.
const PANE_MS: i64 = 60_000;

const MS_PER_DAY: i64 = 86_400_000;

/// Text ids are given out from 0 up, so this one is never reached.
const UNSEEN: u32 = u32::MAX - 1;

/// One row of `song_counts`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SongCount {
    /// Start of the one-minute pane, ms since 1970 UTC.
    pub pane_start: i64,
    /// Artist, null where the event named none.
    pub artist: Option<String>,
    /// Song, null where the event named none.
    pub song: Option<String>,
    /// Plan of the listener.
    pub level: Option<String>,
    /// Plays in that minute.
    pub plays: i64,
}

/// One row of `user_activity`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserActive {
    /// Start of the one-minute pane, ms since 1970 UTC.
    pub pane_start: i64,
    /// Who.
    pub user_id: i64,
    /// Plan of the listener.
    pub level: Option<String>,
    /// Gender.
    pub gender: Option<String>,
    /// US state.
    pub state: Option<String>,
}

/// `(pane start, artist, song, level)`, text as ids.
type SongKey = (i64, u32, u32, u32);
/// `(pane start, user id, level, gender, state)`, text as ids.
type UserKey = (i64, i64, u32, u32, u32);

/// Counts of one or more data objects' rows.
#[derive(Debug, Default)]
pub struct Counts {
    texts: TextArena,
    songs: HashMap<SongKey, i64, foldhash::fast::RandomState>,
    users: HashSet<UserKey, foldhash::fast::RandomState>,
    scratch: [ColumnIds; 5],
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

impl Counts {
    /// Adds rows of a batch or of a data object read back.
    ///
    /// # Errors
    /// Columns shorter than `rows`, or keys that a dictionary does not know.
    pub fn add_activity(&mut self, activity: &Activity<'_>, rows: Range<usize>) -> Result<(), EncodeError> {
        let Self { texts, songs, users, scratch: [level, gender, state, artist, song] } = self;
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
            let names = artist.rows.iter().zip(&song.rows).zip(&level.rows);
            for (&ts, ((&artist, &song), &level)) in ts.iter().zip(names) {
                *songs.entry((pane_start(ts), artist, song, level)).or_insert(0) += 1;
            }
        }
        let groups = level.rows.iter().zip(&gender.rows).zip(&state.rows);
        for ((row, &ts), ((&level, &gender), &state)) in rows.zip(ts).zip(groups) {
            if let Some(user) = activity.user_id.get(row) {
                users.insert((pane_start(ts), user, level, gender, state));
            }
        }
        Ok(())
    }

    /// Adds another range's counts.
    pub fn merge(&mut self, other: &Counts) {
        let texts = &mut self.texts;
        let ids: Vec<u32> = (0..other.texts.len() as u32)
            .map(|id| other.texts.get(id).map_or(NULL_KEY, |text| texts.intern(text).0))
            .collect();
        let own = |id: u32| ids.get(id as usize).copied().unwrap_or(NULL_KEY);
        for (&(pane, artist, song, level), plays) in &other.songs {
            *self.songs.entry((pane, own(artist), own(song), own(level))).or_insert(0) += plays;
        }
        let keys = other.users.iter();
        self.users.extend(keys.map(|&(pane, user, a, b, c)| (pane, user, own(a), own(b), own(c))));
    }

    /// The same counts as sorted tables. The hash tables, several times as large, are let go.
    pub fn into_tables(self) -> CountTables {
        let Self { texts, songs, users, .. } = self;
        let ranks = Ranks::of(&texts);
        let song = |((pane, artist, song, level), plays): (SongKey, i64)| {
            [pane, ranks.rank(artist), ranks.rank(song), ranks.rank(level), plays]
        };
        let user = |(pane, user, level, gender, state): UserKey| {
            [pane, user, ranks.rank(level), ranks.rank(gender), ranks.rank(state)]
        };
        let mut songs: Vec<_> = songs.into_iter().map(song).collect();
        songs.sort_unstable();
        let mut users: Vec<_> = users.into_iter().map(user).collect();
        users.sort_unstable();
        CountTables { texts, ranks, songs, users }
    }
}

/// Rows as columns of numbers, the pane first and text by rank, so that sorting compares no text.
type Row = [i64; 5];

/// The rows of both count tables in file order.
#[derive(Debug)]
pub struct CountTables {
    texts: TextArena,
    ranks: Ranks,
    songs: Vec<Row>,
    users: Vec<Row>,
}

impl CountTables {
    /// The UTC dates (`YYYY-MM-DD`) of the panes that hold plays, ascending.
    pub fn song_dates(&self) -> Vec<String> {
        dates(&self.songs)
    }

    /// The UTC dates of the panes in which a user was active, ascending.
    pub fn activity_dates(&self) -> Vec<String> {
        dates(&self.users)
    }

    /// The rows of `song_counts` on `date`, in file order.
    pub fn song_counts(&self, date: &str) -> Vec<SongCount> {
        let row = |key: &Row| SongCount {
            pane_start: key[0],
            artist: self.text(key[1]),
            song: self.text(key[2]),
            level: self.text(key[3]),
            plays: key[4],
        };
        on_date(&self.songs, date).iter().map(row).collect()
    }

    /// The rows of `user_activity` on `date`, in file order.
    pub fn user_activity(&self, date: &str) -> Vec<UserActive> {
        let row = |key: &Row| UserActive {
            pane_start: key[0],
            user_id: key[1],
            level: self.text(key[2]),
            gender: self.text(key[3]),
            state: self.text(key[4]),
        };
        on_date(&self.users, date).iter().map(row).collect()
    }

    fn text(&self, rank: i64) -> Option<String> {
        self.texts.get(self.ranks.id(rank)).map(str::to_owned)
    }
}

/// Text ids in order of their text: rank 0 is null, which sorts first.
#[derive(Debug)]
struct Ranks {
    by_id: Vec<i64>,
    by_rank: Vec<u32>,
}

impl Ranks {
    fn of(texts: &TextArena) -> Self {
        let mut by_rank: Vec<u32> = (0..texts.len() as u32).collect();
        by_rank.sort_unstable_by_key(|id| texts.get(*id));
        let mut by_id = vec![0; by_rank.len()];
        for (rank, id) in (1..).zip(&by_rank) {
            if let Some(slot) = by_id.get_mut(*id as usize) {
                *slot = rank;
            }
        }
        Self { by_id, by_rank }
    }

    fn rank(&self, id: u32) -> i64 {
        self.by_id.get(id as usize).copied().unwrap_or(0)
    }

    fn id(&self, rank: i64) -> u32 {
        let index = usize::try_from(rank - 1).ok();
        index.and_then(|index| self.by_rank.get(index)).copied().unwrap_or(NULL_KEY)
    }
}

/// The days, counted from 1970, whose panes `rows` hold.
fn days(rows: &[Row]) -> impl Iterator<Item = (i64, &[Row])> {
    let day = |row: &Row| row[0].div_euclid(MS_PER_DAY);
    rows.chunk_by(move |a, b| day(a) == day(b)).filter_map(move |rows| Some((day(rows.first()?), rows)))
}

fn date_of(day: i64) -> String {
    utc_date(day.saturating_mul(MS_PER_DAY))
}

fn dates(rows: &[Row]) -> Vec<String> {
    days(rows).map(|(day, _)| date_of(day)).collect()
}

fn on_date<'a>(rows: &'a [Row], date: &str) -> &'a [Row] {
    days(rows).find(|(day, _)| date_of(*day) == date).map_or(&[], |(_, rows)| rows)
}

fn pane_start(ts: i64) -> i64 {
    ts.saturating_sub(ts.rem_euclid(PANE_MS))
}

impl Encoder {
    /// The `song_counts` object of `date`; without rows where nothing was played then.
    ///
    /// # Errors
    /// Only if the format's limits are passed.
    pub fn encode_song_counts(
        &mut self,
        counts: &CountTables,
        date: &str,
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        self.encode_counts(Table::SongCounts, on_date(&counts.songs, date), counts, name, meta)
    }

    /// The `user_activity` object of `date`; without rows where no user was active then.
    ///
    /// # Errors
    /// Only if the format's limits are passed.
    pub fn encode_user_activity(
        &mut self,
        counts: &CountTables,
        date: &str,
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        self.encode_counts(Table::UserActivity, on_date(&counts.users, date), counts, name, meta)
    }

    fn encode_counts(
        &mut self,
        table: Table,
        rows: &[Row],
        counts: &CountTables,
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        let columns = table.columns();
        let mut file = FileBuilder::new(&columns, &mut self.compressor);
        for group in rows.chunks(ROW_GROUP_ROWS) {
            for (index, spec) in columns.iter().enumerate() {
                self.column.begin(&mut file, *spec);
                let values: Vec<i64> = group.iter().filter_map(|row| row.get(index).copied()).collect();
                if spec.kind == super::schema::ColumnType::Text {
                    self.column.ranked_texts(&values, counts, spec.name)?;
                    self.column.buffers.write_texts(&mut file)?;
                } else {
                    self.column.push_words(&values);
                    self.column.write_i64(&mut file)?;
                }
            }
            file.end_row_group(group.len());
        }
        file.finish(name, meta)
    }
}

impl ColumnEncoder {
    fn ranked_texts(
        &mut self,
        values: &[i64],
        counts: &CountTables,
        name: &'static str,
    ) -> Result<(), EncodeError> {
        let CountTables { texts, ranks, .. } = counts;
        let keys: Vec<u32> = values.iter().map(|rank| ranks.id(*rank)).collect();
        self.remap.begin_dictionary(texts.len());
        let done = self.remap.append(&mut self.buffers, &keys, false, |id| texts.get(id));
        done.map_err(|unknown| EncodeError::Key { column: name, key: unknown.0 })
    }
}
