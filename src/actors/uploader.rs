//! Uploader: cuts one partition's records into ranges and runs the ledger protocol for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::{Semaphore, oneshot};

use super::heartbeat::{Heartbeat, Working};
use super::upload::{Job, UploadError, Uploaded};
use crate::kafka::gate::{Gate, OpenShare};
use crate::kafka::{CommittedOffset, Log, TopicPartition};
use crate::lake::chain::{Chain, ChainError, Hint, Recovered, Unfinished};
use crate::lake::encoders::Encoders;
use crate::lake::ledger::{Decision, Hex64, LogView};
use crate::lake::pending::{Offered, Pending};
use crate::messages::{
    Deliver, Delivered, Detach, Drain, Halt, Receipted, Refused, WhereAreYou, Whereabouts,
};
use crate::metrics::Metrics;
use crate::schemas::Source;
use crate::status::{PartitionStatus, now_ms};

/// Deliveries that may wait: the consumer sends one at a time, and control messages must find room.
pub const MAILBOX: usize = 8;
/// Wait before a failed step is tried again; the store has retried with backoff itself by then.
const RETRY: Duration = Duration::from_secs(2);

/// How often the memory pressure is looked at between deliveries.
const PRESSURE_LOOK: Duration = Duration::from_millis(250);

/// When batches are cut.
#[derive(Debug, Clone, Copy)]
pub struct UploaderSettings {
    /// Age of a batch's first record.
    pub interval: Duration,
    /// Decoded bytes of one partition.
    pub max_bytes: usize,
    /// Event times further ahead of the Kafka timestamp (ms) move no clock.
    pub future_limit_ms: i64,
    /// Allowed lateness, ms: what the recorded watermark lies behind the clock.
    pub lateness_ms: i64,
    /// See [`Decision::decoding`].
    pub decoding: Hex64,
}

/// Whom an uploader talks to, and what it works with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The partition's chain in the ledger.
    pub chain: Chain,
    /// The broker's view of the partition.
    pub log: Arc<dyn Log>,
    /// Shared by all uploaders.
    pub encoders: Arc<Encoders>,
    /// Opened wide while a decided range is read again.
    pub gate: Arc<Gate>,
    /// The partition's line on the status board.
    pub status: Arc<PartitionStatus>,
    /// The window aggregator.
    pub receipted: Recipient<Receipted>,
    /// The same.
    pub detach: Recipient<Detach>,
    /// The supervisor.
    pub refused: Recipient<Refused>,
    /// Metrics.
    pub metrics: Metrics,
}

/// Actor that owns one partition's part of the lake.
pub struct Uploader {
    source: Arc<Source>,
    partition: TopicPartition,
    settings: UploaderSettings,
    around: Surroundings,
    heartbeat: Arc<Heartbeat>,
    pending: Pending,
    head: Option<Decision>,
    /// A decided range that must be finished before another is decided.
    unfinished: Option<Unfinished>,
    read_from: i64,
    /// End of the range that an upload is under way for.
    uploading: Option<i64>,
    /// End of the range whose upload failed: it is tried again as it was, or it would grow with each time.
    again: Option<i64>,
    /// The oldest record that waits, and since when it does, ms.
    oldest: Option<(i64, i64)>,
    /// What the budget knows of `pending`.
    share: OpenShare,
    /// Its one permit is held by the upload under way.
    slot: Arc<Semaphore>,
    due: Option<SpawnHandle>,
    drains: Vec<oneshot::Sender<bool>>,
}

impl Uploader {
    /// An uploader that reads the ledger before anything else.
    pub fn new(
        source: Arc<Source>,
        settings: UploaderSettings,
        around: Surroundings,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        let partition = TopicPartition::from(&*source);
        let share = around.gate.budget().share();
        Self {
            source,
            partition,
            settings,
            around,
            heartbeat,
            pending: Pending::starting_at(0),
            head: None,
            unfinished: None,
            read_from: 0,
            uploading: None,
            again: None,
            oldest: None,
            share,
            slot: Arc::new(Semaphore::new(1)),
            due: None,
            drains: Vec::new(),
        }
    }

    /// Reads the ledger; the mailbox waits. Tries again for ever, for nothing can be done without it.
    fn recover(&mut self, ctx: &mut Context<Self>) {
        let (around, partition) = (self.around.clone(), self.partition.clone());
        let heartbeat = Arc::clone(&self.heartbeat);
        let recovery = async move {
            let mut gaps = Vec::new();
            loop {
                let work = heartbeat.work();
                crate::fault::point("uploader.recover").await;
                match recover(&around, &partition, &work, &mut gaps).await {
                    // Of one that was given up nobody hears; it would ask for ever.
                    Err(error) if error.is_transient() && !heartbeat.is_given_up() => {
                        tracing::warn!(%partition, %error, "recovery is tried again");
                    }
                    other => {
                        crate::fault::point("uploader.recovered").await;
                        return (other, gaps);
                    }
                }
                drop(work);
                tokio::time::sleep(RETRY).await;
            }
        };
        ctx.wait(recovery.into_actor(self).map(|(recovered, gaps), actor, ctx| {
            actor.count_gaps(&gaps);
            match recovered {
                _ if actor.heartbeat.is_given_up() => ctx.stop(),
                Ok(recovered) => actor.recovered(recovered),
                Err(error) => actor.refuse(&error.to_string(), ctx),
            }
        }));
    }

    fn count_gaps(&self, gaps: &[Decision]) {
        let (table, metrics) = (self.source.kind.table(), &self.around.metrics.uploads);
        for gap in gaps {
            metrics.gaps.with_label_values(&[table]).inc();
            metrics.lost.with_label_values(&[table]).inc_by((gap.end - gap.start).max(0) as u64);
        }
    }

    fn recovered(&mut self, recovered: Recovered) {
        let table = self.source.kind.table();
        self.around.metrics.uploads.recoveries.with_label_values(&[table]).inc();
        let position = match &recovered.unfinished {
            Some(unfinished) => unfinished.decision.start,
            None => recovered.head_end,
        };
        self.read_from = match (&recovered.unfinished, recovered.fingerprint) {
            (Some(unfinished), _) => unfinished.survivors_from,
            (None, Some(fingerprint)) => fingerprint.offset.min(position),
            (None, None) => position,
        };
        self.pending = Pending::starting_at(position.max(self.read_from.min(recovered.head_end)));
        self.around.gate.set_urgent(recovered.unfinished.is_some());
        self.around.status.set_head(Some(position));
        self.around.status.set_taken(Some(self.pending.end()));
        // What the one before held may be in the lake by now, and never come again.
        self.around.status.set_oldest_pending_ms(None);
        tracing::info!(partition = %self.partition, position, finishing = recovered.unfinished.is_some(), "ledger read");
        self.head = recovered.head.filter(|_| recovered.unfinished.is_none());
        self.unfinished = recovered.unfinished;
    }

    /// Tells the supervisor that an operator must act, and stops.
    fn refuse(&mut self, why: &str, ctx: &mut Context<Self>) {
        let refused = Refused { partition: self.partition.clone(), why: why.to_owned() };
        let told = self.around.refused.send(refused);
        ctx.wait(told.into_actor(self).map(|_, _, ctx| ctx.stop()));
    }

    /// Bytes that no upload is under way for.
    fn open_bytes(&self) -> usize {
        self.pending.bytes_from(self.uploading.unwrap_or(i64::MIN))
    }

    /// Tells the budget what an upload that began now would free: nothing where none can, so that others need not wait
    /// for it.
    fn note_open(&self) {
        let none = self.uploading.is_some() || self.unfinished.is_some();
        self.share.set(if none { 0 } else { self.open_bytes() });
    }

    fn is_due(&self) -> bool {
        self.open_bytes() >= self.settings.max_bytes || self.share.is_due()
    }

    /// Starts an upload if there is a reason for one and none is under way.
    fn consider(&mut self, forced: bool, ctx: &mut Context<Self>) {
        if self.uploading.is_some() {
            return;
        }
        self.note_open();
        match &self.unfinished {
            Some(unfinished) if self.pending.end() >= unfinished.decision.end => {
                // What lies behind the range has no more right to memory than any other record.
                self.around.gate.set_urgent(false);
                self.upload(ctx);
            }
            Some(_) => {
                // Said again and again: a predecessor that ends late says the opposite, for the gate is the partition's.
                self.around.gate.set_urgent(true);
                self.answer_drains(false);
            }
            None if !self.pending.has_records() => self.answer_drains(true),
            None if forced || !self.drains.is_empty() || self.is_due() => self.upload(ctx),
            None => {}
        }
    }

    fn answer_drains(&mut self, drained: bool) {
        for drain in self.drains.drain(..) {
            // The asker may have given up at its deadline.
            let _ = drain.send(drained);
        }
    }

    /// Where the range of an upload that begins now ends.
    fn cut(&self) -> i64 {
        let decided = self.unfinished.as_ref().map(|unfinished| unfinished.decision.end);
        // Of what piled up while nothing could be written, no more at once than ever.
        decided.or(self.again).unwrap_or_else(|| self.pending.end_of(self.settings.max_bytes))
    }

    fn upload(&mut self, ctx: &mut Context<Self>) {
        if let Some(due) = self.due.take() {
            ctx.cancel_future(due);
        }
        let job = Job {
            chain: self.around.chain.clone(),
            log: Arc::clone(&self.around.log),
            encoders: Arc::clone(&self.around.encoders),
            source: Arc::clone(&self.source),
            heartbeat: Arc::clone(&self.heartbeat),
            head: self.head.clone(),
            unfinished: self.unfinished.clone(),
            start: self.pending.start(),
            end: self.cut(),
            status: Arc::clone(&self.around.status),
            encoding: self.around.metrics.encoding.clone(),
            lost: self.around.metrics.uploads.lost.with_label_values(&[self.source.kind.table()]),
            future_limit_ms: self.settings.future_limit_ms,
            lateness_ms: self.settings.lateness_ms,
            decoding: self.settings.decoding,
        };
        let (range, charges) = (self.pending.range(job.end), self.pending.charges(job.end));
        self.uploading = Some(job.end);
        self.note_open();
        let began = Instant::now();
        let (slot, partition) = (Arc::clone(&self.slot), self.partition.clone());
        let (table, failed) = (self.source.kind.table(), self.around.metrics.uploads.clone());
        // A task of its own: while a delivery waits for room, an actor's context polls nothing that it has spawned.
        let upload = actix::spawn(async move {
            let _busy = slot.acquire_owned().await;
            // What it works on takes memory, even once this actor has ended.
            let _charges = charges;
            let result = job.run(range).await;
            if let Err(error) = result.as_ref()
                && error.is_transient()
            {
                failed.ended(table, "failed");
                tracing::warn!(%partition, %error, "upload is tried again");
                // Here, so that meanwhile nothing else begins, and deliveries over the limit wait as they do while it runs.
                tokio::time::sleep(RETRY).await;
            }
            result
        });
        ctx.spawn(upload.into_actor(self).map(move |result, actor, ctx| {
            let end = actor.uploading.take();
            let metrics = &actor.around.metrics;
            let Ok(result) = result else {
                tracing::error!(partition = %actor.partition, "the upload panicked");
                return ctx.stop();
            };
            match result {
                Ok(uploaded) => {
                    metrics.upload.passed(uploaded.decision.records as usize, began.elapsed());
                    actor.uploaded(uploaded, ctx);
                }
                Err(UploadError::Longer(decision)) => {
                    metrics.uploads.conflicts.with_label_values(&[table]).inc();
                    actor.adopted_longer(*decision, ctx);
                }
                Err(UploadError::CutOff { .. }) => actor.cut_off(ctx),
                Err(error) if error.is_transient() => {
                    actor.again = end;
                    actor.consider(true, ctx);
                }
                Err(error) => {
                    metrics.uploads.ended(table, "refused");
                    actor.refuse(&error.to_string(), ctx);
                }
            }
        }));
    }

    /// What is held of a log that was cut off must not be decided once the log is as long again.
    fn cut_off(&mut self, ctx: &mut Context<Self>) {
        // What the windows counted of it may be another record now, too.
        self.around.status.set_counted(false);
        let told = self.around.detach.send(Detach { partition: self.partition.clone() });
        ctx.wait(told.into_actor(self).map(|_, _, ctx| ctx.stop()));
    }

    fn tell_oldest(&mut self) {
        // A time that is still to come, or none, says nothing; that it waits by now is known.
        let oldest = self.pending.oldest().map(|(offset, timestamp)| {
            let known = self.oldest.filter(|(before, _)| *before == offset);
            let (_, since) = known.unwrap_or((offset, now_ms()));
            (offset, if timestamp < 0 { since } else { since.min(timestamp) })
        });
        self.oldest = oldest;
        self.around.status.set_oldest_pending_ms(oldest.map(|(_, since)| since));
    }

    fn uploaded(&mut self, uploaded: Uploaded, ctx: &mut Context<Self>) {
        let Uploaded { decision, receipt, outcome } = uploaded;
        let table = self.source.kind.table();
        let metrics = &self.around.metrics.uploads;
        metrics.ended(table, outcome);
        metrics.objects.with_label_values(&[table]).inc_by(receipt.objects.len() as u64);
        let bytes = receipt.objects.iter().map(|object| object.bytes).sum();
        metrics.bytes.with_label_values(&[table]).inc_by(bytes);
        self.pending.drop_before(decision.end);
        self.around.status.set_head(Some(decision.end));
        self.around.status.set_uploaded_ms(Some(now_ms()));
        self.tell_oldest();
        let hint = CommittedOffset { offset: decision.end, entry_start: decision.start };
        self.around.log.commit(&self.partition, hint);
        self.unfinished = None;
        // What came while it was tried again and again has waited for as long.
        let overdue = self.again.take().is_some();
        self.read_from = decision.fingerprint.map_or(decision.end, |last| last.offset);
        let told = self.around.receipted.send(Receipted {
            source: Arc::clone(&self.source),
            start: decision.start,
            end: decision.end,
            watermark: decision.watermark,
        });
        ctx.spawn(told.into_actor(self).map(|_, _, _| ()));
        self.head = Some(decision);
        self.arm(ctx);
        self.consider(overdue, ctx);
    }

    /// Another writer decided a longer range: it must be read whole first.
    fn adopted_longer(&mut self, decision: Decision, ctx: &mut Context<Self>) {
        tracing::info!(partition = %self.partition, start = decision.start, end = decision.end, "a longer range is adopted");
        self.unfinished = Some(Unfinished { survivors_from: decision.start, decision });
        self.consider(false, ctx);
    }

    /// Makes sure that what is pending is cut when its first record is old enough.
    fn arm(&mut self, ctx: &mut Context<Self>) {
        if self.due.is_none() && self.pending.has_records() {
            let interval = self.settings.interval;
            self.due = Some(ctx.run_later(interval, |actor, ctx| {
                actor.due = None;
                actor.consider(true, ctx);
            }));
        }
    }
}

async fn recover(
    around: &Surroundings,
    partition: &TopicPartition,
    work: &Working,
    gaps: &mut Vec<Decision>,
) -> Result<Recovered, ChainError> {
    let boxed = |error| -> Box<dyn std::error::Error + Send + Sync> { Box::new(error) };
    // Only a hint: without it the ledger is listed.
    let committed = around.log.committed(partition).await;
    let committed = committed
        .inspect_err(|error| tracing::debug!(%partition, %error, "no committed offset"))
        .ok()
        .flatten();
    // Each question to a broker that is away takes its time.
    work.beat();
    let hint = committed.map(|hint| Hint { offset: hint.offset, start: hint.entry_start });
    let view = || async {
        let bounds = around.log.bounds(partition).await.map_err(boxed)?;
        work.beat();
        let identity = around.log.identity(&partition.topic).await.map_err(boxed)?;
        let (cluster_id, topic_id) = (identity.cluster_id, identity.topic_id);
        Ok(LogView { start: bounds.start, end: bounds.end, cluster_id, topic_id })
    };
    around.chain.recover(hint, view, gaps).await
}

impl Actor for Uploader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        // Other partitions may have filled the budget: then nothing is delivered here that would show it.
        ctx.run_interval(PRESSURE_LOOK, |actor, ctx| actor.consider(false, ctx));
        self.recover(ctx);
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.around.gate.set_urgent(false);
    }
}

impl Handler<WhereAreYou> for Uploader {
    type Result = Whereabouts;

    fn handle(&mut self, _: WhereAreYou, _: &mut Context<Self>) -> Whereabouts {
        let receipted = self.head.as_ref().map_or(self.pending.start(), |head| head.end);
        let (receipted, receipted_start) = match &self.unfinished {
            Some(unfinished) => (unfinished.decision.start, unfinished.decision.previous_start),
            None => (receipted, self.head.as_ref().map(|head| head.start)),
        };
        let position = self.pending.end();
        Whereabouts { position, read_from: self.read_from.min(position), receipted, receipted_start }
    }
}

impl Handler<Deliver> for Uploader {
    type Result = AtomicResponse<Self, Delivered>;

    fn handle(&mut self, deliver: Deliver, ctx: &mut Context<Self>) -> Self::Result {
        let now = |delivered| AtomicResponse::new(Box::pin(fut::ready(delivered)) as _);
        if let Some(why) = self.fingerprint_differs(&deliver) {
            self.refuse(&why, ctx);
            return now(Delivered::Taken);
        }
        match self.pending.offer(deliver.batch, deliver.charge) {
            Offered::Hole(from) => return now(Delivered::Rewind(from)),
            Offered::Known => return now(Delivered::Taken),
            Offered::Taken => self.around.status.set_taken(Some(self.pending.end())),
        }
        self.tell_oldest();
        self.arm(ctx);
        self.consider(false, ctx);
        if self.uploading.is_none() || self.open_bytes() < self.settings.max_bytes {
            return now(Delivered::Taken);
        }
        let slot = Arc::clone(&self.slot);
        let freed = async move { drop(slot.acquire_owned().await) };
        AtomicResponse::new(Box::pin(freed.into_actor(self).map(|(), _, _| Delivered::Taken)))
    }
}

impl Uploader {
    /// The head's last record, read again, must be the one that the ledger knows.
    fn fingerprint_differs(&self, deliver: &Deliver) -> Option<String> {
        use crate::lake::ledger::{ObservedRecord, check_fingerprint};
        let expected = self.head.as_ref()?.fingerprint?;
        let batch = &deliver.batch;
        if !(batch.start..batch.end).contains(&expected.offset) {
            return None;
        }
        let row = batch.rows_between(expected.offset, expected.offset + 1).next();
        let rejected = batch.rejected_between(expected.offset, expected.offset + 1).next();
        let hash = row
            .and_then(|row| batch.hashes.get(row).copied())
            .or_else(|| rejected.and_then(|at| batch.rejected.get(at)).map(|record| record.hash));
        let observed = hash.map_or(ObservedRecord::Absent, ObservedRecord::Hash);
        check_fingerprint(self.around.chain.key(), expected, observed).err().map(|why| why.to_string())
    }
}

impl Handler<Drain> for Uploader {
    type Result = ResponseFuture<bool>;

    fn handle(&mut self, _: Drain, ctx: &mut Context<Self>) -> Self::Result {
        let (done, drained) = oneshot::channel();
        self.drains.push(done);
        self.consider(true, ctx);
        Box::pin(async move { drained.await.unwrap_or(false) })
    }
}

impl Handler<Halt> for Uploader {
    type Result = ();

    fn handle(&mut self, _: Halt, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}
