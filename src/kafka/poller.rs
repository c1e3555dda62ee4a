//! The poll loop: the one thread that assigns, seeks and takes messages.
//!
//! It never waits for anything but its [`Waker`]: a partition whose consumer is full keeps its batch in a stash and
//! is not drained; librdkafka then stops fetching it, for its queue is bounded. So the group membership stays alive
//! whatever the lake does.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix::Recipient;
use actix::prelude::SendError;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use super::TopicPartition;
use super::assignment::{assign_paused, partitions_of};
use super::clock::WallClock;
use super::flow::Slot;
use super::gate::{Gate, Waker};
use super::native::client::{events_waiting, is_member};
use super::token;
use crate::log_limit::Recent;
use crate::messages::{FetchFailed, Fetched, GroupEvent};
use crate::status::{ClientTally, StatusBoard};

/// The loop looks at the group and at the high watermarks at least this often.
const IDLE_WAIT: Duration = Duration::from_millis(100);
/// Events of the client that are served before partitions have their turn again.
const EVENTS_PER_ROUND: usize = 1000;
/// Longest that leaving the group may take; without an answer the broker drops the member at its session timeout.
const LEAVE_DEADLINE: Duration = Duration::from_secs(5);
/// Commands are few (a handful a partition and rebalance); senders meet a full queue only if the loop is gone.
const COMMANDS: usize = 4096;

/// Where a partition's batches go.
#[derive(Debug, Clone)]
pub struct Sink {
    /// Takes batches; a full mailbox stops the partition.
    pub fetched: Recipient<Fetched>,
    /// Hears why a partition stopped.
    pub failed: Recipient<FetchFailed>,
}

#[derive(Debug)]
enum Command {
    Start { partition: TopicPartition, offset: i64, reading: Reading, gate: Arc<Gate>, sink: Sink },
    Stop { partition: TopicPartition, reader: Option<Reader> },
    Release { partitions: Vec<TopicPartition> },
    Close,
}

/// A consumer among all of the process, those that were given up included; who was made later has the greater number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader(u64);

impl Reader {
    /// One more.
    pub fn numbered() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self(MADE.fetch_add(1, Ordering::Relaxed))
    }
}

/// Who reads, and how often it has begun to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// Who.
    pub reader: Reader,
    /// Its batches carry this, so that those from before it began anew can be told apart.
    pub generation: u64,
}

/// What the actors ask of the poll loop.
///
/// A consumer that was given up may end late, when another reads in its place: what it says then counts for nothing.
pub trait Feed: std::fmt::Debug + Send + Sync {
    /// Reads `partition` from `offset` on into `sink`.
    fn start(&self, partition: &TopicPartition, offset: i64, reading: Reading, gate: Arc<Gate>, sink: Sink);

    /// Takes no more of the partition, which stays assigned, for `reader`; for whoever reads it where there is none.
    fn stop(&self, partition: &TopicPartition, reader: Option<Reader>);

    /// Gives revoked partitions back to the group.
    fn release(&self, partitions: Vec<TopicPartition>);
}

/// Handle on the poll loop's thread.
#[derive(Debug, Clone)]
pub struct Poller {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    alive: Arc<AtomicBool>,
}

impl Poller {
    fn tell(&self, command: Command) {
        match self.commands.try_send(command) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Disconnected(_)) => tracing::debug!("the poll loop has ended; command dropped"),
            Err(TrySendError::Full(_)) => {
                // Only a loop that hangs inside librdkafka leaves so many commands; the supervisor ends the process.
                self.alive.store(false, Ordering::Relaxed);
                tracing::error!("the poll loop takes no commands");
            }
        }
    }

    /// Leaves the group and ends the thread; [`Poller::closed`] tells when that is done.
    pub fn close(&self) {
        self.tell(Command::Close);
    }

    /// Waits until the group is left, within two `LEAVE_DEADLINE` and a little.
    pub async fn closed(&self) {
        for _ in 0..(2 * LEAVE_DEADLINE.as_millis() / 10 + 100) {
            if !self.is_alive() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Whether the thread is running.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }
}

impl Feed for Poller {
    fn start(&self, partition: &TopicPartition, offset: i64, reading: Reading, gate: Arc<Gate>, sink: Sink) {
        self.tell(Command::Start { partition: partition.clone(), offset, reading, gate, sink });
    }

    fn stop(&self, partition: &TopicPartition, reader: Option<Reader>) {
        self.tell(Command::Stop { partition: partition.clone(), reader });
    }

    fn release(&self, partitions: Vec<TopicPartition>) {
        self.tell(Command::Release { partitions });
    }
}

/// Serves the group's callbacks; they run inside the poll loop's own calls.
#[derive(Debug, Default)]
pub struct GroupContext {
    rebalances: Mutex<VecDeque<(bool, TopicPartitionList)>>,
    tally: Arc<ClientTally>,
    /// Errors that a line of log told of. The client says many times a second that no broker is there.
    told: Mutex<Recent>,
}

impl GroupContext {
    /// Counts of the client's errors.
    pub fn tally(&self) -> &ClientTally {
        &self.tally
    }
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, file: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        token::answer(file)
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        self.tally.error(code);
        // Of this one the poll loop says what to do.
        if code == Some(RDKafkaErrorCode::InconsistentGroupProtocol) {
            return;
        }
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).is_new(&error.to_string(), Instant::now())
        {
            tracing::warn!(%error, reason, "kafka client");
        }
    }
}

impl ConsumerContext for GroupContext {
    /// Notes what changed; the poll loop acts on it after the call that it is in.
    fn rebalance(&self, _: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let assigned = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let mut rebalances = self.rebalances.lock().unwrap_or_else(PoisonError::into_inner);
        rebalances.push_back((assigned, list.clone()));
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            // Only a hint is lost; recovery reads the ledger.
            tracing::debug!(%error, "offset commit failed");
        }
    }
}

struct Loop {
    consumer: Arc<BaseConsumer<GroupContext>>,
    slots: BTreeMap<TopicPartition, Slot>,
    commands: Receiver<Command>,
    events: VecDeque<GroupEvent>,
    supervisor: Recipient<GroupEvent>,
    waker: Arc<Waker>,
    board: StatusBoard,
    watermarks_read: Instant,
    clock: WallClock,
    alive: Arc<AtomicBool>,
    /// It has a name of its own in the group (KIP-345).
    is_static: bool,
}

/// Makes the consumer, subscribes to `topics` and starts the poll loop.
///
/// # Errors
/// Settings that librdkafka refuses.
pub fn spawn(
    config: &ClientConfig,
    topics: &[String],
    supervisor: Recipient<GroupEvent>,
    waker: Arc<Waker>,
    board: StatusBoard,
) -> anyhow::Result<(Poller, Arc<BaseConsumer<GroupContext>>)> {
    let context = GroupContext { tally: Arc::clone(board.client()), ..GroupContext::default() };
    let mut consumer: BaseConsumer<GroupContext> = config.create_with_context(context)?;
    let main_waker = Arc::clone(&waker);
    consumer.set_nonempty_callback(move || main_waker.wake());
    consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
    let consumer = Arc::new(consumer);
    let (sender, commands) = sync_channel(COMMANDS);
    let alive = Arc::new(AtomicBool::new(true));
    let poller = Poller { commands: sender, waker: Arc::clone(&waker), alive: Arc::clone(&alive) };
    let mut poll_loop = Loop {
        consumer: Arc::clone(&consumer),
        slots: BTreeMap::new(),
        commands,
        events: VecDeque::new(),
        supervisor,
        waker,
        board,
        watermarks_read: Instant::now(),
        clock: WallClock::new(),
        alive,
        is_static: config.get("group.instance.id").is_some(),
    };
    std::thread::Builder::new().name("kafka-poll".into()).spawn(move || poll_loop.run())?;
    Ok((poller, consumer))
}

impl Loop {
    fn run(&mut self) {
        // A panic here must be seen by the supervisor, whatever causes it.
        struct Ended(Arc<AtomicBool>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        let _ended = Ended(Arc::clone(&self.alive));
        loop {
            self.board.rounds().poll_loop.come();
            if !self.serve_commands() {
                break;
            }
            let mut busy = self.serve_group();
            let now = Instant::now();
            for (partition, slot) in &mut self.slots {
                busy |= slot.serve(&self.consumer, partition, now);
                if let Err(error) = slot.start_anew(&self.consumer, partition, &self.waker) {
                    let why = format!("{partition} cannot be assigned anew: {error}");
                    self.events.push_back(GroupEvent::Fatal(why));
                }
            }
            self.flush_events();
            self.read_watermarks();
            self.watch_clock();
            if !busy {
                self.waker.wait(IDLE_WAIT);
            }
        }
        self.leave();
    }

    /// Leaves the group: otherwise the broker would keep the partitions for this member until its session times out,
    /// and the next start would wait for that.
    fn leave(&mut self) {
        self.slots.clear();
        self.finish_joining();
        if let Err(error) = self.consumer.close_queue() {
            return tracing::warn!(%error, "the group could not be left");
        }
        let deadline = Instant::now() + LEAVE_DEADLINE;
        // A revocation that the supervisor had not answered is answered too.
        let mut answer = true;
        while !self.consumer.closed() && Instant::now() < deadline {
            if answer && let Err(error) = self.consumer.unassign() {
                tracing::debug!(%error, "unassigning");
            }
            // What it still says is of no interest any more.
            let _ = self.consumer.poll(Duration::from_millis(10));
            let mut rebalances = self.rebalances();
            answer = !rebalances.is_empty();
            rebalances.clear();
        }
        // Dropped, it would be closed once more, which rdkafka reports as an error. The process ends soon.
        std::mem::forget(Arc::clone(&self.consumer));
    }

    /// Closed while it joins, librdkafka up to 2.12 ends the process once the broker answers (its issue 5347). Told to unsubscribe,
    /// it joins no more: it leaves, or has been given partitions first, or has to give some back. One with a name of its own in the
    /// group, which is to keep its place, would leave it by that; its closing does no harm.
    fn finish_joining(&self) {
        if self.is_static {
            return;
        }
        self.consumer.unsubscribe();
        let deadline = Instant::now() + LEAVE_DEADLINE;
        while is_member(&self.consumer) && self.rebalances().is_empty() && Instant::now() < deadline {
            let _ = self.consumer.poll(Duration::from_millis(10));
        }
    }

    fn rebalances(&self) -> MutexGuard<'_, VecDeque<(bool, TopicPartitionList)>> {
        self.consumer.context().rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns false when told to close.
    fn serve_commands(&mut self) -> bool {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Start { partition, offset, reading, gate, sink } => {
                    if let Some(slot) = self.slots.get_mut(&partition) {
                        slot.start(offset, reading, gate, sink);
                    }
                }
                Command::Stop { partition, reader } => {
                    if let Some(slot) = self.slots.get_mut(&partition) {
                        slot.stop(reader);
                    }
                }
                Command::Release { partitions } => self.release(&partitions),
                Command::Close => return false,
            }
        }
        true
    }

    fn serve_group(&mut self) -> bool {
        let mut busy = false;
        // Each call takes one event and, but for errors, does not tell of it. What is left would wait for the next round, and
        // a rebalance with it behind the answers to commits and lines of log.
        for _ in 0..EVENTS_PER_ROUND {
            // Messages reach this queue only in the moment between an assignment and its split; a later seek reads them again.
            match self.consumer.poll(Duration::ZERO) {
                Some(Err(error)) => self.note_error(error),
                Some(Ok(_)) => {}
                None if events_waiting(&self.consumer) == 0 => break,
                None => {}
            }
            busy = true;
        }
        loop {
            let next = self.rebalances().pop_front();
            let Some((assigned, list)) = next else { return busy };
            busy = true;
            if assigned { self.assign(&list) } else { self.revoke(&list) }
        }
    }

    /// Tells the supervisor what it must know of; [`GroupContext`] has counted the error already.
    fn note_error(&mut self, error: KafkaError) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                self.events.push_back(GroupEvent::TopicMissing);
            }
            Some(
                RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::InvalidSessionTimeout
                | RDKafkaErrorCode::InvalidGroupId
                | RDKafkaErrorCode::GroupMaxSizeReached,
            ) => {
                self.events.push_back(GroupEvent::Denied(error.to_string()));
            }
            Some(RDKafkaErrorCode::InconsistentGroupProtocol) => {
                self.events.push_back(GroupEvent::Denied(
                    "another member of the group shares partitions otherwise than by cooperative-sticky, as the engine \
                     does, so the group does not take this one; stop the other, or give kafka.group_id a name of the \
                     engine's own"
                        .into(),
                ));
            }
            _ if matches!(error, KafkaError::MessageConsumptionFatal(_)) => {
                self.events.push_back(GroupEvent::Fatal(error.to_string()));
            }
            _ => tracing::debug!(%error, "kafka consumer"),
        }
    }

    fn assign(&mut self, list: &TopicPartitionList) {
        let mut list = list.clone();
        // Any valid offset does: each partition is sought when it is known where it is read from.
        let assigned = list
            .set_all_offsets(Offset::Offset(0))
            .map_err(|error| error.to_string())
            .and_then(|()| assign_paused(&self.consumer, &list, &self.waker));
        match assigned {
            Ok(queues) => {
                self.events.push_back(GroupEvent::Assigned(
                    queues.iter().map(|(partition, _)| partition.clone()).collect(),
                ));
                for (partition, queue) in queues {
                    let status = self.board.partition(&partition);
                    self.slots.insert(partition, Slot::new(queue, status));
                }
            }
            Err(error) => self.events.push_back(GroupEvent::Fatal(format!("assignment failed: {error}"))),
        }
    }

    fn revoke(&mut self, list: &TopicPartitionList) {
        let partitions: Vec<_> = partitions_of(list).collect();
        for partition in &partitions {
            if let Some(slot) = self.slots.get_mut(partition) {
                slot.stop(None);
            }
        }
        let lost = self.consumer.assignment_lost();
        if lost {
            self.release(&partitions);
        }
        self.events.push_back(GroupEvent::Revoked { partitions, lost });
    }

    fn release(&mut self, partitions: &[TopicPartition]) {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            self.slots.remove(partition);
            self.board.remove(partition);
            list.add_partition(&partition.topic, partition.partition);
        }
        let released = match self.consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => self.consumer.incremental_unassign(&list),
            _ => self.consumer.unassign(),
        };
        if let Err(error) = released {
            tracing::warn!(%error, "giving partitions back failed");
        }
    }

    fn flush_events(&mut self) {
        while let Some(event) = self.events.pop_front() {
            if let Err(SendError::Full(event)) = self.supervisor.try_send(event) {
                self.events.push_front(event);
                return;
            }
        }
    }

    /// Ends the client's wait where that would last as long as the clock was set back.
    fn watch_clock(&mut self) {
        if self.clock.was_set_back() {
            tracing::warn!("the wall clock was set back");
            // Any question to the client's main thread wakes it; this one is not passed on to the broker.
            if let Err(error) = self.consumer.subscription() {
                tracing::debug!(%error, "waking the client");
            }
        }
    }

    fn read_watermarks(&mut self) {
        if self.watermarks_read.elapsed() < IDLE_WAIT {
            return;
        }
        self.watermarks_read = Instant::now();
        for (partition, slot) in &self.slots {
            slot.read_watermark(&self.consumer, partition);
        }
    }
}
