//! Parquet encoding and reading back. The only module that knows arrow2 and parquet2.
//!
//! [`Encoder`] turns segments of decoded batches into whole objects in memory: event tables by hour, rejected
//! records, and the count tables made of [`Counts`]. An object's bytes are a pure function of its rows and its
//! [`RangeMeta`]: no clock, no map order, nothing of how the rows were cut into batches.
//!
//! ```text
//! segments -> hours -> row groups of 122,880 rows -> column by column: gather -> dictionary or plain -> zstd -> body
//! ```

use bytes::Bytes;

mod arena;
mod compress;
mod counts;
mod data;
mod error;
mod file;
mod hours;
mod hybrid;
mod numbers;
mod page;
mod read;
mod read_counts;
mod rejected;
mod schema;
mod tally;
mod text;

#[cfg(test)]
mod tests;

pub use counts::{CountTables, SongCount, UserActive};
pub use data::{Encoder, told_time};
pub use error::EncodeError;
pub use hours::{HourGroup, Run, group_by_hour, utc_date};
pub use read::{read_activity, read_metadata_pairs, read_offsets, row_count};
pub use read_counts::{read_song_counts, read_user_activity};
pub use schema::Table;
pub use tally::Counts;

/// Rows of a row group at most: DuckDB's own size, so that it reads one row group a task.
pub const ROW_GROUP_ROWS: usize = 122_880;

/// A whole Parquet object, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedObject {
    /// Full name below the lake's root.
    pub name: String,
    /// The file.
    pub body: Bytes,
    /// Rows in it.
    pub rows: u64,
    /// CRC-32C (Castagnoli) of the body.
    pub crc32c: u32,
}

/// The offset range that an object belongs to; kept in the file's key-value metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeMeta {
    /// Kafka topic.
    pub topic: String,
    /// The topic's epoch.
    pub epoch: u32,
    /// Kafka partition.
    pub partition: i32,
    /// First offset of the range.
    pub start: i64,
    /// End of the range, exclusive.
    pub end: i64,
    /// Version of the event schema under which the range was decided.
    pub schema_version: u32,
}
