//! Kafka: client settings, batch consumption, producing, and what the engine asks of a partition's log.

mod assignment;
pub mod client;
mod clock;
pub mod cursor;
pub mod embedded;
mod flow;
pub mod gate;
pub mod lines;
pub mod log;
pub mod native;
pub mod poller;
pub mod producer;
pub mod retained;
#[cfg(test)]
mod tests;
pub mod token;
pub mod topics;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;

use crate::schemas::Source;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: i32,
}

impl From<&Source> for TopicPartition {
    fn from(source: &Source) -> Self {
        Self { topic: Arc::clone(&source.topic), partition: source.partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// First offset that the broker still holds, and the one after the last record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBounds {
    /// First offset that retention has left.
    pub start: i64,
    /// High watermark.
    pub end: i64,
}

/// The group's committed offset of a partition: a hint, never the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Next offset to read.
    pub offset: i64,
    /// Start of the ledger entry that ended there, from the commit's metadata.
    pub entry_start: i64,
}

/// What identifies a topic, so that one created anew under an old name is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicIdentity {
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The topic's id; none where the broker gives none (before Kafka 2.8; Redpanda).
    pub topic_id: Option<String>,
}

/// Why the broker could not answer. All of these are tried again by the caller.
#[derive(Debug, Error)]
pub enum LogError {
    /// No answer, or an error that another try may not meet.
    #[error("broker: {0}")]
    Unavailable(String),
    /// The topic is not there.
    #[error("topic {0} does not exist on the broker; create it, or correct the setting kafka.topics")]
    UnknownTopic(String),
}

/// What the engine asks about partitions' logs, apart from their records.
#[async_trait]
pub trait Log: fmt::Debug + Send + Sync {
    /// The partition's bounds, read from its leader now.
    async fn bounds(&self, partition: &TopicPartition) -> Result<LogBounds, LogError>;

    /// The topic's identity, read from the controller now.
    async fn identity(&self, topic: &str) -> Result<TopicIdentity, LogError>;

    /// Whether the topic's log is compacted, and so not immutable.
    async fn is_compacted(&self, topic: &str) -> Result<bool, LogError>;

    /// How many partitions the topic has now.
    async fn partitions(&self, topic: &str) -> Result<usize, LogError>;

    /// The group's committed offset; none where there is none or its metadata is not ours.
    async fn committed(&self, partition: &TopicPartition) -> Result<Option<CommittedOffset>, LogError>;

    /// Commits `hint` for the group, without waiting for the answer.
    fn commit(&self, partition: &TopicPartition, hint: CommittedOffset);
}
