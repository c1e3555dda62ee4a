//! The columnar batch: what a partition consumer sends to the aggregator and to the uploader.

use std::ops::Range;
use std::sync::Arc;

use super::column::{Column, Int64Column, PlainTextColumn, TextColumn};
use super::field::EventKind;

/// Where records come from: one partition of one topic in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Kafka topic.
    pub topic: Arc<str>,
    /// The event type (and so the lake table) that the topic carries.
    pub kind: EventKind,
    /// The topic's epoch: 1, and one more each time that the topic was created anew.
    pub epoch: u32,
    /// Kafka partition.
    pub partition: i32,
}

/// A record that does not decode, kept as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Kafka offset.
    pub offset: i64,
    /// Kafka timestamp, milliseconds since 1970 UTC (-1 where the broker gave none).
    pub timestamp: i64,
    /// Record key, if there is one.
    pub key: Option<Vec<u8>>,
    /// Record value; none for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Record headers in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Why, as a short label of a bounded set (`json`, `not_object`, `missing_ts`, `type`, `tombstone`, …).
    pub reason: &'static str,
    /// Why, in words, naming the field.
    pub detail: String,
    /// The record's raw hash, see [`EventBatch::hashes`].
    pub hash: u64,
}

impl Rejected {
    /// Bytes of memory held besides the struct itself.
    fn heap_bytes(&self) -> usize {
        let capacity = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::capacity);
        let headers: usize = self.headers.iter().map(|(name, value)| name.capacity() + capacity(value)).sum();
        capacity(&self.key)
            + capacity(&self.value)
            + self.headers.capacity() * size_of::<(String, Option<Vec<u8>>)>()
            + headers
            + self.detail.capacity()
    }
}

/// Decoded records of one partition's offset range `[start, end)`, column by column, in offset order.
#[derive(Debug)]
pub struct EventBatch {
    /// Partition the records come from.
    pub source: Arc<Source>,
    /// First offset of the range (the consumer's position before).
    pub start: i64,
    /// End of the range, exclusive (the consumer's position after; may pass the last record by holes).
    pub end: i64,
    /// Kafka offset of each row, ascending.
    pub offsets: Vec<i64>,
    /// Kafka timestamp of each row, milliseconds since 1970 UTC; -1 where the broker gave none.
    pub timestamps: Vec<i64>,
    /// Hash of each row's raw record; the wrapping sum over a range is the range's checksum, independent of
    /// schema, encoding and of how the range was cut into batches.
    pub hashes: Vec<u64>,
    /// One column for each of [`EventKind::fields`], in that order.
    pub columns: Vec<Column>,
    /// JSON text of the members that the schema does not know.
    pub extra: PlainTextColumn,
    /// Records that do not decode, in offset order.
    pub rejected: Vec<Rejected>,
    /// Bytes of the texts that were new in this batch: the columns' dictionaries hold them at least as long as it is there.
    pub new_text_bytes: usize,
}

impl EventBatch {
    /// Decoded rows.
    pub fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Bytes of memory that the batch holds, its new texts included; what its dictionaries held before, apart.
    pub fn heap_bytes(&self) -> usize {
        let words = self.offsets.capacity() + self.timestamps.capacity() + self.hashes.capacity();
        let columns: usize = self.columns.iter().map(Column::heap_bytes).sum();
        let rejected: usize = self.rejected.iter().map(Rejected::heap_bytes).sum();
        words * size_of::<u64>()
            + self.columns.capacity() * size_of::<Column>()
            + columns
            + self.extra.heap_bytes()
            + self.rejected.capacity() * size_of::<Rejected>()
            + rejected
            + self.new_text_bytes
    }

    /// The rows whose offset is in `[start, end)`.
    pub fn rows_between(&self, start: i64, end: i64) -> Range<usize> {
        let from = self.offsets.partition_point(|&offset| offset < start);
        let to = self.offsets.partition_point(|&offset| offset < end);
        from..to.max(from)
    }

    /// The rejected records whose offset is in `[start, end)`.
    pub fn rejected_between(&self, start: i64, end: i64) -> Range<usize> {
        let from = self.rejected.partition_point(|record| record.offset < start);
        let to = self.rejected.partition_point(|record| record.offset < end);
        from..to.max(from)
    }

    /// The text column called `name`; none where the kind has no such field.
    pub fn text(&self, name: &str) -> Option<&TextColumn> {
        match self.columns.get(self.source.kind.index_of(name)?)? {
            Column::Text(column) => Some(column),
            _ => None,
        }
    }

    /// The integer or timestamp column called `name`; none where the kind has no such field.
    pub fn int64(&self, name: &str) -> Option<&Int64Column> {
        match self.columns.get(self.source.kind.index_of(name)?)? {
            Column::Int64(column) => Some(column),
            _ => None,
        }
    }
}

/// The few columns that charts and count tables are made of, borrowed from a batch or read back from the lake.
///
/// Rows are in offset order; all slices have the same length. `ts` is never null: a record without it is rejected.
#[derive(Debug, Clone, Copy)]
pub struct Activity<'a> {
    /// Kafka offsets.
    pub offsets: &'a [i64],
    /// Kafka timestamps, ms; -1 where there is none.
    pub timestamps: &'a [i64],
    /// Event time, ms since 1970 UTC.
    pub ts: &'a [i64],
    /// Who; null for guests and logged-out visitors.
    pub user_id: &'a Int64Column,
    /// `free` or `paid`.
    pub level: &'a TextColumn,
    /// `M`, `F` or whatever else arrives.
    pub gender: &'a TextColumn,
    /// US state, two letters.
    pub state: &'a TextColumn,
    /// Artist and song: present for listens only.
    pub song: Option<(&'a TextColumn, &'a TextColumn)>,
}

impl EventBatch {
    /// The activity columns; none only if the batch was built against its schema.
    pub fn activity(&self) -> Option<Activity<'_>> {
        let song = match self.source.kind {
            EventKind::Listen => Some((self.text("artist")?, self.text("song")?)),
            _ => None,
        };
        Some(Activity {
            offsets: &self.offsets,
            timestamps: &self.timestamps,
            ts: &self.int64("ts")?.values,
            user_id: self.int64("user_id")?,
            level: self.text("level")?,
            gender: self.text("gender")?,
            state: self.text("state")?,
            song,
        })
    }
}

/// [`Activity`] read back from the lake: same columns, owned.
#[derive(Debug)]
pub struct OwnedActivity {
    /// Kafka offsets, ascending.
    pub offsets: Vec<i64>,
    /// Kafka timestamps, ms.
    pub timestamps: Vec<i64>,
    /// Event time, ms.
    pub ts: Vec<i64>,
    /// Who.
    pub user_id: Int64Column,
    /// Level.
    pub level: TextColumn,
    /// Gender.
    pub gender: TextColumn,
    /// State.
    pub state: TextColumn,
    /// Artist and song, for listens only.
    pub song: Option<(TextColumn, TextColumn)>,
}

impl OwnedActivity {
    /// Borrowed form.
    pub fn view(&self) -> Activity<'_> {
        Activity {
            offsets: &self.offsets,
            timestamps: &self.timestamps,
            ts: &self.ts,
            user_id: &self.user_id,
            level: &self.level,
            gender: &self.gender,
            state: &self.state,
            song: self.song.as_ref().map(|(artist, song)| (artist, song)),
        }
    }
}
