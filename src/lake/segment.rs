//! A slice of a decoded batch: what the uploader holds until a range is cut.

use std::ops::Range;
use std::sync::Arc;

use crate::schemas::{EventBatch, Rejected};

/// The part of one [`EventBatch`] that belongs to a pending range. Segments of a range are kept in offset order.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The batch, shared with the aggregator.
    pub batch: Arc<EventBatch>,
    /// Rows of the batch that belong to the range.
    pub rows: Range<usize>,
    /// Rejected records of the batch (indices into [`EventBatch::rejected`]) that belong to the range.
    pub rejected: Range<usize>,
}

impl Segment {
    /// The records of `batch` whose offset is in `[start, end)`.
    pub fn between(batch: Arc<EventBatch>, start: i64, end: i64) -> Self {
        let rows = batch.rows_between(start, end);
        let rejected = batch.rejected_between(start, end);
        Self { batch, rows, rejected }
    }

    /// Every record of `batch`.
    pub fn whole(batch: Arc<EventBatch>) -> Self {
        let (rows, rejected) = (0..batch.rows(), 0..batch.rejected.len());
        Self { batch, rows, rejected }
    }

    /// Whether the segment holds neither rows nor rejected records.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.rejected.is_empty()
    }

    /// The rejected records, in offset order.
    pub fn rejected_records(&self) -> &[Rejected] {
        self.batch.rejected.get(self.rejected.clone()).unwrap_or(&[])
    }

    /// Wrapping sum of the raw records' hashes, rows and rejected ones alike: the range's checksum is the wrapping
    /// sum over its segments, however it was cut.
    pub fn checksum(&self) -> u64 {
        let rows = self.batch.hashes.get(self.rows.clone()).unwrap_or(&[]);
        let rows = rows.iter().fold(0u64, |sum, hash| sum.wrapping_add(*hash));
        self.rejected_records().iter().fold(rows, |sum, record| sum.wrapping_add(record.hash))
    }

    /// Number of raw records: rows and rejected ones.
    pub fn records(&self) -> u64 {
        (self.rows.len() + self.rejected.len()) as u64
    }
}
