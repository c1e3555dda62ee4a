//! The actors as they are wired in production, on one thread with a paused clock: only the broker is a stand-in.

mod broker;
mod faults;
mod lake;
mod mailboxes;
mod partitions;
mod retention;
mod snapshots;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::prelude::*;

use self::broker::Broker;
use self::lake::Lake;
use crate::actors::supervisor::{Supervisor, SupervisorSettings};
use crate::actors::window_aggregator::WindowAggregator;
use crate::actors::world::World;
use crate::charts::{At, Window};
use crate::config::{Settings, load};
use crate::engine::AggregatorSlot;
use crate::http::SongsQuery;
use crate::kafka::TopicPartition;
use crate::kafka::gate::{MemoryBudget, Waker};
use crate::lake::encode::{read_offsets, read_song_counts};
use crate::lake::encoders::Encoders;
use crate::lake::store::{LocalStore, Store, list_all};
use crate::lake::verify::{Scope, verify};
use crate::messages::{AskSongs, GroupEvent, Shutdown};
use crate::metrics::{Metrics, Watched};
use crate::pipeline::Actors;
use crate::schemas::{EventKind, Vocabularies};
use crate::status::StatusBoard;

const TOPIC: &str = "listen_events";

/// Runs `test` in an actix system whose clock moves only when everything waits.
fn with_paused_clock<F: Future<Output = ()> + 'static>(test: impl FnOnce() -> F + 'static) {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime")
    };
    System::with_tokio_rt(runtime).block_on(async move { test().await });
}

/// Waits, by the paused clock, for `condition`.
async fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within 500 s of the paused clock");
}

/// A supervisor with all that it needs.
struct Engine {
    supervisor: Addr<Supervisor>,
    broker: Arc<Broker>,
    board: StatusBoard,
    metrics: Metrics,
    store: Arc<Lake>,
    budget: Arc<MemoryBudget>,
    result: Rc<RefCell<Option<Result<(), String>>>>,
    slot: AggregatorSlot,
    partition: TopicPartition,
    _folder: tempfile::TempDir,
}

impl Engine {
    /// An engine over one partition of `records` listens, which the group has not assigned yet.
    fn start(records: usize, adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::start_to(false, records, adjust)
    }

    /// The same, which may end once all is in the lake.
    fn start_to(exit_at_end: bool, records: usize, adjust: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = load(None, [], &[]).expect("defaults").settings;
        // Several uploads, and deliveries that wait for them.
        settings.lake.max_batch_bytes = 16 << 10;
        adjust(&mut settings);
        let folder = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Lake::new(LocalStore::open(folder.path().to_owned()).expect("a store")));
        let board = StatusBoard::default();
        let waker = Arc::new(Waker::default());
        let budget = MemoryBudget::new(settings.memory.budget, Arc::clone(&waker));
        let metrics = Metrics::new(Watched { board: board.clone(), ..Watched::default() }).expect("metrics");
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        let broker = Broker::with_listens(records, board.partition(&partition));
        let result = Rc::new(RefCell::new(None));
        let finished = Rc::clone(&result);
        let supervisor_settings = SupervisorSettings {
            restarts: crate::actors::restart::RestartPolicy {
                limit: settings.supervisor.restart_limit as usize,
                ..Default::default()
            },
            stuck_after: settings.supervisor.stuck_after,
            drain_deadline: settings.supervisor.drain_deadline,
            identity_interval: settings.kafka.metadata_interval,
            topics: [(TOPIC.to_owned(), EventKind::Listen)].into(),
            exit_at_end,
            patience: Duration::ZERO,
        };
        let slot = AggregatorSlot::default();
        let actors = Actors {
            store: Arc::clone(&store) as _,
            board: board.clone(),
            metrics: metrics.clone(),
            budget: Arc::clone(&budget),
            waker,
            feed: Arc::clone(&broker) as _,
            log: Arc::clone(&broker) as _,
            writer: "test".into(),
            encoders: Arc::new(Encoders::new(1, 1)),
            slot: Arc::clone(&slot),
            vocabularies: Vocabularies::from(&settings),
            gates: Mutex::default(),
            workers: vec![Arbiter::current()],
            aggregator: Arbiter::current(),
            settings,
        };
        let world = World {
            factory: Box::new(actors),
            feed: Arc::clone(&broker) as _,
            log: Arc::clone(&broker) as _,
            store: Arc::clone(&store) as _,
            board: board.clone(),
            metrics: metrics.clone(),
            poll_alive: Box::new(|| true),
            finished: Box::new(move |result| *finished.borrow_mut() = Some(result)),
        };
        let supervisor = Supervisor::new(supervisor_settings, |_| Ok(world)).start();
        Self { supervisor, broker, board, metrics, store, budget, result, slot, partition, _folder: folder }
    }

    /// An engine that has all there is, 100 listens, in the lake.
    async fn at_rest() -> Self {
        let engine = Self::start(100, |_| ());
        engine.assign().await;
        let status = engine.board.partition(&engine.partition);
        wait_until("everything being in the lake", || status.head() == Some(100)).await;
        engine
    }

    /// One that has read so many of 100 records, and uploads for no reason by itself.
    async fn with_in_memory(records: usize) -> Self {
        let engine = Self::start(100, |settings| {
            settings.lake.max_batch_bytes = 64 << 20;
            settings.lake.upload_interval = Duration::from_secs(24 * 3600);
        });
        engine.broker.hold(0, records);
        engine.assign().await;
        let status = engine.board.partition(&engine.partition);
        wait_until("reading them", || status.at_end() && status.taken() == Some(records as i64)).await;
        engine
    }

    /// The window aggregator that answers now.
    fn aggregator(&self) -> Addr<WindowAggregator> {
        self.slot.lock().expect("no panic holds it").clone().expect("an aggregator")
    }

    /// Loses the partition and gets it back.
    async fn reassign(&self) {
        self.revoke().await;
        let status = self.board.partition(&self.partition);
        wait_until("the release", || !status.at_end()).await;
        self.assign().await;
        wait_until("reading to the end", || status.at_end()).await;
    }

    async fn revoke(&self) {
        let revoked = GroupEvent::Revoked { partitions: vec![self.partition.clone()], lost: false };
        self.supervisor.send(revoked).await.expect("the supervisor lives");
    }

    /// Partitions that answers speak for.
    async fn covered(&self) -> usize {
        let query = SongsQuery { window: Window::Day, at: At::Live, limit: 1, find: None };
        self.aggregator().send(AskSongs(query)).await.expect("an answer").partitions.covered
    }

    async fn assign(&self) {
        let assigned = GroupEvent::Assigned(vec![self.partition.clone()]);
        self.supervisor.send(assigned).await.expect("the supervisor lives");
    }

    /// Waits until everything was delivered, then drains.
    async fn drain(&self) {
        let status = self.board.partition(&self.partition);
        wait_until("reading to the end", || status.at_end()).await;
        self.supervisor.send(Shutdown).await.expect("the supervisor lives");
        wait_until("the drain", || self.result.borrow().is_some()).await;
        assert_eq!(*self.result.borrow(), Some(Ok(())));
    }

    fn restarts(&self, actor: &str) -> u64 {
        self.metrics.restarts.with_label_values(&[actor]).get()
    }

    /// Every record is in the lake once and counted once, and `verify` agrees.
    async fn check_lake(&self) {
        let (mut offsets, mut plays) = (Vec::new(), 0);
        for object in self.objects().await {
            let Some(body) = self.store.read(&object).await.expect("an object") else { continue };
            if object.starts_with("lake/v1/listen_events/") {
                offsets.extend(read_offsets(&body).expect("offsets"));
            } else if object.starts_with("lake/v1/song_counts/") {
                let rows = read_song_counts(&body).expect("counts");
                plays += rows.iter().map(|row| row.plays).sum::<i64>();
            }
        }
        offsets.sort_unstable();
        let all = self.broker.len() as i64;
        assert_eq!(offsets, (0..all).collect::<Vec<_>>(), "offsets in the lake");
        assert_eq!(plays, all, "plays counted");
        let report = verify(&*self.store, Scope { topics: &[TOPIC.to_owned()], since_ms: None }, |_| ())
            .await
            .expect("verify");
        assert_eq!(report.damage, vec![]);
    }

    async fn objects(&self) -> Vec<String> {
        let listed = list_all(&*self.store, "lake/v1/").await.expect("a list");
        listed.into_iter().map(|meta| meta.name).collect()
    }
}

#[test]
fn only_a_run_that_ends_says_how_far_a_partition_is_read() {
    for (exit_at_end, expected) in [(true, Some(100)), (false, None)] {
        with_paused_clock(move || async move {
            let engine = Engine::start_to(exit_at_end, 100, |_| ());
            engine.assign().await;
            let status = engine.board.partition(&engine.partition);
            wait_until("the partition being read", || status.position().is_some()).await;
            assert_eq!(status.read_until(), expected);
        });
    }
}
