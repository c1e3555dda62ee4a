//! The log read again, for `verify --kafka` and `--repair`: by assignment, outside the group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::log::KafkaLog;
use super::native::headers;
use super::poller::GroupContext;
use super::{Log, LogError, TopicPartition};
use crate::lake::ledger::{Decision, Hex64, LogView};
use crate::lake::pending::Range;
use crate::lake::verify::{Chunk, Held, LogFailure, LogRange, LogRecord, RetainedLog};
use crate::schemas::decode::{Privacy, decoding_id};
use crate::schemas::{Decoder, RawRecord, Source, record_hash};

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
    /// for administrative questions, whose answers are waited for as long as `timeout`.
    ///
    /// # Errors
    /// Settings that librdkafka refuses.
    pub fn new(consumer: &ClientConfig, admin: &ClientConfig, timeout: Duration) -> anyhow::Result<Self> {
        let consumer: Arc<BaseConsumer<GroupContext>> =
            Arc::new(consumer.create_with_context(GroupContext::default())?);
        let log = KafkaLog::new(Arc::clone(&consumer), admin, timeout)?;
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
        let stands =
            self.reading.take().filter(|at| at.partition == partition && at.next == from && !at.ended);
        let consumer = Arc::clone(&self.consumer);
        let (chunk, reading) = tokio::task::spawn_blocking(move || {
            let reading = match stands {
                Some(reading) => reading,
                None => assign(&consumer, partition, from)?,
            };
            let mut records = Vec::new();
            let (found, reading) = take(&consumer, reading, |message| {
                let RawRecord { offset, timestamp, key, value } = raw(message);
                records.push(LogRecord { offset, hash: record_hash(offset, timestamp, key, value) });
            })?;
            let chunk = match found {
                Found::Records => Chunk::Records(records),
                Found::End => Chunk::End,
                Found::OutOfRange => Chunk::OutOfRange,
            };
            Ok::<_, LogError>((chunk, reading))
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

/// What one call found.
enum Found {
    Records,
    End,
    OutOfRange,
}

/// Hands the next records to `each`; blocks until there is something to say. With no place to read on from, the next
/// read assigns anew.
fn take(
    consumer: &BaseConsumer<GroupContext>,
    mut reading: Reading,
    mut each: impl FnMut(&BorrowedMessage<'_>),
) -> Result<(Found, Option<Reading>), LogError> {
    let mut records = 0;
    let deadline = Instant::now() + PATIENCE;
    while !reading.ended && records < MAX_CHUNK {
        // What is there is handed over before anything is waited for.
        let wait = if records == 0 { Duration::from_millis(100) } else { Duration::ZERO };
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let ours = message.partition() == reading.partition.partition
                    && message.topic() == &*reading.partition.topic;
                if ours && message.offset() >= reading.next {
                    each(&message);
                    records += 1;
                    reading.next = message.offset().saturating_add(1);
                }
            }
            Some(Err(KafkaError::PartitionEOF(number))) => {
                reading.ended = number == reading.partition.partition
            }
            Some(Err(error)) if is_out_of_range(&error) && records == 0 => {
                return Ok((Found::OutOfRange, None));
            }
            Some(Err(error)) if is_final(&error) => return Err(LogError::Unavailable(error.to_string())),
            Some(Err(error)) => tracing::debug!(%error, "kafka consumer"),
            None if records > 0 => break,
            None => {}
        }
        if records == 0 && !reading.ended && Instant::now() > deadline {
            let seconds = PATIENCE.as_secs();
            return Err(LogError::Unavailable(format!("no record and no end of the log within {seconds} s")));
        }
    }
    Ok((if records == 0 { Found::End } else { Found::Records }, Some(reading)))
}

fn raw<'m>(message: &'m BorrowedMessage<'_>) -> RawRecord<'m> {
    RawRecord {
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key(),
        value: message.payload(),
    }
}

/// [`LogRange`] over a real broker.
#[derive(Debug)]
pub struct KafkaRanges {
    retained: KafkaRetained,
    repair: bool,
    privacy: Privacy,
}

impl KafkaRanges {
    /// Reads by `retained` and decodes as the engine does by these settings.
    pub fn new(retained: KafkaRetained, repair: bool, privacy: Privacy) -> Self {
        Self { retained, repair, privacy }
    }
}

#[async_trait]
impl LogRange for KafkaRanges {
    fn decoding(&self) -> Hex64 {
        Hex64(decoding_id(self.repair, &self.privacy))
    }

    async fn range(&mut self, decision: &Decision) -> Result<Held, LogFailure> {
        let view = self.retained.view(&decision.topic, decision.partition).await?;
        let range = if view.start > decision.start || view.end < decision.end {
            None
        } else {
            let source = Source {
                topic: decision.topic.as_str().into(),
                kind: decision.table,
                epoch: decision.epoch,
                partition: decision.partition,
            };
            let decoder = Decoder::new(Arc::new(source), self.repair).with_privacy(self.privacy.clone());
            let consumer = Arc::clone(&self.retained.consumer);
            let (start, end) = (decision.start, decision.end);
            let read = move || decode(&consumer, decoder, start, end);
            tokio::task::spawn_blocking(read).await??
        };
        // Its ids after the last record: a topic created anew meanwhile would have given others.
        let identity = self.retained.log.identity(&decision.topic).await?;
        let (cluster_id, topic_id) = (identity.cluster_id, identity.topic_id);
        Ok(Held { range, log: LogView { cluster_id, topic_id, ..view } })
    }
}

/// The records of `[start, end)`; none where the log no longer holds its beginning.
fn decode(
    consumer: &BaseConsumer<GroupContext>,
    mut decoder: Decoder,
    start: i64,
    end: i64,
) -> Result<Option<Range>, LogError> {
    let source = decoder.source();
    let partition = TopicPartition::from(&**source);
    let mut reading = assign(consumer, partition, start)?;
    decoder.begin(start, 0);
    while reading.next < end && !reading.ended {
        let (found, stands) = take(consumer, reading, |message| {
            if message.offset() < end {
                decoder.push(raw(message), || headers(message));
            }
        })?;
        match (found, stands) {
            (Found::OutOfRange, _) | (_, None) => return Ok(None),
            (_, Some(stands)) => reading = stands,
        }
    }
    Ok(Some(Range::of([Arc::new(decoder.finish(end))])))
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
