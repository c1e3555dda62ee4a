//! Partition consumer: decodes one partition's records and delivers them, in order, to uploader and aggregator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;

use super::heartbeat::Heartbeat;
use super::reject_window::RejectWindow;
use crate::kafka::gate::Gate;
use crate::kafka::native::{FetchError, FetchedBatch};
use crate::kafka::poller::{Feed, Reader, Reading, Sink};
use crate::kafka::{Log, TopicPartition};
use crate::messages::{
    Attach, Deliver, Delivered, Detach, Drain, FetchFailed, Fetched, Flush, Halt, ReadAgain, Refused,
    Unreadable, WhereAreYou,
};
use crate::metrics::Metrics;
use crate::schemas::decode::{Decoder, RawRecord};
use crate::schemas::{EventBatch, Source};
use crate::status::PartitionStatus;

/// Batches that may wait: one is decoded while the next is fetched; more would only hold memory.
pub const MAILBOX: usize = 2;
/// A broker that did not answer, or gave an error, is asked again after this long.
const AGAIN: Duration = Duration::from_secs(5);
/// So many errors one after another end a run that is to end: nobody is there who would mend the broker meanwhile.
const LASTING: u32 = 36;

/// Whom a partition consumer talks to.
#[derive(Debug, Clone)]
pub struct Neighbours {
    /// Gives batches.
    pub feed: Arc<dyn Feed>,
    /// Tells the log's bounds.
    pub log: Arc<dyn Log>,
    /// The partition's uploader.
    pub deliver_uploader: Recipient<Deliver>,
    /// The same.
    pub ask_uploader: Recipient<WhereAreYou>,
    /// The same.
    pub drain_uploader: Recipient<Drain>,
    /// The same.
    pub halt_uploader: Recipient<Halt>,
    /// The window aggregator.
    pub deliver_aggregator: Recipient<Deliver>,
    /// The same.
    pub attach_aggregator: Recipient<Attach>,
    /// The same.
    pub unreadable: Recipient<Unreadable>,
    /// The same.
    pub detach_aggregator: Recipient<Detach>,
    /// The supervisor.
    pub refused: Recipient<Refused>,
}

/// Actor that owns one partition's progress.
pub struct PartitionConsumer {
    source: Arc<Source>,
    partition: TopicPartition,
    decoder: Decoder,
    gate: Arc<Gate>,
    reading: Reading,
    rejects: RejectWindow,
    /// The broker's errors since it gave records that it had not given before, and where those end.
    errors: (u32, i64),
    neighbours: Neighbours,
    heartbeat: Arc<Heartbeat>,
    status: Arc<PartitionStatus>,
    metrics: Metrics,
}

impl PartitionConsumer {
    /// A consumer of the decoder's source; reading begins once uploader and aggregator have said where.
    pub fn new(
        reader: Reader,
        decoder: Decoder,
        gate: Arc<Gate>,
        rejects: RejectWindow,
        neighbours: Neighbours,
        heartbeat: Arc<Heartbeat>,
        (status, metrics): (Arc<PartitionStatus>, Metrics),
    ) -> Self {
        let source = Arc::clone(decoder.source());
        let partition = TopicPartition::from(&*source);
        Self {
            source,
            partition,
            decoder,
            gate,
            reading: Reading { reader, generation: 0 },
            rejects,
            errors: (0, 0),
            neighbours,
            heartbeat,
            status,
            metrics,
        }
    }

    /// Asks both receivers where they are, and starts reading at the lower of the two.
    fn begin(&mut self, ctx: &mut Context<Self>) {
        let neighbours = self.neighbours.clone();
        let (source, gate, again) =
            (Arc::clone(&self.source), Arc::clone(&self.gate), ctx.address().recipient());
        let heartbeat = Arc::clone(&self.heartbeat);
        let positions = async move {
            let uploader = neighbours.ask_uploader.send(WhereAreYou).await.ok()?;
            let (receipted, receipted_start) = (uploader.receipted, uploader.receipted_start);
            // One that was given up may come here after its successor.
            if heartbeat.is_given_up() {
                return None;
            }
            let attach = Attach { source, receipted, receipted_start, gate, again };
            let aggregator = neighbours.attach_aggregator.send(attach).await.ok()?;
            Some(uploader.read_from.min(uploader.position).min(aggregator))
        };
        ctx.wait(positions.into_actor(self).map(|from, actor, ctx| match from {
            Some(from) => actor.read_from(from, ctx),
            None => ctx.stop(),
        }));
    }

    fn read_from(&mut self, offset: i64, ctx: &mut Context<Self>) {
        self.reading.generation += 1;
        self.status.set_doubted(false);
        tracing::info!(partition = %self.partition, offset, "reading");
        let sink = Sink { fetched: ctx.address().recipient(), failed: ctx.address().recipient() };
        self.neighbours.feed.start(&self.partition, offset, self.reading, Arc::clone(&self.gate), sink);
    }

    fn stop_reading(&self) {
        self.neighbours.feed.stop(&self.partition, Some(self.reading.reader));
    }

    fn decode(&mut self, fetched: &FetchedBatch) -> EventBatch {
        self.decoder.begin(fetched.start, fetched.len());
        for message in fetched.iter() {
            let record = RawRecord {
                offset: message.offset,
                timestamp: message.timestamp,
                key: message.key,
                value: message.value,
            };
            self.decoder.push(record, || message.headers());
        }
        self.decoder.finish(fetched.end)
    }

    /// Too much of the partition does not decode, so delivering more would only bury the fault.
    fn refuse_rejects(&mut self, batch: &EventBatch, ctx: &mut Context<Self>) {
        let example = batch.rejected.last().map_or_else(String::new, |record| {
            format!(" (offset {}: {}, {})", record.offset, record.reason, record.detail)
        });
        let why = format!(
            "{} of the last {} records of {} do not decode{example}; correct the producer, or raise \
             decode.reject_limit_share, and start again",
            self.rejects.rejected(),
            self.rejects.len(),
            self.partition
        );
        self.refuse(why, ctx);
    }

    /// Stops the partition loudly.
    fn refuse(&mut self, why: String, ctx: &mut Context<Self>) {
        self.stop_reading();
        let told = self.neighbours.refused.send(Refused { partition: self.partition.clone(), why });
        ctx.wait(told.into_actor(self).map(|_, _, ctx| ctx.stop()));
    }

    fn delivered(&mut self, answers: [Result<Delivered, MailboxError>; 2], ctx: &mut Context<Self>) {
        let mut rewind: Option<i64> = None;
        for answer in answers {
            match answer {
                Ok(Delivered::Taken) => {}
                Ok(Delivered::Rewind(to)) => rewind = Some(rewind.map_or(to, |other| other.min(to))),
                // The receiver died; the supervisor starts it anew, and then us.
                Err(_) => return ctx.stop(),
            }
        }
        if let Some(to) = rewind {
            self.metrics.rewinds.inc();
            self.read_from(to, ctx);
        }
    }

    /// What was asked for is not in the log: either the aggregator must do without some records, or the ledger decides.
    fn out_of_range(&mut self, asked: i64, ctx: &mut Context<Self>) {
        // The word is its successor's, too; what it says is for that one to find out.
        if self.heartbeat.is_given_up() {
            return ctx.stop();
        }
        // Before anything is waited for: what was cut off must not be decided meanwhile.
        self.status.set_doubted(true);
        let neighbours = self.neighbours.clone();
        let (source, partition) = (Arc::clone(&self.source), self.partition.clone());
        let (status, heartbeat) = (Arc::clone(&self.status), Arc::clone(&self.heartbeat));
        let decision = async move {
            // No guess is made meanwhile: what retention has passed must be written, what was cut off must not.
            let bounds = loop {
                match neighbours.log.bounds(&partition).await {
                    Ok(bounds) => break bounds,
                    Err(_) if heartbeat.is_given_up() => return None,
                    Err(error) => {
                        tracing::warn!(%partition, %error, "the log's ends are asked for again");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            };
            let uploader = neighbours.ask_uploader.send(WhereAreYou).await.ok()?;
            // What follows is for its successor to do by now.
            if heartbeat.is_given_up() {
                return None;
            }
            let (receipted, receipted_start) = (uploader.receipted, uploader.receipted_start);
            if asked < bounds.start && uploader.position < bounds.start {
                // Retention passed us. What was read before that is not lost with it.
                status.set_doubted(false);
                neighbours.drain_uploader.send(Drain).await.ok()?;
            } else if asked < bounds.start && uploader.position <= bounds.end {
                let through = bounds.start;
                let unreadable = Unreadable { source, through, receipted, receipted_start };
                neighbours.unreadable.send(unreadable).await.ok()?;
                return Some(uploader.position);
            } else {
                tracing::warn!(%partition, asked, ?bounds, "the log was cut off; what is not in the lake is read anew");
                // Whatever lies beyond the last receipt may be another record now.
                neighbours.detach_aggregator.send(Detach { partition }).await.ok()?;
                status.set_counted(false);
            }
            // Retention, a log that was cut off behind records that we have, or another topic: the uploader's recovery finds out
            // which, with what the ledger says of the last record.
            neighbours.halt_uploader.send(Halt).await.ok()?;
            None
        };
        ctx.wait(decision.into_actor(self).map(|from, actor, ctx| match from {
            Some(from) => actor.read_from(from, ctx),
            None => ctx.stop(),
        }));
    }
}

impl Actor for PartitionConsumer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        self.begin(ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.stop_reading();
    }
}

impl Handler<Fetched> for PartitionConsumer {
    type Result = AtomicResponse<Self, ()>;

    fn handle(&mut self, fetched: Fetched, ctx: &mut Context<Self>) -> Self::Result {
        let nothing = || AtomicResponse::new(Box::pin(fut::ready(())));
        if fetched.reading != self.reading {
            return nothing();
        }
        if fetched.batch.end > self.errors.1 {
            self.errors = (0, fetched.batch.end);
        }
        let work = self.heartbeat.work();
        let began = Instant::now();
        let batch = self.decode(&fetched.batch);
        let records = fetched.batch.len();
        self.metrics.decode.passed(records, began.elapsed());
        drop(fetched);
        self.status.tally.decoded(&batch);
        if self.rejects.push(&batch) {
            self.refuse_rejects(&batch, ctx);
            return nothing();
        }
        let charge = Arc::new(self.gate.budget().charge(batch.heap_bytes()));
        let deliver = Deliver { batch: Arc::new(batch), charge };
        let (neighbours, stage) = (self.neighbours.clone(), self.metrics.deliver.clone());
        let delivery = async move {
            crate::fault::point("consumer.deliver").await;
            drop(work);
            let began = Instant::now();
            let uploader = neighbours.deliver_uploader.send(deliver.clone());
            let aggregator = neighbours.deliver_aggregator.send(deliver);
            let answers = <[_; 2]>::from(futures::join!(uploader, aggregator));
            stage.passed(records, began.elapsed());
            answers
        };
        AtomicResponse::new(Box::pin(
            delivery.into_actor(self).map(|answers, actor, ctx| actor.delivered(answers, ctx)),
        ))
    }
}

impl Handler<FetchFailed> for PartitionConsumer {
    type Result = ();

    fn handle(&mut self, failed: FetchFailed, ctx: &mut Context<Self>) {
        if failed.reading != self.reading {
            return;
        }
        match failed.error {
            FetchError::OffsetOutOfRange { asked } => self.out_of_range(asked, ctx),
            FetchError::Broker(code) => {
                // No failure of this actor's: restarts would come to their limit, and end the other partitions, too.
                tracing::warn!(partition = %self.partition, %code, "the broker gives no more records; it is asked again");
                self.stop_reading();
                self.errors.0 += 1;
                let until = self.status.read_until();
                if self.errors.0 > LASTING && until.is_some() && self.status.position() < until {
                    return self.refuse(format!("the broker gives no more records: {code}"), ctx);
                }
                ctx.run_later(AGAIN, |actor, ctx| actor.begin(ctx));
            }
        }
    }
}

impl Handler<ReadAgain> for PartitionConsumer {
    type Result = ();

    fn handle(&mut self, again: ReadAgain, ctx: &mut Context<Self>) {
        self.metrics.rewinds.inc();
        self.read_from(again.from, ctx);
    }
}

impl Handler<Flush> for PartitionConsumer {
    type Result = ();

    /// The mailbox is served in order and a delivery holds its place, so nothing is under way any more.
    fn handle(&mut self, _: Flush, _: &mut Context<Self>) {}
}

impl Handler<Halt> for PartitionConsumer {
    type Result = ();

    fn handle(&mut self, _: Halt, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
