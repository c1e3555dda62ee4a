//! An idempotent producer that tells which input record was not delivered.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use thiserror::Error;

use super::client::{client_config, explain};
use super::token;
use crate::config::KafkaSettings;

/// Bytes of records that may wait in the client; a full queue holds the sender back.
const QUEUE_KIB: u32 = 64 * 1024;

/// How long a full queue or an unfinished flush is left alone before it is looked at again.
const RETRY: Duration = Duration::from_millis(5);

/// Where a record came from, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index of the input file.
    pub file: usize,
    /// Line in that file, from 1.
    pub line: u64,
}

/// Bits of a packed [`Origin`] that hold the line: a million million lines, and sixteen million files.
const LINE_BITS: u32 = 40;

impl Origin {
    /// In one word, which the client carries with the record: most records are delivered, and nobody asks for theirs.
    fn packed(self) -> usize {
        (self.file << LINE_BITS) | self.line as usize & ((1 << LINE_BITS) - 1)
    }

    fn unpacked(word: usize) -> Self {
        Self { file: word >> LINE_BITS, line: (word & ((1 << LINE_BITS) - 1)) as u64 }
    }
}

/// A record that did not get into the topic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} was not delivered: {cause}", line = origin.line)]
pub struct Undelivered {
    /// Which record.
    pub origin: Origin,
    /// Why, in words.
    pub cause: String,
}

/// Counts failures and keeps the first. Deliveries are not reported: that would cost a callback and a place in a queue for each.
#[derive(Debug, Default)]
struct Deliveries {
    failed: AtomicU64,
    failure: Mutex<Option<(Origin, KafkaError)>>,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, file: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        token::answer(file)
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, origin: usize) {
        if let Err((error, _)) = result {
            self.fail(Origin::unpacked(origin), error.clone());
        }
    }
}

impl Deliveries {
    fn fail(&self, origin: Origin, error: KafkaError) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failure = self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        failure.get_or_insert((origin, error));
    }

    fn failure(&self) -> Option<(Origin, KafkaError)> {
        self.failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

/// How batches travel and are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Quick, and four to five times smaller for events.
    Lz4,
    /// For a broker in this process, whose room is reckoned in the records' own bytes.
    None,
}

/// An idempotent producer; batches of up to 1 MB.
pub struct RecordProducer {
    inner: ThreadedProducer<Deliveries>,
    /// Records that the client has taken.
    taken: AtomicU64,
    settings: KafkaSettings,
}

impl RecordProducer {
    /// Makes the client. Nothing is sent yet and the broker need not be there.
    ///
    /// # Errors
    /// The client refuses its settings; in words.
    pub fn new(settings: &KafkaSettings, compression: Compression) -> Result<Self, String> {
        let compression = match compression {
            Compression::Lz4 => "lz4",
            Compression::None => "none",
        };
        let mut config = client_config(settings);
        config
            .set("enable.idempotence", "true")
            .set("compression.type", compression)
            .set("linger.ms", "20")
            .set("batch.size", "1000000")
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", QUEUE_KIB.to_string())
            .set("delivery.timeout.ms", "120000")
            .set("delivery.report.only.error", "true");
        let inner = config
            .create_with_context(Deliveries::default())
            .map_err(|error: KafkaError| explain(&error, settings))?;
        Ok(Self { inner, taken: AtomicU64::new(0), settings: settings.clone() })
    }

    /// Puts a record into the client's queue, waiting while that is full. Without `partition` its key decides.
    ///
    /// # Errors
    /// The record is refused, or an earlier one was not delivered (the queue might stay full for ever).
    pub async fn enqueue(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: &[u8],
        origin: Origin,
    ) -> Result<(), Undelivered> {
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(topic, origin.packed()).payload(value);
        if let Some(key) = key {
            record = record.key(key);
        }
        if let Some(partition) = partition {
            record = record.partition(partition);
        }
        loop {
            match self.inner.send(record) {
                Ok(()) => {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    self.check()?;
                    record = returned;
                    tokio::time::sleep(RETRY).await;
                }
                Err((error, _)) => return Err(self.undelivered(origin, &error)),
            }
        }
    }

    /// Waits until every record is delivered or has failed. The client gives a record up after two minutes, so this ends.
    ///
    /// # Errors
    /// The first record that was not delivered.
    pub async fn flush(&self) -> Result<(), Undelivered> {
        while self.inner.in_flight_count() > 0 {
            tokio::time::sleep(RETRY).await;
        }
        self.check()
    }

    /// # Errors
    /// The first record so far that was not delivered.
    pub fn check(&self) -> Result<(), Undelivered> {
        match self.inner.context().failure() {
            Some((origin, error)) => Err(self.undelivered(origin, &error)),
            None => Ok(()),
        }
    }

    /// Records that the broker has acknowledged, once [`RecordProducer::flush`] has ended.
    pub fn delivered(&self) -> u64 {
        let failed = self.inner.context().failed.load(Ordering::Relaxed);
        self.taken.load(Ordering::Relaxed).saturating_sub(failed)
    }

    fn undelivered(&self, origin: Origin, error: &KafkaError) -> Undelivered {
        Undelivered { origin, cause: explain(error, &self.settings) }
    }
}
