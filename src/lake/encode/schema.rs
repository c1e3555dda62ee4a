//! The lake's tables as Parquet schemas. Columns are all optional, so that a column may be added later and one mode
//! fits every file (BigQuery wants the same mode in each).

use parquet_format_safe::{
    ConvertedType, FieldRepetitionType, LogicalType, MilliSeconds, SchemaElement, StringType, TimeUnit,
    TimestampType, Type,
};

use crate::schemas::{EventKind, FieldType};

/// A table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Decoded events of one type.
    Events(EventKind),
    /// Records that do not decode, raw.
    Rejected,
    /// Plays by minute, artist, song and level: a delta of one offset range.
    SongCounts,
    /// Who was active in which minute: a delta of one offset range.
    UserActivity,
}

/// Physical and logical type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnType {
    Text,
    Binary,
    Int32,
    Int64,
    TimestampMs,
    Float64,
    Bool,
}

/// One column of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnSpec {
    pub name: &'static str,
    pub kind: ColumnType,
}

const fn column(name: &'static str, kind: ColumnType) -> ColumnSpec {
    ColumnSpec { name, kind }
}

/// Where a row came from; first in `_rejected`, after the fields in the event tables.
const KAFKA: [ColumnSpec; 4] = [
    column("kafka_epoch", ColumnType::Int32),
    column("kafka_partition", ColumnType::Int32),
    column("kafka_offset", ColumnType::Int64),
    column("kafka_timestamp", ColumnType::TimestampMs),
];

const REJECTED: [ColumnSpec; 5] = [
    column("key", ColumnType::Binary),
    column("value", ColumnType::Binary),
    column("headers", ColumnType::Text),
    column("reason", ColumnType::Text),
    column("detail", ColumnType::Text),
];

const SONG_COUNTS: [ColumnSpec; 5] = [
    column("pane_start", ColumnType::TimestampMs),
    column("artist", ColumnType::Text),
    column("song", ColumnType::Text),
    column("level", ColumnType::Text),
    column("plays", ColumnType::Int64),
];

const USER_ACTIVITY: [ColumnSpec; 5] = [
    column("pane_start", ColumnType::TimestampMs),
    column("user_id", ColumnType::Int64),
    column("level", ColumnType::Text),
    column("gender", ColumnType::Text),
    column("state", ColumnType::Text),
];

impl Table {
    /// The columns in file order.
    pub(super) fn columns(self) -> Vec<ColumnSpec> {
        match self {
            Table::Events(kind) => {
                let fields = kind.fields().iter().map(|field| column(field.column, field.kind.into()));
                fields.chain(KAFKA).chain([column("extra", ColumnType::Text)]).collect()
            }
            Table::Rejected => KAFKA.into_iter().chain(REJECTED).collect(),
            Table::SongCounts => SONG_COUNTS.to_vec(),
            Table::UserActivity => USER_ACTIVITY.to_vec(),
        }
    }
}

impl From<FieldType> for ColumnType {
    fn from(kind: FieldType) -> Self {
        match kind {
            FieldType::Text => ColumnType::Text,
            FieldType::Int64 => ColumnType::Int64,
            FieldType::Float64 => ColumnType::Float64,
            FieldType::Bool => ColumnType::Bool,
            FieldType::TimestampMs => ColumnType::TimestampMs,
        }
    }
}

impl ColumnType {
    /// The physical type.
    pub(super) fn physical(self) -> Type {
        match self {
            ColumnType::Text | ColumnType::Binary => Type::BYTE_ARRAY,
            ColumnType::Int32 => Type::INT32,
            ColumnType::Int64 | ColumnType::TimestampMs => Type::INT64,
            ColumnType::Float64 => Type::DOUBLE,
            ColumnType::Bool => Type::BOOLEAN,
        }
    }

    fn converted(self) -> Option<ConvertedType> {
        match self {
            ColumnType::Text => Some(ConvertedType::UTF8),
            ColumnType::TimestampMs => Some(ConvertedType::TIMESTAMP_MILLIS),
            _ => None,
        }
    }

    fn logical(self) -> Option<LogicalType> {
        match self {
            ColumnType::Text => Some(LogicalType::STRING(StringType::new())),
            ColumnType::TimestampMs => {
                Some(LogicalType::TIMESTAMP(TimestampType::new(true, TimeUnit::MILLIS(MilliSeconds::new()))))
            }
            _ => None,
        }
    }
}

/// The flattened schema: a root and its leaves.
pub(super) fn elements(columns: &[ColumnSpec]) -> Vec<SchemaElement> {
    let root = element("schema".to_owned(), Some(columns.len() as i32), None);
    let leaves = columns.iter().map(|column| element(column.name.to_owned(), None, Some(column.kind)));
    std::iter::once(root).chain(leaves).collect()
}

fn element(name: String, num_children: Option<i32>, leaf: Option<ColumnType>) -> SchemaElement {
    SchemaElement {
        type_: leaf.map(ColumnType::physical),
        type_length: None,
        repetition_type: leaf.map(|_| FieldRepetitionType::OPTIONAL),
        name,
        num_children,
        converted_type: leaf.and_then(ColumnType::converted),
        scale: None,
        precision: None,
        field_id: None,
        logical_type: leaf.and_then(ColumnType::logical),
    }
}
