//! A log in memory: what the poll loop and the broker are to the actors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use actix::prelude::SendError;
use async_trait::async_trait;

use crate::kafka::gate::Gate;
use crate::kafka::native::FetchedBatch;
use crate::kafka::poller::{Feed, Sink};
use crate::kafka::{CommittedOffset, Log, LogBounds, LogError, TopicIdentity, TopicPartition};
use crate::messages::Fetched;
use crate::status::PartitionStatus;

const RECORDS_PER_BATCH: usize = 50;
/// Partitions of the topic, of which the test's engine is assigned one.
pub const PARTITIONS: usize = 3;
const PAUSE: Duration = Duration::from_millis(10);

/// One partition's log.
#[derive(Debug)]
pub struct Broker {
    values: Vec<Vec<u8>>,
    status: Arc<PartitionStatus>,
    /// Counts calls of `start` and `stop`: a flow ends when another has begun.
    flow: AtomicU64,
    /// How often a batch met a full mailbox.
    pub refused: AtomicU64,
    /// Whether questions about the topic go without an answer.
    pub fails: AtomicBool,
    committed: Mutex<Option<CommittedOffset>>,
    topic_id: Mutex<Option<String>>,
    this: Weak<Broker>,
}

impl Broker {
    /// A log of `records` listens, one each second.
    pub fn with_listens(records: usize, status: Arc<PartitionStatus>) -> Arc<Self> {
        let listen = |number: usize| {
            let (ts, user) = (number * 1000, number % 7);
            format!(
                r#"{{"artist":"A","song":"S{}","duration":200.0,"ts":{ts},"sessionId":1,"level":"free","userId":{user}}}"#,
                number % 5
            )
            .into_bytes()
        };
        Arc::new_cyclic(|this| Self {
            values: (0..records).map(listen).collect(),
            status,
            flow: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            fails: AtomicBool::new(false),
            committed: Mutex::default(),
            topic_id: Mutex::new(Some("first".to_owned())),
            this: this.clone(),
        })
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// What the broker says of the topic from now on.
    pub fn set_topic_id(&self, id: &str) {
        *self.topic_id.lock().expect("no panic holds it") = Some(id.to_owned());
    }

    async fn send_all(
        self: Arc<Self>,
        flow: u64,
        mut at: usize,
        generation: u64,
        gate: Arc<Gate>,
        sink: Sink,
    ) {
        let current = || self.flow.load(Ordering::Relaxed) == flow;
        while at < self.values.len() {
            let values = &self.values[at..self.values.len().min(at + RECORDS_PER_BATCH)];
            let mut fetched =
                Fetched { generation, batch: FetchedBatch::of_values(at as i64, values, &gate) };
            loop {
                if !current() {
                    return;
                }
                match sink.fetched.try_send(fetched) {
                    Ok(()) => break,
                    Err(SendError::Full(back)) => fetched = back,
                    Err(SendError::Closed(_)) => return,
                }
                self.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            at += values.len();
            self.status.set_position(Some(at as i64));
            while !gate.is_open() && current() {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.status.set_at_end(current());
    }
}

impl Feed for Broker {
    fn start(&self, _: &TopicPartition, offset: i64, generation: u64, gate: Arc<Gate>, sink: Sink) {
        let flow = self.flow.fetch_add(1, Ordering::Relaxed) + 1;
        self.status.set_at_end(false);
        let this = self.this.upgrade().expect("the broker lives");
        actix::spawn(this.send_all(flow, offset as usize, generation, gate, sink));
    }

    fn stop(&self, _: &TopicPartition) {
        self.flow.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&self, _: Vec<TopicPartition>) {
        self.status.set_at_end(false);
    }
}

#[async_trait]
impl Log for Broker {
    async fn bounds(&self, _: &TopicPartition) -> Result<LogBounds, LogError> {
        Ok(LogBounds { start: 0, end: self.values.len() as i64 })
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
