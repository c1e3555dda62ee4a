//! A log in memory: what the poll loop and the broker are to the actors.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::prelude::SendError;
use async_trait::async_trait;
use tokio::sync::watch;

use crate::kafka::gate::Gate;
use crate::kafka::native::{FetchError, FetchedBatch};
use crate::kafka::poller::{Feed, Reader, Reading, Sink};
use crate::kafka::{CommittedOffset, Log, LogBounds, LogError, TopicIdentity, TopicPartition};
use crate::messages::{FetchFailed, Fetched};
use crate::status::PartitionStatus;

const RECORDS_PER_BATCH: usize = 50;
/// Partitions of the topic, of which the test's engine is assigned one.
pub const PARTITIONS: usize = 3;
/// When the first listen was, ms since 1970: within what is plausible of records that bear no time of their own.
const FIRST: usize = 80_000_000;
/// The record that comes late.
const LATE: usize = 7;
const PAUSE: Duration = Duration::from_millis(10);

/// What a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extent {
    /// First offset that is retained.
    start: usize,
    end: usize,
}

/// One partition's log.
#[derive(Debug)]
pub struct Broker {
    values: Vec<Vec<u8>>,
    /// What takes their place once the log was cut off.
    others: Vec<Vec<u8>>,
    cut_off: AtomicBool,
    extent: watch::Sender<Extent>,
    status: Arc<PartitionStatus>,
    /// Who reads; grows, as in production.
    reading: watch::Sender<Option<Reading>>,
    /// How often a batch met a full mailbox.
    pub refused: AtomicU64,
    /// Records handed over, those that were handed over again included.
    pub sent: AtomicU64,
    /// Whether questions go without an answer.
    pub fails: AtomicBool,
    /// Whether those to the partition's leader do.
    pub leaderless: AtomicBool,
    /// Records before this offset only are given.
    pub gives: AtomicUsize,
    /// What the next reading of the log fails with, once it has come to the end.
    pub failure: Mutex<Option<FetchError>>,
    /// Whether each one after it does.
    pub failure_lasts: AtomicBool,
    committed: Mutex<Option<CommittedOffset>>,
    topic_id: Mutex<Option<String>>,
    this: Weak<Broker>,
}

impl Broker {
    /// A log of `records` listens, one each second, but for one that comes an hour late.
    pub fn with_listens(records: usize, status: Arc<PartitionStatus>) -> Arc<Self> {
        let listen = |artist: &str, number: usize| {
            let late = if number == LATE { 3_600_000 } else { 0 };
            let (ts, user) = (FIRST + number * 1000 - late, number % 7);
            format!(
                r#"{{"artist":"{artist}","song":"S{}","duration":200.0,"ts":{ts},"sessionId":1,"level":"free","userId":{user}}}"#,
                number % 5
            )
            .into_bytes()
        };
        Arc::new_cyclic(|this| Self {
            values: (0..records).map(|number| listen("A", number)).collect(),
            others: (0..records).map(|number| listen("B", number)).collect(),
            cut_off: AtomicBool::new(false),
            extent: watch::Sender::new(Extent { start: 0, end: records }),
            status,
            reading: watch::Sender::new(None),
            refused: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            leaderless: AtomicBool::new(false),
            gives: AtomicUsize::new(usize::MAX),
            failure: Mutex::default(),
            failure_lasts: AtomicBool::new(false),
            committed: Mutex::default(),
            topic_id: Mutex::new(Some("first".to_owned())),
            this: this.clone(),
        })
    }

    pub fn len(&self) -> usize {
        self.extent.borrow().end
    }

    /// The log holds `[start, end)` from now on.
    pub fn hold(&self, start: usize, end: usize) {
        assert!(end <= self.values.len(), "there are no more records");
        self.extent.send_replace(Extent { start, end });
    }

    /// What the broker says of the topic from now on.
    pub fn set_topic_id(&self, id: &str) {
        *self.topic_id.lock().expect("no panic holds it") = Some(id.to_owned());
    }

    /// The log was cut off at its beginning, has grown again to where it ended, of other artists, and the client notices.
    pub fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Relaxed);
        self.fail(FetchError::OffsetOutOfRange { asked: self.len() as i64 });
    }

    /// The log was cut off at its beginning and has grown again to `end`, of other artists; the client notices nothing yet.
    pub fn cut_off_unnoticed(&self, end: usize) {
        self.cut_off.store(true, Ordering::Relaxed);
        self.hold(0, end);
    }

    /// Says why there is no more to read, the next time that there is not.
    pub fn fail(&self, error: FetchError) {
        *self.failure.lock().expect("no panic holds it") = Some(error);
        self.extent.send_modify(|_| ());
    }

    async fn send_all(self: Arc<Self>, mut at: usize, reading: Reading, gate: Arc<Gate>, sink: Sink) {
        let mut changes = self.extent.subscribe();
        let mut others = self.reading.subscribe();
        loop {
            let Extent { start, end } = *changes.borrow_and_update();
            if at < start {
                let error = FetchError::OffsetOutOfRange { asked: at as i64 };
                sink.failed.do_send(FetchFailed { reading, error });
                return;
            }
            let end = end.min(self.gives.load(Ordering::Relaxed));
            if !self.send_up_to(end, &mut at, reading, &gate, &sink).await {
                return;
            }
            let failure = self.failure.lock().expect("no panic holds it").take();
            if let Some(error) = failure {
                if self.failure_lasts.load(Ordering::Relaxed) {
                    *self.failure.lock().expect("no panic holds it") = Some(error);
                }
                sink.failed.do_send(FetchFailed { reading, error });
                return;
            }
            self.status.set_position(Some(at as i64));
            self.status.set_at_end(true);
            let replaced = others.wait_for(|current| *current != Some(reading));
            tokio::select! {
                _ = replaced => return,
                _ = changes.changed() => self.status.set_at_end(false),
            }
        }
    }

    /// False where somebody else reads now, or nobody.
    async fn send_up_to(
        &self,
        end: usize,
        at: &mut usize,
        reading: Reading,
        gate: &Arc<Gate>,
        sink: &Sink,
    ) -> bool {
        let current = || *self.reading.borrow() == Some(reading);
        while *at < end {
            let log = if self.cut_off.load(Ordering::Relaxed) { &self.others } else { &self.values };
            let values = &log[*at..end.min(*at + RECORDS_PER_BATCH)];
            let mut fetched = Fetched { reading, batch: FetchedBatch::of_values(*at as i64, values, gate) };
            loop {
                if !current() {
                    return false;
                }
                match sink.fetched.try_send(fetched) {
                    Ok(()) => break,
                    Err(SendError::Full(back)) => fetched = back,
                    Err(SendError::Closed(_)) => return false,
                }
                self.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            self.sent.fetch_add(values.len() as u64, Ordering::Relaxed);
            *at += values.len();
            self.status.set_position(Some(*at as i64));
            while !gate.is_open() && current() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        current()
    }
}

impl Feed for Broker {
    fn start(&self, _: &TopicPartition, offset: i64, reading: Reading, gate: Arc<Gate>, sink: Sink) {
        if *self.reading.borrow() > Some(reading) {
            return;
        }
        self.reading.send_replace(Some(reading));
        self.status.set_at_end(false);
        let this = self.this.upgrade().expect("the broker lives");
        actix::spawn(this.send_all(offset as usize, reading, gate, sink));
    }

    fn stop(&self, _: &TopicPartition, reader: Option<Reader>) {
        self.reading.send_if_modified(|current| {
            let stops = current.is_some_and(|current| reader.is_none_or(|reader| reader == current.reader));
            current.take_if(|_| stops).is_some()
        });
    }

    fn release(&self, _: Vec<TopicPartition>) {
        self.status.set_at_end(false);
    }
}

#[async_trait]
impl Log for Broker {
    async fn bounds(&self, _: &TopicPartition) -> Result<LogBounds, LogError> {
        if self.fails.load(Ordering::Relaxed) || self.leaderless.load(Ordering::Relaxed) {
            return Err(LogError::Unavailable("no answer".into()));
        }
        let Extent { start, end } = *self.extent.borrow();
        Ok(LogBounds { start: start as i64, end: end as i64 })
    }

    async fn identity(&self, _: &str) -> Result<TopicIdentity, LogError> {
        if self.fails.load(Ordering::Relaxed) {
            return Err(LogError::Unavailable("no answer".into()));
        }
        let topic_id = self.topic_id.lock().expect("no panic holds it").clone();
        Ok(TopicIdentity { cluster_id: None, topic_id })
    }

    async fn is_compacted(&self, _: &str) -> Result<bool, LogError> {
        Ok(false)
    }

    async fn partitions(&self, _: &str) -> Result<usize, LogError> {
        Ok(PARTITIONS)
    }

    async fn committed(&self, _: &TopicPartition) -> Result<Option<CommittedOffset>, LogError> {
        Ok(*self.committed.lock().expect("no panic holds it"))
    }

    fn commit(&self, _: &TopicPartition, hint: CommittedOffset) {
        *self.committed.lock().expect("no panic holds it") = Some(hint);
    }
}
