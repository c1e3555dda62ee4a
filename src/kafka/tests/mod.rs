//! The client's own behaviour that reading relies on, against librdkafka's mock cluster.

mod assignment;
mod producer;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::cursor::Cursor;
use super::embedded::EmbeddedBroker;
use super::gate::{Gate, MemoryBudget, Waker};
use super::native::PartitionQueue;
use super::poller::GroupContext;

const TOPIC: &str = "plays";

struct Reading {
    consumer: Arc<BaseConsumer<GroupContext>>,
    producer: BaseProducer,
    queue: PartitionQueue<GroupContext>,
    gate: Arc<Gate>,
    cursor: Cursor,
    taken: Vec<i64>,
    _broker: EmbeddedBroker,
}

impl Reading {
    fn start() -> Self {
        let broker = EmbeddedBroker::start([(TOPIC, 1)]).expect("a broker");
        let config = config(&broker);
        let consumer = consumer(&config);
        consumer.assign(&at(0)).expect("assigned");
        let waker = Arc::new(Waker::default());
        let queue = PartitionQueue::split(&consumer, TOPIC, 0, &waker).expect("a queue");
        let gate = Gate::new(1 << 20, MemoryBudget::new(1 << 20, Arc::clone(&waker)), Arc::clone(&waker));
        let producer = config.create().expect("a producer");
        Self { consumer, producer, queue, gate, cursor: Cursor::at(0), taken: Vec::new(), _broker: broker }
    }

    fn produce(&self, records: usize) {
        for _ in 0..records {
            self.producer.send(BaseRecord::<(), _>::to(TOPIC).payload("{}")).expect("queued");
        }
        self.producer.flush(Duration::from_secs(10)).expect("delivered");
    }

    /// Reads, as the poll loop does, until the log's end is seen at `end`.
    fn read_to(&mut self, end: i64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            // A consumer's own queue must be served, too.
            let _ = self.consumer.poll(Duration::from_millis(5));
            let taken = self.queue.take(&mut self.cursor, 100, &self.gate);
            if let Some(batch) = taken.batch {
                self.taken.extend(batch.iter().map(|message| message.offset));
            }
            assert_eq!(taken.error, None);
            if taken.unproven {
                let next = at(self.cursor.next());
                let answer =
                    self.consumer.seek_partitions(next.clone(), Duration::from_secs(5)).expect("asked");
                if answer.elements().iter().any(|element| element.error().is_err()) {
                    // The offset behind the log's end, where the client goes on after a pause, met the broker before a record did.
                    self.consumer.assign(&next).expect("assigned");
                }
                self.cursor.sought();
            }
            if taken.at_end && self.cursor.next() == end {
                return;
            }
            assert!(Instant::now() < deadline, "at {:?}, not at {end}", self.cursor);
        }
    }
}

/// As the engine reads, with short waits.
fn config(broker: &EmbeddedBroker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address()).set("group.id", "test");
    config.set("enable.partition.eof", "true").set("auto.offset.reset", "error");
    config.set("enable.auto.offset.store", "false").set("fetch.wait.max.ms", "20");
    config
}

fn consumer(config: &ClientConfig) -> Arc<BaseConsumer<GroupContext>> {
    Arc::new(config.create_with_context(GroupContext::default()).expect("a consumer"))
}

fn at(offset: i64) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(TOPIC, 0, Offset::Offset(offset)).expect("an offset");
    list
}

/// Every rebalance pauses and resumes what stays assigned.
#[test]
fn a_pause_at_the_end_of_the_log_leaves_no_record_out() {
    let mut reading = Reading::start();
    reading.produce(3);
    reading.read_to(3);
    for round in 1..=3 {
        reading.consumer.pause(&at(0)).expect("paused");
        reading.produce(2);
        reading.consumer.resume(&at(0)).expect("resumed");
        reading.read_to(3 + 2 * round);
    }
    assert_eq!(reading.taken, (0..9).collect::<Vec<_>>());
}

#[test]
fn a_pause_while_nothing_comes_is_no_error() {
    let mut reading = Reading::start();
    reading.produce(1);
    reading.read_to(1);
    reading.consumer.pause(&at(0)).expect("paused");
    reading.consumer.resume(&at(0)).expect("resumed");
    reading.produce(1);
    reading.read_to(2);
    assert_eq!(reading.taken, [0, 1]);
}
