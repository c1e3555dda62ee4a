//! Sends records into Kafka at a set rate.
//!
//! Its mailbox takes one chunk after the other: a chunk that waits for room in the client's queue, or for its time,
//! holds its place (`AtomicResponse`), so whoever reads the input is held back too. Chunks are small enough
//! ([`chunk_records`]) that a request to stop waits a tenth of a second at most, or for one record.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use thiserror::Error;
use tokio::time::Instant;

use crate::config::Topics;
use crate::kafka::lines::Chunk;
use crate::kafka::producer::{Origin, RecordProducer, Undelivered};
use crate::simulator::RecordBuffer;

/// Chunks that may wait in the mailbox: the reader fills one while the other is being sent.
const MAILBOX: usize = 2;

/// Most records in a chunk.
const MAX_CHUNK_RECORDS: usize = 4096;

/// Why a chunk was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProduceError {
    /// The producer was asked to stop.
    #[error("stopped on request")]
    Stopped,
    /// A record, of this chunk or an earlier one, did not get into the topic.
    #[error(transparent)]
    Undelivered(#[from] Undelivered),
}

/// From whoever reads the input: send these records to the topic. Answered once all are in the client's queue.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ProduceError>")]
pub struct Produce {
    /// Index of the input file, for error messages.
    pub file: usize,
    /// The records.
    pub chunk: Chunk,
}

/// From the simulator's thread: send these events to their topics. Answered with the emptied buffer once all are in the
/// client's queue.
#[derive(Debug, Message)]
#[rtype(result = "Result<RecordBuffer, ProduceError>")]
pub struct ProduceRecords {
    /// The records.
    pub records: RecordBuffer,
}

/// From whoever started the producer: refuse every chunk from now on. What is in the client's queue is still sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StopProducing;

/// From whoever started the producer: answer once every record taken so far is acknowledged by the broker.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), ProduceError>")]
pub struct Flush;

/// After a pause, of the input or of the broker, no more is made up for than what is due in so long.
const BEHIND: Duration = Duration::from_secs(10);

/// Records a chunk may have at `rate` records a second (none: as fast as it goes).
pub fn chunk_records(rate: Option<u32>) -> usize {
    rate.map_or(MAX_CHUNK_RECORDS, |rate| (rate as usize / 10).clamp(1, MAX_CHUNK_RECORDS))
}

/// The actor.
pub struct Producer {
    client: Arc<RecordProducer>,
    topics: Arc<TopicNames>,
    pace: Option<Pace>,
    stopped: bool,
    /// Records of the simulator so far, for error messages.
    simulated: u64,
}

/// Where records go.
#[derive(Debug)]
struct TopicNames {
    /// The topic of lines from files.
    lines: String,
    /// The topics of events.
    events: Topics,
    /// Whether an event's line feed is part of the record, as Eventsim has it.
    line_feeds: bool,
    /// How many partitions each topic of events has, where [`partition_of`] is to choose among them.
    partitions: Option<i32>,
}

/// The partition of an event with this key, for a sender who has to know it.
pub fn partition_of(key: i64, partitions: i32) -> i32 {
    i32::try_from(key.rem_euclid(i64::from(partitions.max(1)))).unwrap_or_default()
}

impl Producer {
    /// A producer into `topic`, at most `rate` records a second.
    pub fn new(client: Arc<RecordProducer>, topic: &str, rate: Option<u32>) -> Self {
        let pace = rate.map(|rate| Pace { rate: rate.max(1), sent: 0, since: None });
        let topics = TopicNames {
            lines: topic.to_owned(),
            events: Topics::default(),
            line_feeds: false,
            partitions: None,
        };
        Self { client, topics: Arc::new(topics), pace, stopped: false, simulated: 0 }
    }

    /// A producer of simulated events into `topics`, as fast as they come; with `line_feeds` each record ends with one.
    /// [`partition_of`] chooses the partition where `partitions` says how many each topic has, else the client does.
    pub fn of_events(
        client: Arc<RecordProducer>,
        topics: Topics,
        line_feeds: bool,
        partitions: Option<i32>,
    ) -> Self {
        let topics = TopicNames { lines: String::new(), events: topics, line_feeds, partitions };
        Self { client, topics: Arc::new(topics), pace: None, stopped: false, simulated: 0 }
    }
}

impl Actor for Producer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX);
    }
}

impl Handler<Produce> for Producer {
    type Result = AtomicResponse<Self, Result<(), ProduceError>>;

    fn handle(&mut self, message: Produce, _: &mut Self::Context) -> Self::Result {
        if self.stopped {
            return AtomicResponse::new(Box::pin(fut::ready(Err(ProduceError::Stopped))));
        }
        let (client, topics) = (Arc::clone(&self.client), Arc::clone(&self.topics));
        let due = self.pace.as_mut().map(|pace| pace.take(message.chunk.len() as u64, Instant::now()));
        let work = async move {
            if let Some(due) = due {
                tokio::time::sleep_until(due).await;
            }
            for line in message.chunk.lines() {
                let origin = Origin { file: message.file, line: line.number };
                client.enqueue(&topics.lines, None, line.key.map(str::as_bytes), line.value, origin).await?;
            }
            Ok(client.check()?)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self)))
    }
}

impl Handler<ProduceRecords> for Producer {
    type Result = AtomicResponse<Self, Result<RecordBuffer, ProduceError>>;

    fn handle(&mut self, message: ProduceRecords, _: &mut Self::Context) -> Self::Result {
        if self.stopped {
            return AtomicResponse::new(Box::pin(fut::ready(Err(ProduceError::Stopped))));
        }
        let (client, topics) = (Arc::clone(&self.client), Arc::clone(&self.topics));
        let mut records = message.records;
        let before = self.simulated;
        self.simulated += records.len() as u64;
        let work = async move {
            let mut digits = itoa::Buffer::new();
            for (record, number) in records.iter().zip(before + 1..) {
                let kind = record.envelope.kind;
                let origin = Origin { file: kind as usize, line: number };
                let key = digits.format(record.envelope.key()).as_bytes();
                let value = if topics.line_feeds { record.line } else { record.json() };
                let partition = topics.partitions.map(|count| partition_of(record.envelope.key(), count));
                client.enqueue(topics.events.name(kind), partition, Some(key), value, origin).await?;
            }
            client.check()?;
            records.clear();
            Ok(records)
        };
        AtomicResponse::new(Box::pin(work.into_actor(self)))
    }
}

impl Handler<StopProducing> for Producer {
    type Result = ();

    fn handle(&mut self, _: StopProducing, _: &mut Self::Context) {
        self.stopped = true;
    }
}

impl Handler<Flush> for Producer {
    type Result = ResponseFuture<Result<(), ProduceError>>;

    fn handle(&mut self, _: Flush, _: &mut Self::Context) -> Self::Result {
        let client = Arc::clone(&self.client);
        Box::pin(async move { Ok(client.flush().await?) })
    }
}

/// Says when records are due: the n-th one n/rate seconds after the first, counted anew once they come over [`BEHIND`] late.
#[derive(Debug)]
struct Pace {
    rate: u32,
    sent: u64,
    since: Option<Instant>,
}

impl Pace {
    /// Takes `records` into account and says when they may go.
    fn take(&mut self, records: u64, now: Instant) -> Instant {
        let since = *self.since.get_or_insert(now);
        let mut due = since + Duration::from_secs_f64(self.sent as f64 / f64::from(self.rate));
        if now.saturating_duration_since(due) > BEHIND {
            (self.since, self.sent, due) = (Some(now), 0, now);
        }
        self.sent += records;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_shrink_with_the_rate() {
        assert_eq!(chunk_records(None), MAX_CHUNK_RECORDS);
        assert_eq!(chunk_records(Some(1)), 1);
        assert_eq!(chunk_records(Some(1000)), 100);
        assert_eq!(chunk_records(Some(u32::MAX)), MAX_CHUNK_RECORDS);
    }

    #[test]
    fn the_pace_is_kept_over_the_whole_run() {
        let now = Instant::now();
        let mut pace = Pace { rate: 100, sent: 0, since: None };
        assert_eq!(pace.take(50, now), now);
        assert_eq!(pace.take(50, now), now + Duration::from_millis(500));
        // A chunk that came late does not move the ones after it.
        assert_eq!(pace.take(50, now + Duration::from_secs(9)), now + Duration::from_secs(1));
        // One after a long pause does: nobody wants an hour's records at once.
        let later = now + Duration::from_secs(3600);
        assert_eq!([pace.take(50, later), pace.take(50, later)], [later, later + Duration::from_millis(500)]);
    }
}
