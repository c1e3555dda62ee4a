//! The log read again, for `verify --kafka`: by assignment, outside the group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::log::KafkaLog;
use super::poller::GroupContext;
use super::{Log, LogError, TopicPartition};
use crate::lake::ledger::LogView;
use crate::lake::verify::{Chunk, LogFailure, LogRecord, RetainedLog};
use crate::schemas::record_hash;

/// Records of one chunk at most; what they hold is 16 bytes each.
const MAX_CHUNK: usize = 16_384;
/// Longest wait for a record or the end of the log; the client tries again by itself meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);

/// [`RetainedLog`] over a real broker.
pub struct KafkaRetained {
    consumer: Arc<BaseConsumer<GroupContext>>,
    log: KafkaLog,
    reading: Option<Reading>,
}

/// Where the consumer stands.
#[derive(Debug, Clone)]
struct Reading {
    partition: TopicPartition,
    next: i64,
    ended: bool,
}

impl std::fmt::Debug for KafkaRetained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaRetained").field("reading", &self.reading).finish_non_exhaustive()
    }
}

impl KafkaRetained {
    /// A reader with the group consumer's settings `consumer`, which never joins the group; `admin` names the brokers
    /// for administrative questions.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(consumer: &ClientConfig, admin: &ClientConfig) -> anyhow::Result<Self> {
        let consumer: Arc<BaseConsumer<GroupContext>> =
            Arc::new(consumer.create_with_context(GroupContext::default())?);
        let log = KafkaLog::new(Arc::clone(&consumer), admin)?;
        Ok(Self { consumer, log, reading: None })
    }
}

#[async_trait]
impl RetainedLog for KafkaRetained {
    async fn view(&mut self, topic: &str, partition: i32) -> Result<LogView, LogFailure> {
        let bounds = self.log.bounds(&TopicPartition { topic: topic.into(), partition }).await?;
        let identity = self.log.identity(topic).await?;
        Ok(LogView {
            start: bounds.start,
            end: bounds.end,
            cluster_id: identity.cluster_id,
            topic_id: identity.topic_id,
        })
    }

    async fn read(&mut self, topic: &str, partition: i32, from: i64) -> Result<Chunk, LogFailure> {
        let partition = TopicPartition { topic: topic.into(), partition };
        let stands = self.reading.take().filter(|at| at.partition == partition && at.next == from);
        let consumer = Arc::clone(&self.consumer);
        let (chunk, reading) = tokio::task::spawn_blocking(move || {
            let reading = match stands {
                Some(reading) => reading,
                None => assign(&consumer, partition, from)?,
            };
            take(&consumer, reading)
        })
        .await??;
        self.reading = reading;
        Ok(chunk)
    }
}

fn assign(
    consumer: &BaseConsumer<GroupContext>,
    partition: TopicPartition,
    from: i64,
) -> Result<Reading, LogError> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(from))
        .and_then(|()| consumer.assign(&list))
        .map_err(|error| LogError::Unavailable(error.to_string()))?;
    Ok(Reading { partition, next: from, ended: false })
}

/// Blocks until there is something to say; with no place to read on from, the next read assigns anew.
fn take(
    consumer: &BaseConsumer<GroupContext>,
    mut reading: Reading,
) -> Result<(Chunk, Option<Reading>), LogError> {
    let mut records = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !reading.ended && records.len() < MAX_CHUNK {
        // What is there is handed over before anything is waited for.
        let wait = if records.is_empty() { Duration::from_millis(100) } else { Duration::ZERO };
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let ours = message.partition() == reading.partition.partition
                    && message.topic() == &*reading.partition.topic;
                if ours && message.offset() >= reading.next {
                    let (offset, timestamp) = (message.offset(), message.timestamp().to_millis());
                    let hash = record_hash(offset, timestamp.unwrap_or(-1), message.key(), message.payload());
                    records.push(LogRecord { offset, hash });
                    reading.next = offset.saturating_add(1);
                }
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                reading.ended = number == reading.partition.partition
            }
            Some(Err(error)) if is_out_of_range(&error) && records.is_empty() => {
                return Ok((Chunk::OutOfRange, None));
            }
            Some(Err(error)) if is_final(&error) => return Err(LogError::Unavailable(error.to_string())),
            Some(Err(error)) => tracing::debug!(%error, "kafka consumer"),
            None if !records.is_empty() => break,
            None => {}
        }
        if records.is_empty() && !reading.ended && Instant::now() > deadline {
            let seconds = PATIENCE.as_secs();
            return Err(LogError::Unavailable(format!("no record and no end of the log within {seconds} s")));
        }
    }
    let chunk = if records.is_empty() { Chunk::End } else { Chunk::Records(records) };
    Ok((chunk, Some(reading)))
}

fn is_out_of_range(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(code, Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange))
}

/// Whether waiting cannot help.
fn is_final(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            code,
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::UnknownPartition
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
            )
        )
}
