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
#[derive(Debug, Default)]
pub(super) struct Row {
    /// A bit for each field that has a value.
    present: u32,
    slots: [u64; MAX_FIELDS],
}

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

    #[inline(always)]
    fn set(&mut self, index: usize, bits: u64) {
        self.present |= 1 << (index & (MAX_FIELDS - 1));
        self.slots[index & (MAX_FIELDS - 1)] = bits;
    }

    #[inline(always)]
    pub(super) fn set_integer(&mut self, index: usize, value: i64) {
        self.set(index, value as u64);
    }

    #[inline(always)]
    pub(super) fn set_float(&mut self, index: usize, value: f64) {
        self.set(index, value.to_bits());
    }

    #[inline(always)]
    pub(super) fn set_bool(&mut self, index: usize, value: bool) {
        self.set(index, u64::from(value));
    }

    /// Sets a text and, where repair changed it, the column `raw` of what arrived.
    #[inline(always)]
    pub(super) fn set_text(&mut self, index: usize, raw: Option<usize>, keys: Keys) {
        self.set(index, u64::from(keys.text));
        if let (Some(raw), true) = (raw, keys.raw != NULL_KEY) {
            self.set(raw, u64::from(keys.raw));
        }
    }
}

/// A batch being filled.
pub(super) struct Builder {
    start: i64,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    hashes: Vec<u64>,
    columns: Vec<Column>,
    extra: PlainTextColumn,
    rejected: Vec<Rejected>,
}

impl Builder {
    /// An empty batch from offset `start` with room for `rows` rows.
    pub(super) fn new(plan: &Plan, interners: &Interners, start: i64, rows: usize) -> Self {
        let columns = (0..plan.fields.len()).map(|index| column(plan, interners, index, rows)).collect();
        Self {
            start,
            offsets: Vec::with_capacity(rows),
            timestamps: Vec::with_capacity(rows),
            hashes: Vec::with_capacity(rows),
            columns,
            extra: PlainTextColumn::default(),
            rejected: Vec::new(),
        }
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.offsets.len()
    }

    /// Appends a row.
    #[inline]
    pub(super) fn push(&mut self, row: &Row, offset: i64, timestamp: i64, hash: u64, extra: Option<String>) {
        if let Some(extra) = extra {
            self.extra.values.push((self.offsets.len() as u32, extra));
        }
        self.offsets.push(offset);
        self.timestamps.push(timestamp);
        self.hashes.push(hash);
        for (index, (column, &bits)) in self.columns.iter_mut().zip(&row.slots).enumerate() {
            let present = row.has(index);
            match column {
                Column::Text(column) => column.keys.push(if present { bits as u32 } else { NULL_KEY }),
                Column::Int64(column) => column.push(present.then_some(bits as i64)),
                Column::Float64(column) => column.push(present.then(|| f64::from_bits(bits))),
                Column::Bool(column) => column.push(present.then_some(bits == 1)),
            }
        }
    }

    /// Appends a record that does not decode.
    pub(super) fn reject(&mut self, record: Rejected) {
        self.rejected.push(record);
    }

    /// The batch, its range ended at `end`.
    pub(super) fn finish(self, source: Arc<Source>, end: i64) -> EventBatch {
        EventBatch {
            source,
            start: self.start,
            end,
            offsets: self.offsets,
            timestamps: self.timestamps,
            hashes: self.hashes,
            columns: self.columns,
            extra: self.extra,
            rejected: self.rejected,
        }
    }
}

fn column(plan: &Plan, interners: &Interners, index: usize, rows: usize) -> Column {
    let validity = Validity::default();
    match plan.fields.get(index).map(|field| field.kind) {
        Some(FieldType::Int64 | FieldType::TimestampMs) => {
            Column::Int64(Int64Column { values: Vec::with_capacity(rows), validity })
        }
        Some(FieldType::Float64) => {
            Column::Float64(Float64Column { values: Vec::with_capacity(rows), validity })
        }
        Some(FieldType::Bool) => Column::Bool(BoolColumn { values: Vec::with_capacity(rows), validity }),
        Some(FieldType::Text) | None => {
            let dictionary = dictionary(plan, interners, index);
            Column::Text(TextColumn { keys: Vec::with_capacity(rows), dictionary })
        }
    }
}

/// The dictionary of a text column: its own interner's or, for a derived column, its origin's raw one.
fn dictionary(plan: &Plan, interners: &Interners, index: usize) -> Arc<Dictionary> {
    let interner = |index: usize| interners.get(index).and_then(Option::as_ref);
    let origin = plan.raw_of.iter().position(|&raw| raw == Some(index));
    let own = interner(index).map(TextInterner::dictionary);
    let raw = origin.and_then(interner).and_then(TextInterner::raw_dictionary);
    own.or(raw).cloned().unwrap_or_default()
}
