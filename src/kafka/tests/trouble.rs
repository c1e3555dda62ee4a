//! The poll loop on a cluster whose leaders move and whose brokers refuse: every record comes once, in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actix::prelude::*;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};

use crate::config::load;
use crate::kafka::gate::{Gate, MemoryBudget, Waker};
use crate::kafka::log::KafkaLog;
use crate::kafka::poller::{self, Feed, Poller, Sink};
use crate::kafka::{CommittedOffset, Log, TopicPartition};
use crate::messages::{FetchFailed, Fetched, GroupEvent};
use crate::pipeline::consumer_config;
use crate::status::StatusBoard;

const TOPIC: &str = "listen_events";
const PARTITIONS: i32 = 2;
const ALL: std::ops::Range<i32> = 0..PARTITIONS;
const BROKERS: i32 = 3;

/// What was read, by partition.
type Read = Arc<Mutex<BTreeMap<i32, Vec<i64>>>>;

/// Supervisor and partition consumers in one: reads on where it is, again and again, and keeps the offsets.
struct Reader {
    feed: Option<Poller>,
    /// Came before the feed was known.
    early: Vec<GroupEvent>,
    read: Read,
    /// How often the topic was said to be missing.
    missing: Arc<AtomicU64>,
    gate: Arc<Gate>,
    /// Its remainder by the partitions' number is the partition.
    generation: u64,
    current: BTreeMap<i32, u64>,
}

impl Reader {
    fn start(&mut self, partition: i32, address: Addr<Self>) {
        let Some(feed) = &self.feed else { return };
        self.generation += 1;
        let generation = self.generation * PARTITIONS as u64 + partition as u64;
        self.current.insert(partition, generation);
        let read = self.read.lock().expect("no panic holds it");
        let next = read.get(&partition).and_then(|offsets| offsets.last()).map_or(0, |last| last + 1);
        let sink = Sink { fetched: address.clone().recipient(), failed: address.recipient() };
        let partition = TopicPartition { topic: TOPIC.into(), partition };
        let reading = poller::Reading { reader: poller::Reader::numbered(), generation };
        feed.start(&partition, next, reading, Arc::clone(&self.gate), sink);
    }

    fn partition(&self, generation: u64) -> Option<i32> {
        let partition = (generation % PARTITIONS as u64) as i32;
        (self.current.get(&partition) == Some(&generation)).then_some(partition)
    }
}

impl Actor for Reader {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Begin(Poller);

impl Handler<Begin> for Reader {
    type Result = ();

    fn handle(&mut self, Begin(feed): Begin, ctx: &mut Context<Self>) {
        self.feed = Some(feed);
        std::mem::take(&mut self.early).into_iter().for_each(|event| self.handle(event, ctx));
    }
}

impl Handler<GroupEvent> for Reader {
    type Result = ();

    fn handle(&mut self, event: GroupEvent, ctx: &mut Context<Self>) {
        let Some(feed) = self.feed.clone() else { return self.early.push(event) };
        match event {
            GroupEvent::Assigned(partitions) => {
                partitions.iter().for_each(|assigned| self.start(assigned.partition, ctx.address()));
            }
            GroupEvent::Revoked { partitions, lost } => {
                for revoked in &partitions {
                    self.current.remove(&revoked.partition);
                }
                if !lost {
                    feed.release(partitions);
                }
            }
            GroupEvent::TopicMissing => {
                self.missing.fetch_add(1, Ordering::Relaxed);
            }
            GroupEvent::Denied(why) | GroupEvent::Fatal(why) => panic!("{why}"),
        }
    }
}

impl Handler<Fetched> for Reader {
    type Result = ();

    fn handle(&mut self, fetched: Fetched, _: &mut Context<Self>) {
        let Some(partition) = self.partition(fetched.reading.generation) else { return };
        let mut read = self.read.lock().expect("no panic holds it");
        read.entry(partition).or_default().extend(fetched.batch.iter().map(|message| message.offset));
    }
}

impl Handler<FetchFailed> for Reader {
    type Result = ();

    /// As a consumer that dies and is started again.
    fn handle(&mut self, failed: FetchFailed, ctx: &mut Context<Self>) {
        if let Some(partition) = self.partition(failed.reading.generation) {
            self.start(partition, ctx.address());
        }
    }
}

/// A cluster with a poll loop on it.
struct Trouble {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
    poller: Poller,
    log: KafkaLog,
    board: StatusBoard,
    read: Read,
    missing: Arc<AtomicU64>,
    sent: [i64; PARTITIONS as usize],
}

impl Trouble {
    fn start(configure: impl FnOnce(&mut ClientConfig)) -> Self {
        let cluster = MockCluster::new(BROKERS).expect("a cluster");
        cluster.create_topic(TOPIC, PARTITIONS, BROKERS).expect("a topic");
        let environment = [
            ("BEATLYTICA__KAFKA__BROKERS", cluster.bootstrap_servers()),
            ("BEATLYTICA__KAFKA__METADATA_INTERVAL", "1s".to_owned()),
            ("BEATLYTICA__KAFKA__SESSION_TIMEOUT", "6s".to_owned()),
            ("BEATLYTICA__KAFKA__PROPERTIES__HEARTBEAT_INTERVAL_MS", "100".to_owned()),
        ];
        let settings = load(None, environment.map(|(name, value)| (name.to_owned(), value)), &[]);
        let mut config = consumer_config(&settings.expect("settings").settings, PARTITIONS as usize);
        configure(&mut config);
        let waker = Arc::new(Waker::default());
        let gate = Gate::new(1 << 20, MemoryBudget::new(1 << 20, Arc::clone(&waker)), Arc::clone(&waker));
        let (read, missing) = (Read::default(), Arc::<AtomicU64>::default());
        let reader = Reader {
            feed: None,
            early: Vec::new(),
            read: Arc::clone(&read),
            missing: Arc::clone(&missing),
            gate,
            generation: 0,
            current: BTreeMap::new(),
        }
        .start();
        let board = StatusBoard::default();
        let topics = [TOPIC.to_owned()];
        let spawned = poller::spawn(&config, &topics, reader.clone().recipient(), waker, board.clone());
        let (poller, consumer) = spawned.expect("a poll loop");
        reader.do_send(Begin(poller.clone()));
        let log = KafkaLog::new(consumer, &config, Duration::from_secs(10)).expect("a log");
        let mut producer = ClientConfig::new();
        producer.set("bootstrap.servers", cluster.bootstrap_servers()).set("linger.ms", "0");
        producer.set("topic.metadata.refresh.interval.ms", "200");
        let producer = producer.create().expect("a producer");
        Self { cluster, producer, poller, log, board, read, missing, sent: [0; PARTITIONS as usize] }
    }

    /// Sends some records to each of `partitions` and waits until they were read.
    async fn go_on(&mut self, what: &str, partitions: std::ops::Range<i32>) {
        const RECORDS: i64 = 20;
        for partition in partitions {
            for _ in 0..RECORDS {
                let record = BaseRecord::<(), _>::to(TOPIC).partition(partition).payload("{}");
                self.producer.send(record).expect("queued");
            }
            self.sent[partition as usize] += RECORDS;
        }
        self.producer.flush(Duration::from_secs(20)).expect("delivered");
        let deadline = Instant::now() + Duration::from_secs(40);
        while !self.has_all() {
            assert!(Instant::now() < deadline, "{what}: {:?} of {:?}", self.read, self.sent);
            assert!(self.poller.is_alive(), "{what}: the poll loop has ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for (partition, offsets) in &*self.read.lock().expect("no panic holds it") {
            let expected: Vec<_> = (0..self.sent[*partition as usize]).collect();
            assert_eq!(*offsets, expected, "{what}: partition {partition}");
        }
    }

    fn has_all(&self) -> bool {
        let read = self.read.lock().expect("no panic holds it");
        let last = |partition: i32| read.get(&partition)?.last().copied();
        (0..PARTITIONS).all(|partition| last(partition) == Some(self.sent[partition as usize] - 1))
    }

    fn move_leader(&self, partition: i32, to: i32) {
        self.cluster.partition_leader(TOPIC, partition, Some(to)).expect("moved");
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        self.poller.close();
    }
}

/// Runs `test` in an actix system.
fn with_trouble<F: Future<Output = ()>>(test: impl FnOnce(Trouble) -> F) {
    System::new().block_on(async { test(Trouble::start(|_| {})).await });
}

/// Log lines, some hundreds while the group is joined, share a queue with the assignment.
#[test]
fn a_client_that_says_much_joins_the_group_at_once() {
    System::new().block_on(async {
        let start = Instant::now();
        let mut trouble = Trouble::start(|config| {
            config.set("debug", "all").set_log_level(RDKafkaLogLevel::Debug);
        });
        trouble.go_on("at first", ALL).await;
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    });
}

#[test]
fn an_error_of_the_client_is_counted_once() {
    with_trouble(|trouble| async move {
        let unknown = Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        trouble.cluster.topic_error(TOPIC, unknown).expect("set");
        let counted = || {
            trouble.board.client().errors().find(|(trouble, _)| *trouble == "other").map(|(_, count)| count)
        };
        let deadline = Instant::now() + Duration::from_secs(40);
        loop {
            let told = trouble.missing.load(Ordering::Relaxed);
            if told > 0 && counted() == Some(told) {
                return;
            }
            assert!(Instant::now() < deadline, "told {told} times, counted {:?}", counted());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn leaders_that_move_lose_and_repeat_nothing() {
    with_trouble(|mut trouble| async move {
        trouble.go_on("at first", ALL).await;
        for round in 1..=2 * BROKERS {
            for partition in 0..PARTITIONS {
                trouble.move_leader(partition, (round + partition) % BROKERS + 1);
            }
            trouble.go_on(&format!("move {round}"), ALL).await;
        }
    });
}

const PASSING: [Code; 5] = [
    Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    Code::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    Code::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
    Code::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN,
];
const OF_THE_GROUP: [Code; 7] = [
    Code::RD_KAFKA_RESP_ERR__TRANSPORT,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
    Code::RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
    Code::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
    Code::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
    Code::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
];

/// Each request of `requests` fails with each code in turn.
fn fail(requests: &[(Api, &[Code])]) {
    with_trouble(|mut trouble| async move {
        trouble.go_on("at first", ALL).await;
        for (request, codes) in requests {
            for &code in *codes {
                let what = format!("{code:?} to {request:?}");
                trouble.cluster.request_errors(*request, &[code]);
                trouble.log_is_asked().await;
                trouble.go_on(&what, ALL).await;
                trouble.cluster.clear_request_errors(*request);
            }
        }
    });
}

#[test]
fn requests_for_records_that_fail_are_made_again() {
    fail(&[
        (Api::Fetch, &[Code::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE]),
        (Api::Fetch, &PASSING),
        (Api::ListOffsets, &PASSING),
        (Api::Metadata, &PASSING[..2]),
    ]);
}

#[test]
fn requests_about_offsets_that_fail_are_made_again() {
    fail(&[(Api::OffsetCommit, &OF_THE_GROUP), (Api::OffsetFetch, &OF_THE_GROUP[..4])]);
}

#[test]
fn requests_to_the_group_that_fail_are_made_again() {
    fail(&[
        (Api::FindCoordinator, &OF_THE_GROUP[..2]),
        (Api::Heartbeat, &OF_THE_GROUP),
        (Api::JoinGroup, &OF_THE_GROUP[..2]),
    ]);
}

impl Trouble {
    /// Asks what an uploader asks; that it may fail is the caller's business, that it ends is this test's.
    async fn log_is_asked(&self) {
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        self.log.commit(&partition, CommittedOffset { offset: self.sent[0], entry_start: 0 });
        let _ = self.log.committed(&partition).await;
        let _ = self.log.bounds(&partition).await;
        let _ = self.log.partitions(TOPIC).await;
    }
}
