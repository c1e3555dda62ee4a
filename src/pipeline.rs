//! All wiring: who talks to whom, mailbox capacities and why. Built from the end of the flow to its beginning.

mod demo;
mod epoch;
mod notify;
mod verify;

pub use demo::{DemoOptions, demo};
pub use epoch::open_epoch;
use notify::Notifier;
pub use verify::{Verdict, VerifyOptions, verify};

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::prelude::*;
use anyhow::Context as _;
use futures::future::LocalBoxFuture;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::actors::attended::AttendedStore;
use crate::actors::heartbeat::Heartbeat;
use crate::actors::partition_consumer::{Neighbours, PartitionConsumer};
use crate::actors::reject_window::RejectWindow;
use crate::actors::restart::RestartPolicy;
use crate::actors::supervisor::{Supervisor, SupervisorSettings};
use crate::actors::uploader::{Surroundings, Uploader, UploaderSettings};
use crate::actors::window_aggregator::{AggregatorSettings, WindowAggregator};
use crate::actors::world::{Child, Factory, World};
use crate::charts::{ChartSettings, TimeMs};
use crate::config::{Settings, WindowSettings};
use crate::engine::{AggregatorSlot, RunningEngine};
use crate::http::{Hub, Services, TICK, publish_every, serve, server_config};
use crate::kafka::client::{client_config, explain, reader_config, refused_sign_in};
use crate::kafka::gate::{Gate, MemoryBudget, Waker};
use crate::kafka::log::KafkaLog;
use crate::kafka::poller::{self, Feed, Reader};
use crate::kafka::{Log, TopicPartition, token};
use crate::lake::chain::Chain;
use crate::lake::encoders::Encoders;
use crate::lake::layout::ChainKey;
use crate::lake::ledger::EpochRecord;
use crate::lake::ledger::Hex64;
use crate::lake::store::{self, Access, MeteredStore, Store, StoreTally};
use crate::messages::Shutdown;
use crate::metrics::{Metrics, Watched, publish_charts};
use crate::progress::draw_reading;
use crate::schemas::decode::decoding_id;
use crate::schemas::{Source, Vocabularies};
use crate::signals::Signals;
use crate::status::{StatusBoard, now_ms};

/// Undecoded bytes of one partition on their way to its consumer: two batches of ordinary size.
const IN_FLIGHT_BYTES: usize = 4 << 20;

/// Events of a Kafka client that may stand before the one that says why it does not connect.
const EVENTS: usize = 50;

/// How `run` goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// Stop once all that the topics held at the start is in the lake.
    pub exit_at_end: bool,
    /// Whether to draw a progress bar (with `exit_at_end`).
    pub progress: bool,
}

async fn open_store(
    settings: &Settings,
    access: Access,
    tally: &Arc<StoreTally>,
) -> anyhow::Result<Arc<dyn Store>> {
    let gcs = store::GcsSettings {
        endpoint: settings.gcs.endpoint.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
        credentials: settings.gcs.credentials_file.clone(),
        deadline: settings.gcs.deadline,
        ..store::GcsSettings::default()
    };
    Ok(store::open(settings.lake.url.as_str(), access, &gcs, tally).await?)
}

/// Writes a line to standard output. Whoever reads it no more has enough.
fn say(line: impl Display) -> io::Result<()> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Unique to this run of this process, for the ledger.
fn writer() -> String {
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!(
        "{}-{}-{:x}",
        gethostname::gethostname().to_string_lossy(),
        std::process::id(),
        started.as_nanos()
    )
}

/// The group consumer's settings. What the guarantees rest on is set last, so that no property overrides it.
pub(crate) fn consumer_config(settings: &Settings, partitions: usize) -> ClientConfig {
    let mut config = reader_config(&settings.kafka);
    // A queue is bounded for each partition, by the messages' own bytes: librdkafka's bookkeeping takes about as much
    // again for records of some 500 bytes. One fetched chunk, compressed four to five times, may come on top. Smaller
    // chunks are more requests for the same, and queues that run dry between them.
    let queue_kib = (settings.memory.fetch_budget / 1024 / partitions.max(1) / 3).clamp(64, 65_536);
    let fetch_kib = (queue_kib / 4).max(16);
    config
        .set("group.id", &settings.kafka.group_id)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", queue_kib.to_string())
        .set("queued.min.messages", "1000000")
        .set("max.partition.fetch.bytes", (fetch_kib * 1024).to_string())
        // A full queue is looked at again after so long; it is drained within two or three.
        .set("fetch.queue.backoff.ms", "1")
        // While the queues of those with records are full, a fetch asks for the empty partitions alone, and the broker
        // lets it wait so long: the others run dry meanwhile. What an idle engine asks an idle broker grows the shorter
        // the wait.
        .set("fetch.wait.max.ms", "5");
    config
}

/// Partitions of all topics, for dividing the fetch budget; topics that are not there yet count as one.
fn count_partitions(settings: &Settings) -> anyhow::Result<usize> {
    let context = poller::GroupContext::default();
    let config = reader_config(&settings.kafka);
    let client: BaseConsumer<_> = config.create_with_context(context)?;
    token::provide(client.client(), &config)?;
    let metadata = client.fetch_metadata(None, settings.kafka.request_timeout).map_err(|error| {
        // What went wrong with a connection comes as events, one a call; they say more than that there is none.
        let refused = (0..EVENTS).any(|_| {
            let _ = client.poll(Duration::from_millis(10));
            client.context().tally().is_refused()
        });
        let words = if refused { refused_sign_in(&settings.kafka) } else { explain(&error, &settings.kafka) };
        anyhow::anyhow!(words)
    })?;
    let ours = metadata.topics().iter().filter(|topic| settings.kafka.topics.kind(topic.name()).is_some());
    Ok(ours.map(|topic| topic.partitions().len().max(1)).sum())
}

/// Makes the actors of a running engine.
pub(crate) struct Actors {
    pub(crate) settings: Settings,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) board: StatusBoard,
    pub(crate) metrics: Metrics,
    pub(crate) budget: Arc<MemoryBudget>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) feed: Arc<dyn Feed>,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) writer: String,
    pub(crate) encoders: Arc<Encoders>,
    pub(crate) slot: AggregatorSlot,
    pub(crate) vocabularies: Vocabularies,
    pub(crate) gates: Mutex<BTreeMap<TopicPartition, Arc<Gate>>>,
    /// One for each core: partitions are spread over them.
    pub(crate) workers: Vec<ArbiterHandle>,
    pub(crate) aggregator: ArbiterHandle,
}

impl Actors {
    /// Which of `workers` a partition's actors live on.
    fn worker_index(&self, source: &Source) -> usize {
        (source.partition as usize + source.kind as usize) % self.workers.len()
    }

    fn worker(&self, source: &Source) -> &ArbiterHandle {
        &self.workers[self.worker_index(source)]
    }

    /// The partition's gate, shared by its consumer and its uploader through all restarts.
    fn gate(&self, source: &Source) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Gate::new(IN_FLIGHT_BYTES, Arc::clone(&self.budget), Arc::clone(&self.waker));
        let gate = gates.entry(TopicPartition::from(source)).or_insert_with(made);
        self.board.partition(&TopicPartition::from(source)).set_gate(gate);
        Arc::clone(gate)
    }
}

impl From<&WindowSettings> for ChartSettings {
    fn from(windows: &WindowSettings) -> Self {
        ChartSettings {
            lateness: millis(windows.lateness),
            retention: millis(windows.retention),
            future_limit: millis(windows.future_limit),
            max_ahead: millis(windows.max_ahead),
        }
    }
}

impl From<&Settings> for Vocabularies {
    fn from(settings: &Settings) -> Self {
        let limit = settings.memory.dictionary_budget;
        Vocabularies::new(limit, settings.decode.repair, settings.privacy.clone())
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Factory for Actors {
    fn aggregator(&self) -> Child<WindowAggregator> {
        let settings = AggregatorSettings {
            charts: ChartSettings::from(&self.settings.windows),
            idle_after: self.settings.windows.idle_after,
            max_ahead_ms: millis(self.settings.windows.max_ahead),
            snapshot_interval: self.settings.lake.snapshot_interval,
        };
        let heartbeat = Heartbeat::new();
        let (store, board) = (Arc::clone(&self.store), self.board.clone());
        let (metrics, beat) = (self.metrics.clone(), Arc::clone(&heartbeat));
        let address = WindowAggregator::start_in_arbiter(&self.aggregator, move |_| {
            WindowAggregator::new(settings, store, board, metrics, beat)
        });
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(address.clone());
        Child { address, heartbeat }
    }

    fn uploader(
        &self,
        source: &Arc<Source>,
        epoch: &EpochRecord,
        aggregator: &Addr<WindowAggregator>,
        supervisor: &Addr<Supervisor>,
    ) -> Child<Uploader> {
        let status = self.board.partition(&TopicPartition::from(&**source));
        status.set_epoch(source.epoch);
        let (key, heartbeat) = (ChainKey::from(&**source), Heartbeat::new());
        let store = AttendedStore::over(&self.store, &heartbeat);
        let around = Surroundings {
            chain: Chain::new(store, key, source.kind, epoch.clone(), self.writer.clone()),
            log: Arc::clone(&self.log),
            encoders: Arc::clone(&self.encoders),
            gate: self.gate(source),
            status,
            receipted: aggregator.clone().recipient(),
            detach: aggregator.clone().recipient(),
            refused: supervisor.clone().recipient(),
            metrics: self.metrics.clone(),
        };
        let settings = UploaderSettings {
            interval: self.settings.lake.upload_interval,
            max_bytes: self.settings.lake.max_batch_bytes,
            future_limit_ms: millis(self.settings.windows.future_limit),
            lateness_ms: millis(self.settings.windows.lateness),
            decoding: Hex64(decoding_id(self.settings.decode.repair, &self.settings.privacy)),
        };
        let (source, beat) = (Arc::clone(source), Arc::clone(&heartbeat));
        let address = Uploader::start_in_arbiter(self.worker(&source.clone()), move |_| {
            Uploader::new(source, settings, around, beat)
        });
        Child { address, heartbeat }
    }

    fn consumer(
        &self,
        source: &Arc<Source>,
        uploader: &Addr<Uploader>,
        aggregator: &Addr<WindowAggregator>,
        supervisor: &Addr<Supervisor>,
    ) -> Child<PartitionConsumer> {
        let neighbours = Neighbours {
            feed: Arc::clone(&self.feed),
            log: Arc::clone(&self.log),
            deliver_uploader: uploader.clone().recipient(),
            ask_uploader: uploader.clone().recipient(),
            drain_uploader: uploader.clone().recipient(),
            halt_uploader: uploader.clone().recipient(),
            deliver_aggregator: aggregator.clone().recipient(),
            attach_aggregator: aggregator.clone().recipient(),
            unreadable: aggregator.clone().recipient(),
            detach_aggregator: aggregator.clone().recipient(),
            refused: supervisor.clone().recipient(),
        };
        let decode = &self.settings.decode;
        let rejects = RejectWindow::new(decode.reject_limit_records as usize, decode.reject_limit_share);
        let decoder = self.vocabularies.decoder(Arc::clone(source), self.worker_index(source));
        let (gate, metrics) = (self.gate(source), self.metrics.clone());
        let (status, heartbeat) = (self.board.partition(&TopicPartition::from(&**source)), Heartbeat::new());
        let beat = Arc::clone(&heartbeat);
        let reader = Reader::numbered();
        let address = PartitionConsumer::start_in_arbiter(self.worker(source), move |_| {
            PartitionConsumer::new(reader, decoder, gate, rejects, neighbours, beat, (status, metrics))
        });
        Child { address, heartbeat }
    }
}

/// Runs the engine until it is told to stop (or, with `exit_at_end`, is done). Blocks; starts its own actix system.
///
/// # Errors
/// What made it give up, in words.
pub fn run(settings: Settings, options: RunOptions) -> anyhow::Result<()> {
    let partitions = if options.exit_at_end {
        count_partitions(&settings)?
    } else {
        count_partitions(&settings).unwrap_or(16)
    };
    System::new().block_on(run_in_system(settings, options, partitions, Beside::default()))
}

/// What a command adds to the engine.
struct Beside {
    /// Wraps what is asked of the broker.
    log: Box<dyn FnOnce(Arc<dyn Log>) -> Arc<dyn Log>>,
    /// Runs until the engine stops, and sees its status.
    task: Box<dyn FnOnce(StatusBoard) -> LocalBoxFuture<'static, ()>>,
}

impl Default for Beside {
    fn default() -> Self {
        Self { log: Box::new(|log| log), task: Box::new(|_| Box::pin(std::future::ready(()))) }
    }
}

async fn run_in_system(
    mut settings: Settings,
    options: RunOptions,
    partitions: usize,
    beside: Beside,
) -> anyhow::Result<()> {
    // Before anything that others can see of the process, for then it may be told to stop.
    let mut signals = Signals::listen()?;
    if options.exit_at_end {
        // A partition that was read to its end is not waited for.
        settings.windows.idle_after = Duration::ZERO;
    }
    let board = StatusBoard::default();
    let waker = Arc::new(Waker::default());
    let budget = MemoryBudget::new(settings.memory.budget, Arc::clone(&waker));
    let watched = Watched { board: board.clone(), budget: Some(Arc::clone(&budget)), ..Watched::default() };
    let metrics = Metrics::new(watched.clone())?;
    let store = tokio::select! {
        store = open_store(&settings, Access::Write, &watched.store) => store?,
        // There is nothing to be drained yet.
        () = signals.next() => return Ok(()),
    };
    let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, metrics.uploads.clone()));
    let slot = AggregatorSlot::default();
    let topics: Vec<_> = settings.kafka.topics.all().map(|(kind, topic)| (topic.to_owned(), kind)).collect();
    let engine = Arc::new(RunningEngine {
        board: board.clone(),
        aggregator: Arc::clone(&slot),
        started: TimeMs(now_ms()),
        topics: topics.clone(),
        stuck_after: settings.supervisor.stuck_after,
    });
    let hub = Arc::new(Hub::default());
    let services = Services {
        engine: engine.clone(),
        hub: Arc::clone(&hub),
        registry: metrics.registry.clone(),
        metrics: metrics.http.clone(),
        token: settings.http.token.clone(),
    };
    let listen = settings.http.listen;
    let tls = settings.http.tls.as_ref().map(|tls| server_config(&tls.certificate, &tls.key)).transpose()?;
    if !listen.ip().is_loopback() && tls.is_none() {
        tracing::warn!(%listen, "http is served beyond this machine without TLS; put a proxy that has it in front");
    }
    let server =
        serve(listen, tls, services).with_context(|| format!("http.listen {listen} cannot be bound"))?;
    let stop_server = server.handle();
    actix::spawn(server);
    let notifier = Notifier::from_environment().map(Arc::new);
    if let Some(notifier) = &notifier {
        actix::spawn(Arc::clone(notifier).keep_telling(engine.clone()));
    }
    actix::spawn(publish_charts(engine.clone(), metrics.charts.clone()));
    actix::spawn(publish_every(TICK, engine, Arc::clone(&hub)));

    let supervisor_settings = SupervisorSettings {
        restarts: RestartPolicy {
            backoff: settings.supervisor.backoff_initial,
            max_backoff: settings.supervisor.backoff_max,
            limit: settings.supervisor.restart_limit as usize,
            within: settings.supervisor.restart_window,
        },
        stuck_after: settings.supervisor.stuck_after,
        drain_deadline: settings.supervisor.drain_deadline,
        identity_interval: settings.kafka.metadata_interval,
        topics: topics.into_iter().collect(),
        exit_at_end: options.exit_at_end,
        // What was read when others began to be waited for is written within one interval, after a rebalance at the worst.
        patience: 2 * settings.lake.upload_interval + settings.kafka.session_timeout,
    };
    let drawn_board = board.clone();
    let Beside { log: wrap_log, task } = beside;
    let task = actix::spawn(task(board.clone()));
    let (finished, ended) = tokio::sync::oneshot::channel();
    let supervisor = Supervisor::new(supervisor_settings, move |supervisor| {
        let config = consumer_config(&settings, partitions);
        let names: Vec<String> = settings.kafka.topics.all().map(|(_, topic)| topic.to_owned()).collect();
        let (poller, consumer) =
            poller::spawn(&config, &names, supervisor.recipient(), Arc::clone(&waker), board.clone())?;
        // Who waits for a few answers one after another must not look stuck.
        let patience = settings.kafka.request_timeout.min(settings.supervisor.stuck_after / 4);
        let log = KafkaLog::new(consumer, &client_config(&settings.kafka), patience)?;
        let log = wrap_log(Arc::new(log));
        let feed: Arc<dyn Feed> = Arc::new(poller.clone());
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        metrics.encoders.set(i64::try_from(cores).unwrap_or(i64::MAX));
        let actors = Actors {
            store: Arc::clone(&store),
            board: board.clone(),
            metrics: metrics.clone(),
            budget,
            waker,
            feed: Arc::clone(&feed),
            log: Arc::clone(&log),
            writer: writer(),
            encoders: Arc::new(Encoders::new(cores, settings.lake.compression_level)),
            slot,
            vocabularies: Vocabularies::from(&settings),
            gates: Mutex::default(),
            workers: (0..cores).map(|number| thread(format!("partitions-{number}"))).collect(),
            aggregator: thread("windows".to_owned()),
            settings,
        };
        let closing = poller.clone();
        Ok(World {
            factory: Box::new(actors),
            feed,
            log,
            store,
            board,
            metrics,
            poll_alive: Box::new(move || poller.is_alive()),
            finished: Box::new(move |result| {
                closing.close();
                // Nobody listens only if the process is ending already.
                let _ = finished.send((closing, result));
            }),
        })
    })
    .start();
    stop_on_signals(signals, supervisor, notifier);
    let drawn = (options.exit_at_end && options.progress).then(|| actix::spawn(draw_reading(drawn_board)));
    let (poller, result) = ended.await.map_err(|_| anyhow::anyhow!("the supervisor ended; see the log"))?;
    task.abort();
    if let Some(drawn) = drawn {
        drawn.abort();
    }
    hub.close();
    stop_server.stop(true).await;
    poller.closed().await;
    result.map_err(|why| anyhow::anyhow!(why))
}

/// A thread for actors, named for who looks at what the process's threads do (`top -H`).
fn thread(name: String) -> ArbiterHandle {
    let handle = Arbiter::new().handle();
    // Where the kernel takes no name the thread keeps the one that it has.
    handle.spawn_fn(move || drop(std::fs::write("/proc/thread-self/comm", name)));
    handle
}

/// The first signal drains; a second one ends the process at once.
fn stop_on_signals(mut signals: Signals, supervisor: Addr<Supervisor>, notifier: Option<Arc<Notifier>>) {
    actix::spawn(async move {
        signals.next().await;
        if let Some(notifier) = notifier {
            notifier.stopping();
        }
        if supervisor.send(Shutdown).await.is_err() {
            std::process::exit(1);
        }
        signals.next().await;
        tracing::warn!(
            "second signal: stopping at once; what is not in the lake is read again at the next start"
        );
        std::process::exit(1);
    });
}
