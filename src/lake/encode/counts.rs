//! The count tables: plays by song and minute, and who was active when, as deltas of one offset range.

use super::arena::TextArena;
use super::data::{ColumnEncoder, Encoder};
use super::error::EncodeError;
use super::file::FileBuilder;
use super::hours::{DAY_MS, utc_date};
use super::schema::Table;
use super::tally::Ranks;
use super::{EncodedObject, ROW_GROUP_ROWS, RangeMeta};

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

/// Rows as columns of numbers, the pane first and text by rank, so that sorting compares no text.
pub(super) type Row = [i64; 5];

/// The rows of both count tables in file order.
#[derive(Debug)]
pub struct CountTables {
    pub(super) texts: TextArena,
    pub(super) ranks: Ranks,
    pub(super) songs: Vec<Row>,
    pub(super) users: Vec<Row>,
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

/// The UTC date of a row's pane.
fn date_of(row: &Row) -> String {
    utc_date(row[0])
}

fn dates(rows: &[Row]) -> Vec<String> {
    let day = |row: &Row| row[0].div_euclid(DAY_MS);
    rows.chunk_by(|a, b| day(a) == day(b)).filter_map(|rows| rows.first().map(date_of)).collect()
}

/// The rows of one date, found by halving: in a back-fill there are hundreds of dates.
fn on_date<'a>(rows: &'a [Row], date: &str) -> &'a [Row] {
    let start = rows.partition_point(|row| date_of(row).as_str() < date);
    let rows = rows.get(start..).unwrap_or_default();
    rows.get(..rows.partition_point(|row| date_of(row) == date)).unwrap_or_default()
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
        let mut file = FileBuilder::new(&columns, &mut self.compressor, rows.len());
        let mut values: Vec<i64> = Vec::with_capacity(rows.len().min(ROW_GROUP_ROWS));
        for group in rows.chunks(ROW_GROUP_ROWS) {
            for (index, spec) in columns.iter().enumerate() {
                self.column.begin(&mut file, *spec);
                values.clear();
                values.extend(group.iter().filter_map(|row| row.get(index).copied()));
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
