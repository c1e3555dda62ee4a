//! What is known of every partition right now, shared by the poll loop, the actors, the metrics and the HTTP API.

mod progress;
mod tally;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::kafka::TopicPartition;
use crate::kafka::gate::Gate;

pub use progress::{Round, Rounds};
pub use tally::{ClientTally, Tally, Wait, now_ms};

/// Stands for "not known yet" in the atomics below.
const UNKNOWN: i64 = i64::MIN;

/// Progress of one partition; every field is written by one part and read by many.
#[derive(Debug)]
pub struct PartitionStatus {
    position: AtomicI64,
    read_until: AtomicI64,
    taken: AtomicI64,
    high_watermark: AtomicI64,
    head: AtomicI64,
    clock_ms: AtomicI64,
    oldest_pending_ms: AtomicI64,
    complete_through_ms: AtomicI64,
    uploaded_ms: AtomicI64,
    told: AtomicI64,
    epoch: AtomicU32,
    at_end: AtomicBool,
    idle: AtomicBool,
    counted: AtomicBool,
    doubted: AtomicBool,
    /// Records read from Kafka.
    pub records: AtomicU64,
    /// Bytes of record values and keys read from Kafka.
    pub bytes: AtomicU64,
    /// Counts for the metrics.
    pub tally: Tally,
    gate: OnceLock<Arc<Gate>>,
    refused: Mutex<Option<String>>,
}

impl Default for PartitionStatus {
    fn default() -> Self {
        let unknown = || AtomicI64::new(UNKNOWN);
        Self {
            position: unknown(),
            read_until: unknown(),
            taken: unknown(),
            high_watermark: unknown(),
            head: unknown(),
            clock_ms: unknown(),
            oldest_pending_ms: unknown(),
            complete_through_ms: unknown(),
            uploaded_ms: unknown(),
            told: unknown(),
            epoch: AtomicU32::new(0),
            at_end: AtomicBool::new(false),
            idle: AtomicBool::new(false),
            counted: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            tally: Tally::default(),
            gate: OnceLock::new(),
            refused: Mutex::new(None),
        }
    }
}

macro_rules! known {
    ($(#[$doc:meta] $get:ident, $set:ident;)*) => {$(
        #[$doc]
        pub fn $get(&self) -> Option<i64> {
            let value = self.$get.load(Ordering::Relaxed);
            (value != UNKNOWN).then_some(value)
        }

        #[doc = concat!("Sets [`PartitionStatus::", stringify!($get), "`].")]
        pub fn $set(&self, value: Option<i64>) {
            self.$get.store(value.unwrap_or(UNKNOWN), Ordering::Relaxed);
        }
    )*};
}

impl PartitionStatus {
    known! {
        /// Next offset to read.
        position, set_position;
        /// The log's end when the partition was taken up, where the run may end once it is read; none where it goes on.
        read_until, set_read_until;
        /// Next offset that the uploader lacks: what lies before is in the lake or in its hands.
        taken, set_taken;
        /// The log's end as the last fetch saw it.
        high_watermark, set_high_watermark;
        /// End of the last range that is wholly in the lake.
        head, set_head;
        /// The partition's event-time clock, ms since 1970.
        clock_ms, set_clock_ms;
        /// Kafka timestamp of the oldest record read but not yet in the lake, ms since 1970.
        oldest_pending_ms, set_oldest_pending_ms;
        /// No more records before this event time are expected, ms since 1970.
        complete_through_ms, set_complete_through_ms;
        /// Up to which offset the windows' counts of late records are in the tally.
        told, set_told;
        /// When a range was last finished in the lake, ms since 1970 by the wall clock.
        uploaded_ms, set_uploaded_ms;
    }

    /// Offsets of the log that are not in the lake yet; none before both ends are known.
    pub fn lag_records(&self) -> Option<i64> {
        let (high, head) = self.high_watermark().zip(self.head())?;
        // What is behind the head at the log's end, with nothing pending, are control and aborted records.
        let settled = self.at_end() && self.oldest_pending_ms().is_none() && self.position() >= Some(high);
        Some(if settled { 0 } else { (high - head).max(0) })
    }

    /// Age, at `now` (ms), of the oldest record that is not in the lake yet, in seconds; of records that were not
    /// even read, since when they are known to wait. 0 when there are none; none before anything is known.
    pub fn lag_seconds(&self, now: i64) -> Option<f64> {
        match self.oldest_pending_ms().or(self.tally.unread_since_ms()) {
            Some(since) => Some((now - since).max(0) as f64 / 1000.0),
            None => self.high_watermark().or(self.head()).map(|_| 0.0),
        }
    }

    /// The gate that its records pass; none before a consumer was made.
    pub fn gate(&self) -> Option<&Arc<Gate>> {
        self.gate.get()
    }

    /// Sets [`PartitionStatus::gate`], once.
    pub fn set_gate(&self, gate: &Arc<Gate>) {
        self.gate.get_or_init(|| Arc::clone(gate));
    }

    /// Whether the last fetch met the end of the log.
    pub fn at_end(&self) -> bool {
        self.at_end.load(Ordering::Relaxed)
    }

    /// Sets [`PartitionStatus::at_end`].
    pub fn set_at_end(&self, at_end: bool) {
        self.at_end.store(at_end, Ordering::Relaxed);
    }

    /// The topic's epoch; 0 before it is known.
    pub fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Sets [`PartitionStatus::epoch`].
    pub fn set_epoch(&self, epoch: u32) {
        self.epoch.store(epoch, Ordering::Relaxed);
    }

    /// Whether the partition holds back no watermark.
    pub fn idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    /// Sets [`PartitionStatus::idle`].
    pub fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::Relaxed);
    }

    /// Whether the windows count the partition: not before it was taken up there, and not while it is rebuilt from the lake.
    pub fn counted(&self) -> bool {
        self.counted.load(Ordering::Relaxed)
    }

    /// Sets [`PartitionStatus::counted`].
    pub fn set_counted(&self, counted: bool) {
        self.counted.store(counted, Ordering::Relaxed);
    }

    /// Whether the log was found not to hold what comes next, and nobody has told yet why.
    pub fn is_doubted(&self) -> bool {
        self.doubted.load(Ordering::Relaxed)
    }

    /// Sets [`PartitionStatus::is_doubted`].
    pub fn set_doubted(&self, doubted: bool) {
        self.doubted.store(doubted, Ordering::Relaxed);
    }

    /// Why the partition is stopped until an operator acts, if it is.
    pub fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets [`PartitionStatus::refused`].
    pub fn set_refused(&self, why: Option<String>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }
}

/// Status of all partitions that are assigned to this process.
#[derive(Debug, Clone, Default)]
pub struct StatusBoard {
    partitions: Arc<Mutex<BTreeMap<TopicPartition, Arc<PartitionStatus>>>>,
    watermark: Arc<Mutex<Option<i64>>>,
    topics: Arc<Mutex<BTreeMap<String, usize>>>,
    client: Arc<ClientTally>,
    rounds: Arc<Rounds>,
}

impl StatusBoard {
    /// The partition's status, made on first use.
    pub fn partition(&self, partition: &TopicPartition) -> Arc<PartitionStatus> {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(partitions.entry(partition.clone()).or_default())
    }

    /// The partition's status, if it is assigned.
    pub fn get(&self, partition: &TopicPartition) -> Option<Arc<PartitionStatus>> {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).get(partition).map(Arc::clone)
    }

    /// Counts of the Kafka client.
    pub fn client(&self) -> &Arc<ClientTally> {
        &self.client
    }

    /// When the parts that no supervisor watches last came round.
    pub fn rounds(&self) -> &Arc<Rounds> {
        &self.rounds
    }

    /// Forgets a partition that is no longer ours, so that its series disappear.
    pub fn remove(&self, partition: &TopicPartition) {
        self.partitions.lock().unwrap_or_else(PoisonError::into_inner).remove(partition);
    }

    /// How many partitions each topic has in all, whoever holds them.
    pub fn topic_partitions(&self) -> BTreeMap<String, usize> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets one topic's [`StatusBoard::topic_partitions`].
    pub fn set_topic_partitions(&self, topic: &str, count: usize) {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), count);
    }

    /// Event-time watermark over all partitions, ms since 1970.
    pub fn watermark(&self) -> Option<i64> {
        *self.watermark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets [`StatusBoard::watermark`].
    pub fn set_watermark(&self, watermark: Option<i64>) {
        *self.watermark.lock().unwrap_or_else(PoisonError::into_inner) = watermark;
    }

    /// Every partition in order.
    pub fn all(&self) -> Vec<(TopicPartition, Arc<PartitionStatus>)> {
        let partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        partitions.iter().map(|(partition, status)| (partition.clone(), Arc::clone(status))).collect()
    }
}
