//! When the client begins to read a partition, and when it stops: offsets that the log does not hold, ends, and sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix::prelude::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{TOPIC, at, config, consumer};
use crate::kafka::TopicPartition;
use crate::kafka::assignment::assign_paused;
use crate::kafka::embedded::EmbeddedBroker;
use crate::kafka::flow::{REST, SILENCE, Slot};
use crate::kafka::gate::{Gate, MemoryBudget, Waker};
use crate::kafka::native::client::cached_high_watermark;
use crate::kafka::poller::{GroupContext, Reader, Reading, Sink};
use crate::messages::{FetchFailed, Fetched};
use crate::status::StatusBoard;

/// Takes all and keeps only that reading failed.
struct Taker(Arc<AtomicBool>);

impl Actor for Taker {
    type Context = Context<Self>;
}

impl Handler<Fetched> for Taker {
    type Result = ();

    fn handle(&mut self, _: Fetched, _: &mut Context<Self>) {}
}

impl Handler<FetchFailed> for Taker {
    type Result = ();

    fn handle(&mut self, _: FetchFailed, _: &mut Context<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One partition, whose log is empty, on a poll loop that the test turns.
struct Bench {
    broker: EmbeddedBroker,
    consumer: Arc<BaseConsumer<GroupContext>>,
    partition: TopicPartition,
    board: StatusBoard,
    waker: Arc<Waker>,
    slot: Slot,
    failed: Arc<AtomicBool>,
    now: Instant,
}

impl Bench {
    /// Assigned at an offset that the log does not hold.
    fn start() -> Self {
        let broker = EmbeddedBroker::start([(TOPIC, 2)]).expect("a broker");
        let consumer = consumer(&config(&broker));
        let (board, waker) = (StatusBoard::default(), Arc::new(Waker::default()));
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        let mut queues = assign_paused(&consumer, &at(7), &waker).expect("assigned");
        let slot = Slot::new(queues.remove(0).1, board.partition(&partition));
        let (failed, now) = (Arc::default(), Instant::now());
        Self { broker, consumer, partition, board, waker, slot, failed, now }
    }

    fn read_from(&mut self, offset: i64) {
        self.read_for(Reader::numbered(), offset);
    }

    fn read_for(&mut self, reader: Reader, offset: i64) {
        let taker = Taker(Arc::clone(&self.failed)).start();
        let gate =
            Gate::new(1 << 20, MemoryBudget::new(1 << 20, Arc::clone(&self.waker)), Arc::clone(&self.waker));
        let sink = Sink { fetched: taker.clone().recipient(), failed: taker.recipient() };
        self.slot.start(offset, Reading { reader, generation: 1 }, gate, sink);
    }

    fn serve(&mut self) {
        self.slot.serve(&self.consumer, &self.partition, self.now);
    }

    /// Turns until `done`.
    async fn turn(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "{what}");
            let _ = self.consumer.poll(Duration::from_millis(1));
            self.serve();
            // The sink's actor has its turn.
            actix::clock::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Whether records are said to wait unread.
    fn waits(&self) -> bool {
        self.board.partition(&self.partition).tally.unread_since_ms().is_some()
    }

    fn position(&self) -> Option<i64> {
        self.board.partition(&self.partition).position()
    }

    /// Has another partition of the same broker fetched, too: what a fetch brings of it shows that this one had its chance.
    fn assign_the_other(&self) {
        let mut other = TopicPartitionList::new();
        other.add_partition_offset(TOPIC, 1, Offset::Offset(0)).expect("an offset");
        self.consumer.incremental_assign(&other).expect("assigned");
    }

    /// Has the other partition grow, turns until that is fetched, and takes what came with it: twice, for the first fetch may
    /// have been under way before.
    async fn fetch_the_other(&mut self) {
        for _ in 0..2 {
            let end = self.fetched(1).unwrap_or(0) + 1;
            self.produce(1);
            self.turn("the other partition is fetched", |bench| bench.fetched(1) == Some(end)).await;
            self.serve();
        }
    }

    /// The end of a partition's log as the last fetch saw it.
    fn fetched(&self, partition: i32) -> Option<i64> {
        cached_high_watermark(&self.consumer, TOPIC, partition)
    }

    fn produce(&self, partition: i32) {
        let producer: BaseProducer = config(&self.broker).create().expect("a producer");
        producer.send(BaseRecord::<(), _>::to(TOPIC).partition(partition).payload("{}")).expect("queued");
        producer.flush(Duration::from_secs(10)).expect("delivered");
    }
}

#[test]
fn nothing_is_fetched_before_the_offset_to_read_from_is_known() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.assign_the_other();
        bench.turn("the other partition is fetched", |bench| bench.fetched(1).is_some()).await;
        assert_eq!(bench.fetched(0), None);
        bench.read_from(0);
        bench.turn("the end is seen", |bench| bench.position() == Some(0)).await;
        assert_eq!(bench.slot.stopped_at(), None);
    });
}

#[test]
fn who_was_made_earlier_neither_begins_nor_ends_a_reading() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        let (older, newer) = (Reader::numbered(), Reader::numbered());
        bench.read_for(newer, 0);
        bench.read_for(older, 7);
        bench.slot.stop(Some(older));
        bench.turn("the end is seen", |bench| bench.position() == Some(0)).await;
        bench.slot.read_watermark(&bench.consumer, &bench.partition);
        assert!(!bench.waits());
        bench.slot.stop(Some(newer));
        bench.slot.read_watermark(&bench.consumer, &bench.partition);
        assert!(bench.waits(), "of what nobody reads nobody knows that nothing waits");
    });
}

#[test]
fn a_client_that_stopped_out_of_range_reads_on_when_it_is_assigned_anew() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.read_from(5);
        bench.turn("the client is out of range", |bench| bench.failed.load(Ordering::Relaxed)).await;
        bench.read_from(0);
        bench.turn("a seek is refused", |bench| bench.slot.stopped_at() == Some(0)).await;
        bench.slot.read_watermark(&bench.consumer, &bench.partition);
        assert!(bench.waits(), "a partition that is not read looks as if nothing waited");
        bench.slot.start_anew(&bench.consumer, &bench.partition, &bench.waker).expect("assigned");
        bench.turn("the end is seen", |bench| bench.position() == Some(0)).await;
        bench.slot.read_watermark(&bench.consumer, &bench.partition);
        assert!(!bench.waits());
        // What has come wakes the poll loop, as before.
        bench.waker.wait(Duration::ZERO);
        bench.produce(0);
        let start = Instant::now();
        bench.waker.wait(Duration::from_secs(20));
        assert!(start.elapsed() < Duration::from_secs(10), "nobody woke it");
        bench.turn("the record is read", |bench| bench.position() == Some(1)).await;
    });
}

#[test]
fn a_partition_that_was_read_to_its_end_rests_and_is_read_on() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.assign_the_other();
        bench.board.partition(&bench.partition).set_read_until(Some(1));
        bench.read_from(0);
        bench.turn("the end is seen", |bench| bench.position() == Some(0)).await;
        bench.produce(0);
        bench.turn("it did not rest before its time", |bench| bench.position() == Some(1)).await;
        bench.turn("the end is seen", |bench| bench.board.partition(&bench.partition).at_end()).await;
        bench.produce(0);
        bench.fetch_the_other().await;
        assert_eq!((bench.fetched(0), bench.position()), (Some(1), Some(1)));
        bench.now += REST;
        bench.turn("it is read on", |bench| bench.position() == Some(2)).await;
    });
}

#[test]
fn a_client_that_says_nothing_is_told_to_read_again() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.assign_the_other();
        bench.read_from(0);
        bench.serve();
        // As if the resumption had been lost.
        bench.consumer.pause(&at(0)).expect("paused");
        bench.fetch_the_other().await;
        assert_eq!(bench.position(), None);
        bench.now += SILENCE;
        bench.serve();
        bench.serve();
        // Lost once more.
        bench.consumer.pause(&at(0)).expect("paused");
        bench.fetch_the_other().await;
        bench.now += SILENCE;
        bench.serve();
        bench.serve();
        bench.fetch_the_other().await;
        assert_eq!(bench.position(), None, "what takes long is given more time");
        bench.now += SILENCE;
        bench.turn("the end is seen", |bench| bench.position() == Some(0)).await;
    });
}

#[test]
fn a_client_that_did_not_begin_is_assigned_the_partition_anew() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.assign_the_other();
        // It refuses to seek then, as where the order to begin was lost.
        bench.consumer.incremental_unassign(&at(7)).expect("unassigned");
        bench.read_from(0);
        bench.serve();
        bench.fetch_the_other().await;
        assert_eq!((bench.slot.stopped_at(), bench.position()), (None, None));
        bench.now += SILENCE;
        bench.turn("it is taken to have stopped", |bench| bench.slot.stopped_at() == Some(0)).await;
    });
}

#[test]
fn a_client_that_sleeps_reads_at_once_where_it_is_told_to() {
    System::new().block_on(async {
        let mut bench = Bench::start();
        bench.produce(0);
        let mut waited = Duration::ZERO;
        for _ in 0..10 {
            // With nothing to fetch the client's thread sleeps for up to a second.
            bench.consumer.pause(&at(1)).expect("paused");
            actix::clock::sleep(Duration::from_millis(50)).await;
            bench.read_from(1);
            let start = Instant::now();
            bench.turn("the end is seen", |bench| bench.board.partition(&bench.partition).at_end()).await;
            waited += start.elapsed();
        }
        assert!(waited < Duration::from_secs(5), "{waited:?} in ten times");
    });
}
