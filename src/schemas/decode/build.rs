//! A row while it is being decoded, and the batch that rows are added to.

use std::sync::Arc;

use super::Interners;
use super::intern::{Keys, TextInterner};
use super::plan::{MAX_FIELDS, Plan};
use crate::schemas::batch::{EventBatch, Rejected, Source};
use crate::schemas::column::{
    BoolColumn, Column, Float64Column, Int64Column, NULL_KEY, PlainTextColumn, TextColumn, Validity,
};
use crate::schemas::dictionary::Dictionary;
use crate::schemas::field::FieldType;

/// One row's values by field index, apart from the columns until the whole record proves good.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    /// A bit for each field that has a value.
    present: u32,
    slots: [u64; MAX_FIELDS],
    offset: i64,
    timestamp: i64,
    hash: u64,
}

#[allow(clippy::indexing_slicing, reason = "the index is masked to the array's length")]
impl Row {
    /// Makes every field null.
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.present = 0;
    }

    /// Whether the field has a value.
    #[inline(always)]
    pub(super) fn has(&self, index: usize) -> bool {
        self.present >> (index & (MAX_FIELDS - 1)) & 1 == 1
    }

    /// The field's integer; none where null.
    #[inline(always)]
    pub(super) fn integer(&self, index: usize) -> Option<i64> {
        self.has(index).then(|| self.slots[index & (MAX_FIELDS - 1)] as i64)
    }

    /// The bits that were put for the field; without meaning where it has no value.
    #[inline(always)]
    pub(super) fn bits_of(&self, index: usize) -> u64 {
        self.slots[index & (MAX_FIELDS - 1)]
    }

    /// Whether one of the fields that the bits of `bit` stand for was met.
    #[inline(always)]
    pub(super) fn has_bit(&self, bit: u32) -> bool {
        self.present & bit != 0
    }

    /// Makes the fields that the bits of `bit` stand for ones that were met; their values are still to be put.
    #[inline(always)]
    pub(super) fn mark(&mut self, bit: u32) {
        self.present |= bit;
    }

    /// Puts the bits of a marked field's value.
    #[inline(always)]
    pub(super) fn put(&mut self, index: usize, bits: u64) {
        self.slots[index & (MAX_FIELDS - 1)] = bits;
    }

    /// Puts a marked field's text and sets, where repair changed it, the column `raw` of what arrived.
    #[inline(always)]
    pub(super) fn put_text(&mut self, index: usize, raw: Option<usize>, keys: Keys) {
        self.put(index, u64::from(keys.text));
        if keys.raw != NULL_KEY
            && let Some(raw) = raw
        {
            self.set(raw, u64::from(keys.raw));
        }
    }

    fn set(&mut self, index: usize, bits: u64) {
        self.mark(1 << (index & (MAX_FIELDS - 1)));
        self.put(index, bits);
    }

    pub(super) fn set_integer(&mut self, index: usize, value: i64) {
        self.set(index, value as u64);
    }

    pub(super) fn set_float(&mut self, index: usize, value: f64) {
        self.set(index, value.to_bits());
    }

    pub(super) fn set_bool(&mut self, index: usize, value: bool) {
        self.set(index, u64::from(value));
    }

    /// Sets a text and, where repair changed it, the column `raw` of what arrived.
    pub(super) fn set_text(&mut self, index: usize, raw: Option<usize>, keys: Keys) {
        self.mark(1 << (index & (MAX_FIELDS - 1)));
        self.put_text(index, raw, keys);
    }
}

/// A column being filled: a value for each row, also where the row's is null.
struct Filling<T> {
    /// Index of the field.
    index: usize,
    values: Vec<T>,
}

#[allow(clippy::indexing_slicing, reason = "the index is masked to the array's length")]
impl<T: Copy> Filling<T> {
    /// Appends each row's value, `null` where it has none.
    #[inline(always)]
    fn extend(&mut self, rows: &[Row], null: T, value: impl Fn(u64) -> T) {
        let index = self.index & (MAX_FIELDS - 1);
        let of = |row: &Row| if row.present >> index & 1 == 1 { value(row.slots[index]) } else { null };
        self.values.extend(rows.iter().map(of));
    }
}

/// Rows that wait to become columns: so few that they stay in the first-level cache.
const WAITING: usize = 32;

/// The rows decoded last. They go to the columns together: a column at a time then costs a row no more than to copy its
/// value.
#[derive(Debug)]
pub(super) struct Rows {
    rows: Vec<Row>,
    /// How many of them count.
    len: usize,
}

impl Default for Rows {
    fn default() -> Self {
        Self { rows: vec![Row::default(); WAITING], len: 0 }
    }
}

#[allow(clippy::indexing_slicing, reason = "the index is masked to the array's length")]
impl Rows {
    /// The row after the last one, as it was left. It counts once [`Builder::push`] took it.
    #[inline(always)]
    pub(super) fn next(&mut self) -> &mut Row {
        &mut self.rows[self.len & (WAITING - 1)]
    }

    /// Drops all rows.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    fn waiting(&self) -> &[Row] {
        self.rows.get(..self.len).unwrap_or_default()
    }
}

/// One [`Filling`] for each field of the kinds that `of` names.
fn fillings<T>(plan: &Plan, of: &[FieldType], rows: usize) -> Vec<Filling<T>> {
    let fields = plan.fields.iter().enumerate().filter(|(_, field)| of.contains(&field.kind));
    fields.map(|(index, _)| Filling { index, values: Vec::with_capacity(rows) }).collect()
}

/// A batch being filled. Columns are kept by type, and which rows are null by row, so that adding rows is a few short
/// loops without a branch on what a column is.
#[derive(Default)]
pub(super) struct Builder {
    start: i64,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    hashes: Vec<u64>,
    /// [`Row::present`] of each row.
    present: Vec<u32>,
    texts: Vec<Filling<u32>>,
    /// One for each of `texts`.
    dictionaries: Vec<Arc<Dictionary>>,
    /// Bytes of their texts when the batch began.
    text_bytes: usize,
    integers: Vec<Filling<i64>>,
    floats: Vec<Filling<f64>>,
    bools: Vec<Filling<bool>>,
    extra: PlainTextColumn,
    rejected: Vec<Rejected>,
}

impl Builder {
    /// An empty batch from offset `start` with room for `rows` rows.
    pub(super) fn new(plan: &Plan, interners: &Interners, start: i64, rows: usize) -> Self {
        let texts: Vec<Filling<u32>> = fillings(plan, &[FieldType::Text], rows);
        let dictionaries: Vec<_> = texts.iter().map(|text| dictionary(plan, interners, text.index)).collect();
        Self {
            start,
            offsets: Vec::with_capacity(rows),
            timestamps: Vec::with_capacity(rows),
            hashes: Vec::with_capacity(rows),
            present: Vec::with_capacity(rows),
            texts,
            text_bytes: text_bytes(&dictionaries),
            dictionaries,
            integers: fillings(plan, &[FieldType::Int64, FieldType::TimestampMs], rows),
            floats: fillings(plan, &[FieldType::Float64], rows),
            bools: fillings(plan, &[FieldType::Bool], rows),
            extra: PlainTextColumn::default(),
            rejected: Vec::new(),
        }
    }

    /// Appends [`Rows::next`].
    #[inline]
    pub(super) fn push(
        &mut self,
        rows: &mut Rows,
        offset: i64,
        timestamp: i64,
        hash: u64,
        extra: Option<String>,
    ) {
        if let Some(extra) = extra {
            self.extra.values.push(((self.offsets.len() + rows.len) as u32, extra));
        }
        let row = rows.next();
        (row.offset, row.timestamp, row.hash) = (offset, timestamp, hash);
        rows.len += 1;
        if rows.len == WAITING {
            self.take(rows);
        }
    }

    /// Moves what waits into the columns.
    #[inline(never)]
    fn take(&mut self, waiting: &mut Rows) {
        let rows = waiting.waiting();
        self.offsets.extend(rows.iter().map(|row| row.offset));
        self.timestamps.extend(rows.iter().map(|row| row.timestamp));
        self.hashes.extend(rows.iter().map(|row| row.hash));
        self.present.extend(rows.iter().map(|row| row.present));
        for column in &mut self.texts {
            column.extend(rows, NULL_KEY, |bits| bits as u32);
        }
        for column in &mut self.integers {
            column.extend(rows, 0, |bits| bits as i64);
        }
        for column in &mut self.floats {
            column.extend(rows, 0.0, f64::from_bits);
        }
        for column in &mut self.bools {
            column.extend(rows, false, |bits| bits == 1);
        }
        waiting.clear();
    }

    /// Appends a record that does not decode.
    pub(super) fn reject(&mut self, record: Rejected) {
        self.rejected.push(record);
    }

    /// The batch with the rows that wait, its range ended at `end`.
    pub(super) fn finish(mut self, rows: &mut Rows, source: Arc<Source>, end: i64) -> EventBatch {
        self.take(rows);
        let new_text_bytes = text_bytes(&self.dictionaries) - self.text_bytes;
        let present = self.present;
        let mut columns = Vec::with_capacity(MAX_FIELDS);
        for (text, dictionary) in self.texts.into_iter().zip(self.dictionaries) {
            columns.push((text.index, Column::Text(TextColumn { keys: text.values, dictionary })));
        }
        for Filling { index, values } in self.integers {
            let validity = validity(&present, index);
            columns.push((index, Column::Int64(Int64Column { values, validity })));
        }
        for Filling { index, values } in self.floats {
            let validity = validity(&present, index);
            columns.push((index, Column::Float64(Float64Column { values, validity })));
        }
        for Filling { index, values } in self.bools {
            let validity = validity(&present, index);
            columns.push((index, Column::Bool(BoolColumn { values, validity })));
        }
        columns.sort_unstable_by_key(|(index, _)| *index);
        EventBatch {
            source,
            start: self.start,
            end,
            offsets: self.offsets,
            timestamps: self.timestamps,
            hashes: self.hashes,
            columns: columns.into_iter().map(|(_, column)| column).collect(),
            extra: self.extra,
            rejected: self.rejected,
            new_text_bytes,
        }
    }
}

/// Which rows have a value for the field.
fn validity(present: &[u32], index: usize) -> Validity {
    let bit = 1 << (index & (MAX_FIELDS - 1));
    if present.iter().fold(bit, |all, row| all & row) != 0 {
        return Validity::all_valid(present.len());
    }
    let mut validity = Validity::default();
    for row in present {
        validity.push(row & bit != 0);
    }
    validity
}

fn text_bytes(dictionaries: &[Arc<Dictionary>]) -> usize {
    dictionaries.iter().map(|dictionary| dictionary.read().text_bytes()).sum()
}

/// The dictionary of a text column: its own interner's or, for a derived column, its origin's raw one.
fn dictionary(plan: &Plan, interners: &Interners, index: usize) -> Arc<Dictionary> {
    let interner = |index: usize| interners.get(index).and_then(Option::as_ref);
    let origin = plan.raw_of.iter().position(|&raw| raw == Some(index));
    let own = interner(index).map(TextInterner::dictionary);
    let raw = origin.and_then(interner).and_then(TextInterner::raw_dictionary);
    own.or(raw).cloned().unwrap_or_default()
}
