//! One assigned partition on the poll thread: from librdkafka's queue to its consumer, a batch at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use actix::prelude::SendError;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::TopicPartition;
use super::assignment::assign_paused;
use super::cursor::Cursor;
use super::gate::{Gate, Waker};
use super::native::client::cached_high_watermark;
use super::native::{FetchError, PartitionQueue, Taken};
use super::poller::{GroupContext, Reader, Reading, Sink};
use crate::messages::{FetchFailed, Fetched};
use crate::status::{PartitionStatus, Wait};

/// Messages taken in one call: enough to make the call's cost vanish, few enough to be decoded in about a millisecond.
const MESSAGES_PER_TAKE: usize = 4096;

/// How long a partition that was read to its end is left alone where the run ends once all are (see [`PartitionStatus::read_until`]).
/// To look at it again takes a busy client some milliseconds, in which nothing else is taken.
pub(super) const REST: Duration = Duration::from_secs(10);

/// How long the client may say nothing of a partition that it was told to read, not even that its log ends, before it is told again;
/// twice as long each time, for what it fetches may take that long. It drops a word of its own or of ours where both are said at
/// once: then it does not begin, or stays paused.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// An assigned partition.
pub(super) struct Slot {
    /// None while the partition is being assigned anew.
    queue: Option<PartitionQueue<GroupContext>>,
    flow: Option<Flow>,
    client: Client,
    status: Arc<PartitionStatus>,
}

/// What the client does with a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Nothing yet: it is paused since the assignment, and may not have taken it up.
    Assigned,
    /// It was sought: it fetches, or rests.
    Fetching,
    /// It has stopped for good, after an offset out of range, or did not begin: it refuses each seek until it is assigned the partition
    /// anew.
    Stopped,
}

/// What a partition is read for.
struct Flow {
    reading: Reading,
    cursor: Cursor,
    seeking: bool,
    /// Since when the client fetches nothing of it.
    resting: Option<Instant>,
    /// Since when the client, told to read, has said nothing.
    silent_since: Option<Instant>,
    /// How long that may last.
    patience: Duration,
    stash: Option<Fetched>,
    failure: Option<FetchFailed>,
    gate: Arc<Gate>,
    sink: Sink,
    /// What it waits for, and since when that time is not counted yet.
    waiting: Option<(Wait, Instant)>,
}

impl Slot {
    /// A partition that nobody reads yet.
    pub(super) fn new(queue: PartitionQueue<GroupContext>, status: Arc<PartitionStatus>) -> Self {
        Self { queue: Some(queue), flow: None, client: Client::Assigned, status }
    }

    /// Reads on from `offset` into `sink`, unless somebody made later reads the partition already.
    pub(super) fn start(&mut self, offset: i64, reading: Reading, gate: Arc<Gate>, sink: Sink) {
        if self.flow.as_ref().is_some_and(|flow| flow.reading > reading) {
            return;
        }
        self.flow = Some(Flow {
            reading,
            cursor: Cursor::at(offset),
            seeking: true,
            resting: None,
            silent_since: None,
            patience: SILENCE,
            stash: None,
            failure: None,
            gate,
            sink,
            waiting: None,
        });
        self.status.set_at_end(false);
    }

    /// Reads no more for `reader`, or for whoever it is.
    pub(super) fn stop(&mut self, reader: Option<Reader>) {
        self.flow.take_if(|flow| reader.is_none_or(|reader| reader == flow.reading.reader));
    }

    /// Where the client, which has stopped, has to start anew; none where nobody reads the partition.
    pub(super) fn stopped_at(&self) -> Option<i64> {
        self.flow.as_ref().filter(|_| self.client == Client::Stopped).map(|flow| flow.cursor.next())
    }

    /// Has the partition assigned to the client anew, if the client has stopped reading it.
    ///
    /// An idle partition gets there by any rebalance, for the client then asks for the offset behind the log's end (see
    /// [`Cursor`]); one that is read, when retention passes the position.
    ///
    /// # Errors
    /// That the client does not take it, in words; one that does not give it back is asked again.
    pub(super) fn start_anew(
        &mut self,
        consumer: &Arc<BaseConsumer<GroupContext>>,
        partition: &TopicPartition,
        waker: &Arc<Waker>,
    ) -> Result<(), String> {
        let Some(offset) = self.stopped_at() else { return Ok(()) };
        let given_back = alone(partition, offset).and_then(|list| {
            consumer.incremental_unassign(&list)?;
            Ok(list)
        });
        let list = match given_back {
            Ok(list) => list,
            Err(error) => {
                tracing::warn!(%partition, %error, "reading anew is tried again");
                return Ok(());
            }
        };
        tracing::debug!(%partition, offset, "assigned to the client anew");
        // First of all, for its end takes the waker off the client's queue, which is the same one afterwards.
        self.queue = None;
        self.queue = assign_paused(consumer, &list, waker)?.pop().map(|(_, queue)| queue);
        self.client = Client::Assigned;
        if let Some(flow) = &mut self.flow {
            flow.seeking = true;
        }
        Ok(())
    }

    /// Moves what the partition has ready at `now`; returns whether there was anything.
    pub(super) fn serve(
        &mut self,
        consumer: &BaseConsumer<GroupContext>,
        partition: &TopicPartition,
        now: Instant,
    ) -> bool {
        let Self { queue: Some(queue), flow: Some(flow), client, status } = self else { return false };
        flow.seeking |= flow.resting.is_some_and(|since| now.duration_since(since) >= REST);
        if flow.seeking {
            flow.silent_since.get_or_insert(now);
            if !flow.seek(consumer, partition, client) {
                if *client == Client::Assigned && flow.loses_patience(now) {
                    *client = Client::Stopped;
                }
                return false;
            }
        }
        let wait = if flow.flush_stash() { flow.gate.closed_by() } else { Some(Wait::Consumer) };
        if wait.is_some() || flow.waiting.is_some() {
            flow.note_wait(status, wait);
        }
        if wait.is_some() {
            return false;
        }
        let Taken { batch, at_end, mut error, unproven } =
            queue.take(&mut flow.cursor, MESSAGES_PER_TAKE, &flow.gate);
        let busy = batch.is_some();
        if busy || at_end || error.is_some() {
            (flow.silent_since, flow.patience) = (None, SILENCE);
        } else if flow.loses_patience(now) {
            tracing::debug!(%partition, offset = flow.cursor.next(), "the client says nothing; it is told to read again");
            flow.seeking = true;
        }
        if let Some(batch) = batch {
            status.set_position(Some(batch.end));
            status.records.fetch_add(batch.len() as u64, Ordering::Relaxed);
            status.bytes.fetch_add(batch.bytes() as u64, Ordering::Relaxed);
            status.set_at_end(false);
            flow.stash = Some(Fetched { reading: flow.reading, batch });
        }
        // Whoever began to read anew may have missed what the client said of a log that was cut off.
        let ends_at = at_end.then_some(flow.cursor.next());
        if error.is_none() && ends_at.is_some() && ends_at < status.taken() {
            error = ends_at.map(|asked| FetchError::OffsetOutOfRange { asked });
        } else if at_end {
            status.set_at_end(true);
            status.set_position(Some(flow.cursor.next()));
            if status.read_until().is_some_and(|until| flow.cursor.next() >= until) {
                flow.rest(consumer, partition, now);
            }
        }
        if unproven {
            tracing::debug!(%partition, offset = flow.cursor.next(), "the client may have left out a record; reading again");
            flow.seeking = true;
        }
        if let Some(error) = error {
            flow.failure = Some(FetchFailed { reading: flow.reading, error });
        }
        flow.flush_stash();
        busy
    }

    /// Notes the high watermark as librdkafka knows it, and what waits before us.
    pub(super) fn read_watermark(&self, consumer: &BaseConsumer<GroupContext>, partition: &TopicPartition) {
        let status = &self.status;
        let high = cached_high_watermark(consumer, &partition.topic, partition.partition);
        if high.is_some() {
            status.set_high_watermark(high);
        }
        let read = status.position().max(status.head());
        // Of a log that nobody reads, or in which the client does not reach its place, nobody knows what waits; silence would hide
        // that it is not read. Of one that is refused more is said already.
        let astray = self.flow.as_ref().map_or_else(|| status.refused().is_none(), |flow| flow.seeking);
        let unread = astray || high.is_some_and(|high| high > read.unwrap_or(0)) && !status.at_end();
        status.tally.set_unread(unread && status.oldest_pending_ms().is_none());
        let waiting = self.queue.as_ref().map_or(0, PartitionQueue::waiting);
        status.tally.fetched_ahead.store(waiting as u64, Ordering::Relaxed);
    }
}

impl Flow {
    /// Counts the time since the last call, if the partition waited then, and notes what it waits for now.
    fn note_wait(&mut self, status: &PartitionStatus, wait: Option<Wait>) {
        if let Some((before, since)) = self.waiting.take() {
            status.tally.waited(before, since.elapsed());
        }
        self.waiting = wait.map(|wait| (wait, Instant::now()));
    }

    /// Whether the client has said nothing for longer than it may; from then on it has time again, twice as much.
    fn loses_patience(&mut self, now: Instant) -> bool {
        let over = self.silent_since.is_some_and(|since| now.duration_since(since) >= self.patience);
        if over {
            (self.silent_since, self.patience) = (None, self.patience.saturating_mul(2));
        }
        over
    }

    /// Seeks and resumes; false while librdkafka is not ready for it.
    fn seek(
        &mut self,
        consumer: &BaseConsumer<GroupContext>,
        partition: &TopicPartition,
        client: &mut Client,
    ) -> bool {
        let place = |list: &TopicPartitionList| {
            let answer = consumer.seek_partitions(list.clone(), Duration::from_secs(5))?;
            answer.elements().iter().try_for_each(|element| element.error())
        };
        let sought = alone(partition, self.cursor.next()).and_then(|list| {
            consumer.pause(&list)?;
            place(&list)?;
            *client = Client::Fetching;
            consumer.resume(&list)?;
            // The client's thread may sleep for a second. A resumption does not wake it; a seek, other than to offset 0, does.
            place(&list)
        });
        match sought {
            Ok(()) => {
                (self.seeking, self.resting) = (false, None);
                self.cursor.sought();
                true
            }
            // The message that said so may have gone to a flow that is over.
            Err(error) if *client == Client::Fetching && is_not_reading(&error) => {
                *client = Client::Stopped;
                false
            }
            Err(error) => {
                // The partition's fetcher has not started yet, or its leader is moving: the loop comes back.
                tracing::debug!(%partition, %error, "seek is tried again");
                false
            }
        }
    }

    /// Has the client fetch nothing of the partition until it is sought: a fetch waits for those that have nothing while the
    /// queues of the others are full.
    fn rest(&mut self, consumer: &BaseConsumer<GroupContext>, partition: &TopicPartition, now: Instant) {
        match alone(partition, self.cursor.next()).and_then(|list| consumer.pause(&list)) {
            Ok(()) => self.resting = Some(now),
            Err(error) => tracing::debug!(%partition, %error, "pausing"),
        }
    }

    /// Hands the stash over; false while the consumer has no room.
    fn flush_stash(&mut self) -> bool {
        if let Some(fetched) = self.stash.take()
            && let Err(SendError::Full(fetched)) = self.sink.fetched.try_send(fetched)
        {
            self.stash = Some(fetched);
            return false;
        }
        if let Some(failure) = self.failure.take()
            && let Err(SendError::Full(failure)) = self.sink.failed.try_send(failure)
        {
            self.failure = Some(failure);
            return false;
        }
        true
    }
}

/// The partition at `offset`, as the client takes it.
fn alone(partition: &TopicPartition, offset: i64) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&partition.topic, partition.partition, Offset::Offset(offset))?;
    Ok(list)
}

/// Whether the client refuses a seek because it does not read the partition.
fn is_not_reading(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::State)
}
