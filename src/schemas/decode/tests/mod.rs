//! Tests of the decoder as a whole; `oracle` is an independent reading of the same records.

mod answers;
mod oracle;
mod property;
mod real;
mod records;
mod rows;
mod sessions;
mod sharing;

use std::sync::Arc;

use super::{Decoder, RawRecord};
use crate::schemas;
use crate::schemas::batch::{EventBatch, Source};
use crate::schemas::field::EventKind;
use rows::{Cell, assert_same, cell, cells};

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Cell::Int(value)
    }
}

fn source(kind: EventKind) -> Arc<Source> {
    Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 })
}

fn record(offset: i64, value: &[u8]) -> RawRecord<'_> {
    RawRecord { offset, timestamp: offset + 1_000, key: None, value: Some(value) }
}

/// A batch of `values` at offsets 0, 1, …, as `decoder` makes it.
fn decode_with(decoder: &mut Decoder, values: &[Vec<u8>]) -> EventBatch {
    decoder.begin(0, values.len());
    for (offset, value) in values.iter().enumerate() {
        decoder.push(record(offset as i64, value), Vec::new);
    }
    decoder.finish(values.len() as i64)
}

/// The batch of one record, found the same by both paths.
fn decode_one(kind: EventKind, repair: bool, value: &str) -> EventBatch {
    let values = [value.as_bytes().to_vec()];
    let batch = decode_with(&mut Decoder::new(source(kind), repair), &values);
    let slow = decode_with(&mut Decoder::new(source(kind), repair).fast_path(false), &values);
    assert_same(&batch, &slow);
    batch
}

/// The value of `column` in the batch's only row.
fn value_of(batch: &EventBatch, column: &str) -> Cell {
    assert_eq!(batch.rows(), 1, "{:?}", batch.rejected);
    let index = batch.source.kind.index_of(column).expect("a column of that name");
    cell(&batch.columns[index], 0)
}

fn extra_of(batch: &EventBatch) -> Option<&str> {
    batch.extra.values.first().map(|(_, text)| text.as_str())
}

/// Reason and detail of the batch's only record, which must be rejected.
fn rejection_of(batch: &EventBatch) -> (&'static str, &str) {
    assert_eq!((batch.rows(), batch.rejected.len()), (0, 1));
    (batch.rejected[0].reason, &batch.rejected[0].detail)
}
