//! Rows as values that can be compared. Included by the fuzz targets, too: whoever includes it has `schemas` beside it.

use super::schemas::{Column, EventBatch};

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// An integer or a timestamp.
    Int(i64),
    /// A float's bits.
    Float(u64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Cell::Float(value.to_bits())
    }
}

/// The value of a row in one column.
pub fn cell(column: &Column, row: usize) -> Cell {
    let found = match column {
        Column::Text(column) => column.text(row).map(Cell::Text),
        Column::Int64(column) => column.get(row).map(Cell::Int),
        Column::Float64(column) => column.validity.is_valid(row).then(|| Cell::from(column.values[row])),
        Column::Bool(column) => column.validity.is_valid(row).then(|| Cell::Bool(column.values[row])),
    };
    found.unwrap_or(Cell::Null)
}

/// The values of a row.
pub fn cells(batch: &EventBatch, row: usize) -> Vec<Cell> {
    batch.columns.iter().map(|column| cell(column, row)).collect()
}

/// Panics where two readers of the same records differ; text is compared by what its keys mean.
pub fn assert_same(left: &EventBatch, right: &EventBatch) {
    assert_eq!((left.start, left.end), (right.start, right.end));
    assert_eq!(left.offsets, right.offsets);
    assert_eq!(left.timestamps, right.timestamps);
    assert_eq!(left.hashes, right.hashes);
    assert_eq!(left.extra, right.extra);
    assert_eq!(left.rejected, right.rejected);
    for row in 0..left.rows() {
        assert_eq!(cells(left, row), cells(right, row), "row {row}");
    }
}
