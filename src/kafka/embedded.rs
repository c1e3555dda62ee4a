//! The demo's broker: librdkafka's mock cluster, in this process and on loopback.
//!
//! It keeps [`KEPT_BYTES`] a partition and drops older records without a word, so whoever produces must never run
//! further ahead of the lake than that ([`Room`]). Nothing of it outlives the process.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::{CommittedOffset, Log, LogBounds, LogError, TopicIdentity, TopicPartition};

/// Bytes of record batches that the mock cluster keeps of a partition (`rd_kafka_mock_partition_init` in librdkafka).
const KEPT_BYTES: u64 = 5 << 20;
/// What a record may cost in a batch beside its key and value, with its share of the batch's head.
const RECORD_OVERHEAD: u64 = 96;
/// The broker drops a whole batch at a time, and one may be under way.
const MARGIN_BYTES: u64 = 1 << 20;

/// A broker within this process.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl EmbeddedBroker {
    /// Starts it on a free port of the loopback interface, with `topics` of so many partitions each.
    ///
    /// # Errors
    /// librdkafka could not make it.
    pub fn start<'a>(topics: impl IntoIterator<Item = (&'a str, i32)>) -> KafkaResult<Self> {
        let cluster = MockCluster::new(1)?;
        for (topic, partitions) in topics {
            cluster.create_topic(topic, partitions, 1)?;
        }
        Ok(Self { cluster })
    }

    /// "host:port".
    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// [`Log`] over an [`EmbeddedBroker`]: the mock cluster answers no administrative question, so what is known of it
/// by construction is said here, and the rest is asked.
#[derive(Debug)]
pub struct EmbeddedLog {
    asked: Arc<dyn Log>,
    identity: TopicIdentity,
}

impl EmbeddedLog {
    /// What identifies the topics of a broker that was started by `run`, which must be unique to this run of this
    /// process: the broker's topics are new in each.
    pub fn identity_of(run: &str) -> TopicIdentity {
        TopicIdentity { cluster_id: Some("embedded".into()), topic_id: Some(run.into()) }
    }

    /// A log whose records are asked of `asked`.
    pub fn new(asked: Arc<dyn Log>, identity: TopicIdentity) -> Self {
        Self { asked, identity }
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    async fn bounds(&self, partition: &TopicPartition) -> Result<LogBounds, LogError> {
        self.asked.bounds(partition).await
    }

    async fn identity(&self, _: &str) -> Result<TopicIdentity, LogError> {
        Ok(self.identity.clone())
    }

    async fn is_compacted(&self, _: &str) -> Result<bool, LogError> {
        Ok(false)
    }

    async fn partitions(&self, topic: &str) -> Result<usize, LogError> {
        self.asked.partitions(topic).await
    }

    async fn committed(&self, partition: &TopicPartition) -> Result<Option<CommittedOffset>, LogError> {
        self.asked.committed(partition).await
    }

    fn commit(&self, partition: &TopicPartition, hint: CommittedOffset) {
        self.asked.commit(partition, hint);
    }
}

/// How much more a producer may put into one partition of an [`EmbeddedBroker`] before anything that is not yet in the
/// lake could be dropped. It must be the partition's only producer, uncompressed, from offset 0.
#[derive(Debug, Default)]
pub struct Room {
    records: i64,
    bytes: u64,
    /// (end offset, bytes up to it) after each chunk that is not known to be in the lake.
    chunks: VecDeque<(i64, u64)>,
    safe_bytes: u64,
}

impl Room {
    /// Takes note of a record with so many bytes of key and value.
    pub fn put(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64 + RECORD_OVERHEAD;
    }

    /// Ends a chunk: the lake's progress is told apart by chunks.
    pub fn end_chunk(&mut self) {
        if self.chunks.back().is_none_or(|&(end, _)| end < self.records) {
            self.chunks.push_back((self.records, self.bytes));
        }
    }

    /// Everything before offset `head` is in the lake.
    pub fn free(&mut self, head: i64) {
        while let Some(&(end, bytes)) = self.chunks.front()
            && end <= head
        {
            self.safe_bytes = bytes;
            self.chunks.pop_front();
        }
    }

    /// Bytes that still fit.
    pub fn left(&self) -> u64 {
        (KEPT_BYTES - MARGIN_BYTES).saturating_sub(self.bytes - self.safe_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_shrinks_with_records_and_grows_with_the_lake() {
        let mut room = Room::default();
        let empty = room.left();
        assert!(empty < KEPT_BYTES);
        for _ in 0..10 {
            room.put(1000);
        }
        room.end_chunk();
        let one = room.left();
        assert_eq!(empty - one, 10 * (1000 + RECORD_OVERHEAD));
        room.put(500);
        room.end_chunk();
        room.end_chunk();
        room.free(9);
        assert_eq!(room.left(), one - 500 - RECORD_OVERHEAD, "half a chunk frees nothing");
        room.free(10);
        assert_eq!(room.left(), empty - 500 - RECORD_OVERHEAD);
        room.free(11);
        assert_eq!(room.left(), empty);
    }

    #[test]
    fn a_full_partition_has_no_room() {
        let mut room = Room::default();
        room.put(KEPT_BYTES as usize * 2);
        assert_eq!(room.left(), 0);
    }
}
