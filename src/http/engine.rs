//! What the handlers ask of the engine.

use async_trait::async_trait;
use serde::Serialize;
use thiserror::Error;

use crate::charts::{At, Coverage, GroupBy, SongsAnswer, TimeMs, UsersAnswer, Window};

/// A chart is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SongsQuery {
    /// Which window.
    pub window: Window,
    /// Live or closed.
    pub at: At,
    /// Songs at most, 1 to [`super::MAX_LIMIT`].
    pub limit: usize,
    /// Only songs whose artist or title holds each of these words.
    pub find: Option<String>,
}

/// Active users are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsersQuery {
    /// Which window.
    pub window: Window,
    /// Live or closed.
    pub at: At,
    /// Split by what, if at all.
    pub by: Option<GroupBy>,
    /// Whether every split and the course of time are wanted, too.
    pub detail: bool,
}

/// Why the engine has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EngineError {
    /// Starting, stopping or overloaded: worth asking again (503).
    #[error("not available: {0}")]
    Unavailable(String),
    /// A fault of the engine (500). The text goes to the log, not to the client.
    #[error("failed: {0}")]
    Failed(String),
}

/// Where each partition of this instance stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusAnswer {
    /// The engine's version.
    pub version: String,
    /// `running`, `starting`, or `stopped` where a partition is stopped until an operator acts.
    pub state: String,
    /// Why it is not running; none while it is.
    pub reason: Option<String>,
    /// When the process started.
    pub started: TimeMs,
    /// The watermark, if there is one.
    pub watermark: Option<TimeMs>,
    /// Records in the log that are not read yet, all partitions together; none where one of them does not know.
    pub lag: Option<i64>,
    /// Records in the log that are not in the lake yet, all partitions together; none where one of them does not know.
    pub pending: Option<i64>,
    /// Age of the oldest record read and not yet in the lake, seconds; none if there is none.
    pub freshness_seconds: Option<f64>,
    /// How far the lake is behind: how long the oldest record that is not in it has waited, read or not, seconds; 0 where there is
    /// none, and none before anything is known.
    pub behind_seconds: Option<f64>,
    /// When a range was last finished in the lake, since the process started.
    pub last_upload: Option<TimeMs>,
    /// Records read by this process.
    pub records: u64,
    /// Records among them that do not decode.
    pub rejected: u64,
    /// Late records folded into the windows.
    pub late: u64,
    /// Records in no window: too old, or too far in the future.
    pub uncounted: u64,
    /// The partitions, in order.
    pub partitions: Vec<PartitionRow>,
}

/// One partition's line in [`StatusAnswer`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartitionRow {
    /// Kafka topic.
    pub topic: String,
    /// The topic's epoch.
    pub epoch: u32,
    /// Kafka partition.
    pub partition: i32,
    /// Next offset to be read.
    pub position: i64,
    /// End of the last range whose receipt is in the lake; none before the first.
    pub head: Option<i64>,
    /// Records in the log after `position`; none where the log's end is not known.
    pub lag: Option<i64>,
    /// Age of the oldest record read and not yet in the lake, seconds; none if there is none.
    pub freshness_seconds: Option<f64>,
    /// Newest event time seen.
    pub newest: Option<TimeMs>,
    /// Whether it holds back no watermark.
    pub idle: bool,
    /// Whether reading is paused because downstream is full or the partition is far ahead.
    pub paused: bool,
    /// Why the partition is stopped until an operator acts, if it is.
    pub refused: Option<String>,
}

/// Through which hour each table is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteAnswer {
    /// One entry a table.
    pub tables: Vec<TableComplete>,
}

/// One table's line in [`CompleteAnswer`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableComplete {
    /// The lake's table.
    pub table: String,
    /// End of the last hour up to which no more records are expected from the partitions of this instance; none before the
    /// first hour of one of them.
    pub complete_through: Option<TimeMs>,
    /// Of how many of the topic's partitions that is known here. Where it is not all, ask the other instances as well.
    pub partitions: Coverage,
}

/// The engine as HTTP sees it.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The most played songs of a window.
    async fn songs(&self, query: SongsQuery) -> Result<SongsAnswer, EngineError>;

    /// The active users of a window.
    async fn users(&self, query: UsersQuery) -> Result<UsersAnswer, EngineError>;

    /// Where the partitions stand.
    fn status(&self) -> StatusAnswer;

    /// Through which hour the tables are whole.
    fn complete(&self) -> CompleteAnswer;

    /// Whether answers can be relied on; if not, why.
    ///
    /// # Errors
    /// The reason, in words that carry no secret: it is shown to whoever asks.
    fn ready(&self) -> Result<(), String>;

    /// Whether the process works at all; if not, why (and it should be restarted).
    ///
    /// # Errors
    /// The reason, in words that carry no secret: it is shown to whoever asks.
    fn live(&self) -> Result<(), String>;
}
