//! Event tables: segments to one object for each event hour.

use super::compress::PageCompressor;
use super::error::EncodeError;
use super::file::{ChunkStats, FileBuilder};
use super::hours::{HourGroup, Run, split_runs};
use super::page::{ColumnBuffers, Levels};
use super::schema::{ColumnSpec, Table};
use super::text::{KeyRemap, UnknownKey};
use super::{EncodedObject, ROW_GROUP_ROWS, RangeMeta};
use crate::lake::Segment;
use crate::schemas::field::EventKind;
use crate::schemas::{Column, EventBatch, FieldType, TextColumn, Validity};

/// Milliseconds of the years 1970 to 9999.
const TIMES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999;

/// The time that a Kafka timestamp tells: -1 says that the broker gave none. A producer may have set one that is no time
/// (microseconds, say), and readers that know no such year (BigQuery) could not read the whole object.
pub fn told_time(timestamp: i64) -> Option<i64> {
    Some(timestamp).filter(|ms| TIMES.contains(ms))
}

/// Costs least CPU; higher levels save few bytes on dictionary indices.
const FASTEST_ZSTD_LEVEL: i32 = 1;

/// Encodes objects, one after another; its buffers are kept between them.
pub struct Encoder {
    pub(super) compressor: PageCompressor,
    pub(super) column: ColumnEncoder,
}

/// The buffers of one column of one row group.
#[derive(Debug, Default)]
pub(super) struct ColumnEncoder {
    pub buffers: ColumnBuffers,
    pub remap: KeyRemap,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder with empty buffers, at the zstd level that costs least.
    ///
    /// # Errors
    /// zstd cannot make a context (out of memory).
    pub fn new() -> Result<Self, EncodeError> {
        Self::with_level(FASTEST_ZSTD_LEVEL)
    }

    /// An encoder with empty buffers; `level` is zstd's, 1 to 19.
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn with_level(level: i32) -> Result<Self, EncodeError> {
        Ok(Self { compressor: PageCompressor::new(level)?, column: ColumnEncoder::default() })
    }

    /// The rows of one event hour as an object called `name`. `segments` are those that `group` was made of.
    ///
    /// # Errors
    /// A batch that does not fit its event type's schema, or text too large for the format.
    pub fn encode_hour(
        &mut self,
        group: &HourGroup,
        segments: &[Segment],
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        let kind = kind_of(segments)?;
        let columns = Table::Events(kind).columns();
        let rows = group.runs.iter().map(Run::len).sum();
        let mut file = FileBuilder::new(&columns, &mut self.compressor, rows);
        for runs in split_runs(&group.runs, ROW_GROUP_ROWS) {
            let rows = RowSet::new(&runs, segments)?;
            for (index, spec) in columns.iter().enumerate() {
                self.column.begin(&mut file, *spec);
                match kind.fields().get(index) {
                    Some(field) => self.column.field(&mut file, &rows, index, spec.name, field.kind)?,
                    None => self.column.kafka_or_extra(&mut file, &rows, spec.name, meta)?,
                }
            }
            file.end_row_group(rows.len);
        }
        file.finish(name, meta)
    }

    /// An object of `table` without rows: what a decided name gets when retention took all its records.
    ///
    /// # Errors
    /// Only if writing the footer fails.
    pub fn encode_empty(
        &mut self,
        table: Table,
        name: String,
        meta: &RangeMeta,
    ) -> Result<EncodedObject, EncodeError> {
        FileBuilder::new(&table.columns(), &mut self.compressor, 0).finish(name, meta)
    }
}

fn kind_of(segments: &[Segment]) -> Result<EventKind, EncodeError> {
    let mut kinds = segments.iter().map(|segment| segment.batch.source.kind);
    let kind = kinds.next().ok_or(EncodeError::Batch { column: "ts" })?;
    match kinds.all(|other| other == kind) {
        true => Ok(kind),
        false => Err(EncodeError::Batch { column: "ts" }),
    }
}

/// The rows of one row group, across batches.
struct RowSet<'a> {
    parts: Vec<(&'a EventBatch, std::ops::Range<usize>)>,
    len: usize,
}

impl<'a> RowSet<'a> {
    fn new(runs: &[Run], segments: &'a [Segment]) -> Result<Self, EncodeError> {
        let part = |run: &Run| {
            let segment = segments.get(run.segment as usize)?;
            Some((&*segment.batch, run.range()))
        };
        let parts: Option<Vec<_>> = runs.iter().map(part).collect();
        let parts = parts.ok_or(EncodeError::Batch { column: "ts" })?;
        Ok(Self { parts, len: runs.iter().map(Run::len).sum() })
    }

    /// Part by part, the slice of a column that `of` picks from a batch.
    fn slices<T: 'a>(
        &self,
        name: &'static str,
        of: impl Fn(&'a EventBatch) -> Option<&'a [T]>,
    ) -> impl Iterator<Item = Result<&'a [T], EncodeError>> {
        self.parts.iter().map(move |(batch, rows)| {
            of(batch).and_then(|values| values.get(rows.clone())).ok_or(EncodeError::Batch { column: name })
        })
    }
}

impl ColumnEncoder {
    pub(super) fn begin(&mut self, file: &mut FileBuilder<'_>, spec: ColumnSpec) {
        self.buffers.clear();
        self.remap.begin_column();
        file.begin_chunk(spec);
    }

    fn field(
        &mut self,
        file: &mut FileBuilder<'_>,
        rows: &RowSet<'_>,
        index: usize,
        name: &'static str,
        kind: FieldType,
    ) -> Result<(), EncodeError> {
        match kind {
            FieldType::Text => {
                self.gather_text(rows, index, name)?;
                self.buffers.write_texts(file)
            }
            FieldType::Int64 | FieldType::TimestampMs => {
                self.gather_fixed(rows, index, name)?;
                self.write_i64(file)
            }
            FieldType::Float64 => {
                self.gather_fixed(rows, index, name)?;
                self.write_f64(file)
            }
            FieldType::Bool => {
                self.gather_fixed(rows, index, name)?;
                self.buffers.write_bools(file)
            }
        }
    }

    fn gather_text(
        &mut self,
        rows: &RowSet<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), EncodeError> {
        let mismatch = EncodeError::Batch { column: name };
        let columns = rows.parts.iter().map(|(batch, range)| text_column(batch, index, range));
        let columns: Option<Vec<(&TextColumn, &[u32])>> = columns.collect();
        let columns = columns.ok_or(mismatch)?;
        let shared = |a: &TextColumn, b: &TextColumn| std::sync::Arc::ptr_eq(&a.dictionary, &b.dictionary);
        let mut groups = columns.chunk_by(|a, b| shared(a.0, b.0)).peekable();
        let mut merge = false;
        while let Some(group) = groups.next() {
            merge |= groups.peek().is_some();
            let Some((first, _)) = group.first() else { continue };
            let texts = first.dictionary.read();
            self.remap.begin_dictionary(texts.len());
            for (_, keys) in group {
                let done = self.remap.append(&mut self.buffers, keys, merge, |key| texts.get(key));
                done.map_err(|UnknownKey(key)| EncodeError::Key { column: name, key })?;
            }
        }
        Ok(())
    }

    fn gather_fixed(
        &mut self,
        rows: &RowSet<'_>,
        index: usize,
        name: &'static str,
    ) -> Result<(), EncodeError> {
        let ColumnBuffers { levels, words, bools, .. } = &mut self.buffers;
        for (batch, range) in &rows.parts {
            let found = match batch.columns.get(index) {
                Some(Column::Int64(column)) => {
                    push_present(&column.values, &column.validity, range, i64::cast_unsigned, levels, words)
                }
                Some(Column::Float64(column)) => {
                    push_present(&column.values, &column.validity, range, f64::to_bits, levels, words)
                }
                Some(Column::Bool(column)) => {
                    push_present(&column.values, &column.validity, range, |value| value, levels, bools)
                }
                _ => None,
            };
            found.ok_or(EncodeError::Batch { column: name })?;
        }
        Ok(())
    }

    fn kafka_or_extra(
        &mut self,
        file: &mut FileBuilder<'_>,
        rows: &RowSet<'_>,
        name: &'static str,
        meta: &RangeMeta,
    ) -> Result<(), EncodeError> {
        match name {
            "kafka_epoch" => self.buffers.write_constant_i32(file, meta.epoch.cast_signed(), rows.len),
            "kafka_partition" => self.buffers.write_constant_i32(file, meta.partition, rows.len),
            "kafka_offset" => {
                for offsets in rows.slices(name, |batch| Some(&batch.offsets)) {
                    self.push_words(offsets?);
                }
                self.write_i64(file)
            }
            "kafka_timestamp" => {
                for timestamps in rows.slices(name, |batch| Some(&batch.timestamps)) {
                    timestamps?.iter().for_each(|timestamp| self.push_timestamp(*timestamp));
                }
                self.write_i64(file)
            }
            _ => {
                rows.parts.iter().for_each(|(batch, range)| self.gather_extra(batch, range));
                self.buffers.write_texts(file)
            }
        }
    }

    fn gather_extra(&mut self, batch: &EventBatch, range: &std::ops::Range<usize>) {
        let values = &batch.extra.values;
        let from = values.partition_point(|(row, _)| (*row as usize) < range.start);
        let mut next = range.start;
        for (row, text) in values.iter().skip(from).take_while(|(row, _)| (*row as usize) < range.end) {
            let row = *row as usize;
            self.buffers.levels.push_nulls(row.saturating_sub(next));
            self.push_text(Some(text.as_bytes()));
            next = row + 1;
        }
        self.buffers.levels.push_nulls(range.end.saturating_sub(next));
    }

    /// Appends text that is not expected to repeat.
    pub(super) fn push_text(&mut self, text: Option<&[u8]>) {
        self.buffers.levels.push(text.is_some());
        if let Some(text) = text {
            let index = self.buffers.texts.push(text);
            self.buffers.indices.push(index);
        }
    }

    /// Appends integers, none of them null.
    pub(super) fn push_words(&mut self, values: &[i64]) {
        self.buffers.levels.push_valid(values.len());
        self.buffers.words.extend(values.iter().map(|value| value.cast_unsigned()));
    }

    /// Appends a Kafka timestamp, null where it tells no time.
    pub(super) fn push_timestamp(&mut self, timestamp: i64) {
        self.push_word(told_time(timestamp));
    }

    /// Appends one integer.
    pub(super) fn push_word(&mut self, value: Option<i64>) {
        self.buffers.levels.push(value.is_some());
        self.buffers.words.extend(value.map(i64::cast_unsigned));
    }

    /// Writes the gathered column of 64-bit integers.
    pub(super) fn write_i64(&mut self, file: &mut FileBuilder<'_>) -> Result<(), EncodeError> {
        let values = self.buffers.words.iter().map(|word| word.cast_signed());
        let (min, max) =
            values.fold((i64::MAX, i64::MIN), |(min, max), value| (min.min(value), max.max(value)));
        let bound = |value: i64| (min <= max).then(|| value.to_le_bytes().to_vec());
        let stats = ChunkStats { nulls: self.buffers.levels.nulls(), min: bound(min), max: bound(max) };
        self.buffers.write_words(file, stats)
    }

    fn write_f64(&mut self, file: &mut FileBuilder<'_>) -> Result<(), EncodeError> {
        let values = || self.buffers.words.iter().map(|word| f64::from_bits(*word));
        let mut stats = ChunkStats { nulls: self.buffers.levels.nulls(), min: None, max: None };
        let usable = !self.buffers.words.is_empty() && !values().any(f64::is_nan);
        if usable {
            // Both zeros are equal, yet either may be met: the format wants the bound that covers both.
            let min = values().fold(f64::INFINITY, f64::min);
            let max = values().fold(f64::NEG_INFINITY, f64::max);
            let (min, max) = (if min == 0.0 { -0.0 } else { min }, if max == 0.0 { 0.0 } else { max });
            (stats.min, stats.max) = (Some(min.to_le_bytes().to_vec()), Some(max.to_le_bytes().to_vec()));
        }
        self.buffers.write_words(file, stats)
    }
}

fn text_column<'a>(
    batch: &'a EventBatch,
    index: usize,
    rows: &std::ops::Range<usize>,
) -> Option<(&'a TextColumn, &'a [u32])> {
    match batch.columns.get(index) {
        Some(Column::Text(column)) => Some((column, column.keys.get(rows.clone())?)),
        _ => None,
    }
}

/// Appends the rows `rows` of a column, leaving out the values of null rows; none if the column is too short.
fn push_present<T: Copy, U>(
    values: &[T],
    validity: &Validity,
    rows: &std::ops::Range<usize>,
    convert: impl Fn(T) -> U,
    levels: &mut Levels,
    to: &mut Vec<U>,
) -> Option<()> {
    let values = values.get(rows.clone()).filter(|_| rows.end <= validity.rows())?;
    if validity.nulls() == 0 {
        levels.push_valid(values.len());
        to.extend(values.iter().map(|value| convert(*value)));
        return Some(());
    }
    for (row, value) in rows.clone().zip(values) {
        let valid = validity.is_valid(row);
        levels.push(valid);
        if valid {
            to.push(convert(*value));
        }
    }
    Some(())
}
