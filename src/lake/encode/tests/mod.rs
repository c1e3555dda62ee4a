//! Fixtures: rows as a plain model, batches made of them, and arrow2's own reader as the judge.

mod counts;
mod damage;
mod events;
mod rejected;

use std::io::Cursor;
use std::sync::Arc;

use arrow2::array::{Array, BinaryArray, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::datatypes::DataType;
use arrow2::io::parquet::read::{FileReader, infer_schema, read_metadata};

use super::RangeMeta;
use crate::lake::Segment;
use crate::schemas::batch::{EventBatch, Source};
use crate::schemas::column::NULL_KEY;
use crate::schemas::{
    BoolColumn, Column, Dictionary, EventKind, FieldType, Float64Column, Int64Column, PlainTextColumn,
    TextColumn,
};

/// One cell of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Text(String),
    Binary(Vec<u8>),
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// One record as the decoder would have it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub offset: i64,
    pub timestamp: i64,
    pub fields: Vec<Cell>,
    pub extra: Option<String>,
}

/// A small deterministic generator, so that a case is named by its seed.
pub(super) struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }
}

/// 2024-02-29T22:30:00Z.
pub(super) const BASE_MS: i64 = 1_709_245_800_000;

/// `count` rows of `kind`. Each column has its own null share and its own number of distinct values, so that every
/// encoding choice comes up: no nulls, some, all; one value, few, all different.
pub(super) fn rows(kind: EventKind, count: usize, seed: u64) -> Vec<Row> {
    let mut random = Random(seed);
    let shapes: Vec<(u64, u64)> = kind
        .fields()
        .iter()
        .map(|_| {
            ([0, 0, 30, 100][random.below(4) as usize], [1, 2, 7, 300, 1 << 40][random.below(5) as usize])
        })
        .collect();
    let mut offset = random.below(1000) as i64;
    (0..count)
        .map(|_| {
            offset += 1 + i64::from(random.below(10) == 0) * 3;
            let fields = kind.fields().iter().zip(&shapes).map(|(field, &(nulls, distinct))| {
                if field.column == "ts" {
                    return Cell::Int(BASE_MS + random.below(3 * 3_600_000) as i64);
                }
                if random.below(100) < nulls {
                    return Cell::Null;
                }
                let value = random.below(distinct);
                match field.kind {
                    FieldType::Text => Cell::Text(format!("{}é{}", field.column, value)),
                    FieldType::Int64 | FieldType::TimestampMs => Cell::Int(value as i64 - 3),
                    FieldType::Float64 => Cell::Float(value as f64 * 0.25 - 1.0),
                    FieldType::Bool => Cell::Bool(value % 2 == 1),
                }
            });
            let fields = fields.collect();
            let timestamp = if random.below(5) == 0 { -1 } else { BASE_MS + random.below(9999) as i64 };
            let extra = (random.below(4) == 0).then(|| format!("{{\"x\":{}}}", random.below(50)));
            Row { offset, timestamp, fields, extra }
        })
        .collect()
}

pub(super) fn source(kind: EventKind) -> Arc<Source> {
    Arc::new(Source { topic: kind.table().into(), kind, epoch: 2, partition: 7 })
}

pub(super) fn meta(kind: EventKind) -> RangeMeta {
    RangeMeta {
        topic: kind.table().to_owned(),
        epoch: 2,
        partition: 7,
        start: 0,
        end: 1_000_000,
        schema_version: 1,
    }
}

/// Dictionaries as a decoder keeps them: one a text column, with its interner.
#[derive(Default)]
pub(super) struct Decoder {
    texts: Vec<(Arc<Dictionary>, std::collections::HashMap<String, u32>)>,
}

impl Decoder {
    /// A decoder that met `noise` first, so that the same text has other keys.
    pub fn after(kind: EventKind, noise: &[&str]) -> Self {
        let mut decoder = Decoder::default();
        for column in 0..kind.fields().len() {
            noise.iter().for_each(|text| {
                decoder.key(column, text);
            });
        }
        decoder
    }

    fn key(&mut self, column: usize, text: &str) -> u32 {
        self.texts.resize_with(self.texts.len().max(column + 1), Default::default);
        let (dictionary, known) = &mut self.texts[column];
        *known.entry(text.to_owned()).or_insert_with(|| dictionary.push(text))
    }

    pub fn batch(&mut self, kind: EventKind, rows: &[Row]) -> Arc<EventBatch> {
        let columns = (0..kind.fields().len()).map(|index| self.column(kind, index, rows)).collect();
        let extra = rows.iter().zip(0..).filter_map(|(row, at)| Some((at, row.extra.clone()?)));
        Arc::new(EventBatch {
            new_text_bytes: 0,
            source: source(kind),
            start: rows.first().map_or(0, |row| row.offset),
            end: rows.last().map_or(0, |row| row.offset + 1),
            offsets: rows.iter().map(|row| row.offset).collect(),
            timestamps: rows.iter().map(|row| row.timestamp).collect(),
            hashes: rows.iter().map(|row| row.offset as u64).collect(),
            columns,
            extra: PlainTextColumn { values: extra.collect() },
            rejected: Vec::new(),
        })
    }

    fn column(&mut self, kind: EventKind, index: usize, rows: &[Row]) -> Column {
        let cells = rows.iter().map(|row| &row.fields[index]);
        match kind.fields()[index].kind {
            FieldType::Text => {
                let keys = cells.map(|cell| match cell {
                    Cell::Text(text) => self.key(index, text),
                    _ => NULL_KEY,
                });
                let keys = keys.collect();
                self.texts.resize_with(self.texts.len().max(index + 1), Default::default);
                Column::Text(TextColumn { keys, dictionary: Arc::clone(&self.texts[index].0) })
            }
            FieldType::Int64 | FieldType::TimestampMs => {
                let mut column = Int64Column::default();
                cells.for_each(|cell| column.push(if let Cell::Int(v) = cell { Some(*v) } else { None }));
                Column::Int64(column)
            }
            FieldType::Float64 => {
                let mut column = Float64Column::default();
                cells.for_each(|cell| column.push(if let Cell::Float(v) = cell { Some(*v) } else { None }));
                Column::Float64(column)
            }
            FieldType::Bool => {
                let mut column = BoolColumn::default();
                cells.for_each(|cell| column.push(if let Cell::Bool(v) = cell { Some(*v) } else { None }));
                Column::Bool(column)
            }
        }
    }
}

/// `rows` in one segment.
pub(super) fn one_segment(kind: EventKind, rows: &[Row]) -> Vec<Segment> {
    vec![Segment::whole(Decoder::default().batch(kind, rows))]
}

/// `rows` cut at random, some batches by a decoder that starts anew, some batches seen through two segments.
pub(super) fn cut_segments(kind: EventKind, rows: &[Row], seed: u64) -> Vec<Segment> {
    let mut random = Random(seed);
    let mut decoder = Decoder::default();
    let mut segments = Vec::new();
    let mut rest = rows;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at((1 + random.below(rows.len() as u64) as usize).min(rest.len()));
        rest = after;
        if random.below(2) == 0 {
            decoder = Decoder::after(kind, &["other", "artisté0"]);
        }
        let batch = decoder.batch(kind, piece);
        let middle = batch.start + random.below((batch.end - batch.start) as u64) as i64;
        segments.push(Segment::between(Arc::clone(&batch), batch.start, middle));
        segments.push(Segment::between(Arc::clone(&batch), middle, batch.end));
    }
    segments
}

/// A file's columns by name, as arrow2 reads them.
pub(super) fn read_table(body: &[u8]) -> Vec<(String, DataType, Vec<Cell>)> {
    let metadata = read_metadata(&mut Cursor::new(body)).unwrap();
    let schema = infer_schema(&metadata).unwrap();
    let mut table: Vec<_> =
        schema.fields.iter().map(|f| (f.name.clone(), f.data_type.clone(), Vec::new())).collect();
    for chunk in FileReader::new(Cursor::new(body), metadata.row_groups, schema, None, None, None) {
        for (column, array) in table.iter_mut().zip(chunk.unwrap().arrays()) {
            column.2.extend((0..array.len()).map(|row| cell(array.as_ref(), row)));
        }
    }
    table
}

fn cell(array: &dyn Array, row: usize) -> Cell {
    let any = array.as_any();
    if array.is_null(row) {
        return Cell::Null;
    }
    if let Some(array) = any.downcast_ref::<Utf8Array<i32>>() {
        return Cell::Text(array.value(row).to_owned());
    }
    if let Some(array) = any.downcast_ref::<BinaryArray<i32>>() {
        return Cell::Binary(array.value(row).to_vec());
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
        return Cell::Int(array.value(row));
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<i32>>() {
        return Cell::Int(array.value(row).into());
    }
    if let Some(array) = any.downcast_ref::<PrimitiveArray<f64>>() {
        return Cell::Float(array.value(row));
    }
    Cell::Bool(any.downcast_ref::<BooleanArray>().unwrap().value(row))
}
