//! Window aggregator: folds every partition's batches into the charts and answers questions about them.

mod rebuild;
mod time;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures::stream;
use tokio::time::Instant;

use self::time::{SteadyClock, Upkeep};
use super::heartbeat::Heartbeat;
use crate::charts::{Applied, ChartSettings, Charts, Counters};
use crate::http::{SongsQuery, UsersQuery};
use crate::kafka::TopicPartition;
use crate::kafka::gate::Gate;
use crate::lake::chain::mark_complete;
use crate::lake::layout::{ChainKey, Hour};
use crate::lake::snapshots::SnapshotWriter;
use crate::lake::store::Store;
use crate::messages::{
    AskSongs, AskUsers, Attach, Deliver, Delivered, Detach, Halt, ReadAgain, Receipted, SnapshotAll, Stay,
    Ticket,
};
use crate::metrics::Metrics;
use crate::schemas::batch::Activity;
use crate::schemas::{EventBatch, Source};
use crate::status::{StatusBoard, now_ms};

/// One batch from each of some partitions; a consumer waits for the answer, so there is at most one of each.
pub const MAILBOX: usize = 64;
/// Idleness, skew and markers are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// A completeness marker that could not be written is tried again after this long.
const MARK_AGAIN: Duration = Duration::from_secs(60);
/// A snapshot is taken to be in the store for so long; it may be deleted there at any time, or by a rule after some days.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(3600);

/// How the aggregator treats time.
#[derive(Debug, Clone, Copy)]
pub struct AggregatorSettings {
    /// Windows.
    pub charts: ChartSettings,
    /// Wall time without records, at the end of the log, after which a partition is idle.
    pub idle_after: Duration,
    /// Event time, ms, by which a partition may be ahead of the slowest one that is awaited.
    pub max_ahead_ms: i64,
    /// Time between snapshots.
    pub snapshot_interval: Duration,
}

struct Share {
    gate: Arc<Gate>,
    /// When rows came last, or the partition was taken on.
    last_rows: Instant,
    /// Rows have come since it was taken on.
    lively: bool,
    upkeep: Upkeep,
    /// End of the last range with a receipt, as far as it was heard of.
    receipted: i64,
    marked: Option<Hour>,
    /// No marker is tried before.
    mark_after: Instant,
    /// End of the newest snapshot that was read, written, or found in the store, and when that was; 0 if none was.
    kept: (i64, Instant),
    /// Batches are discarded until receipts pass this offset, and while the partition is rebuilt.
    unreadable_through: Option<i64>,
    rebuilding: bool,
    /// Some were.
    discarded: bool,
    stay: Stay,
    again: Recipient<ReadAgain>,
    /// What the charts had counted when the status last heard of it.
    told: Counters,
    /// What the charts count up to this offset was told by an aggregator before this one, or by another process.
    told_through: i64,
}

impl Share {
    /// Takes what the charts have counted up to `end` as told, if it is.
    fn note_counted(&mut self, end: i64, counters: Option<Counters>) {
        if end <= self.told_through {
            self.told = counters.unwrap_or_default();
        }
    }

    /// Whether a snapshot of `[0, end)` is to be written.
    fn lacks_snapshot(&self, end: i64) -> bool {
        let (kept, since) = self.kept;
        end > kept || end > 0 && since.elapsed() >= KEPT_FOR
    }
}

/// Actor that owns the charts.
pub struct WindowAggregator {
    charts: Charts,
    settings: AggregatorSettings,
    store: Arc<dyn Store>,
    board: StatusBoard,
    metrics: Metrics,
    heartbeat: Arc<Heartbeat>,
    shares: BTreeMap<Source, Share>,
    /// Snapshots are being written, as the interval asks for.
    writing: bool,
    clock: SteadyClock,
}

impl WindowAggregator {
    /// An aggregator without partitions.
    pub fn new(
        settings: AggregatorSettings,
        store: Arc<dyn Store>,
        board: StatusBoard,
        metrics: Metrics,
        heartbeat: Arc<Heartbeat>,
    ) -> Self {
        let (mut charts, now) = (Charts::new(settings.charts), now_ms());
        charts.set_now(now);
        let (shares, clock) = (BTreeMap::new(), SteadyClock::new(now));
        Self { charts, settings, store, board, metrics, heartbeat, shares, writing: false, clock }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        self.board.rounds().aggregator.come();
        self.let_go_of_lost();
        for (topic, count) in self.board.topic_partitions() {
            self.charts.set_topic_partitions(&topic, count);
        }
        let newest = self.charts.newest();
        for status in self.charts.status().collect::<Vec<_>>() {
            let Some(share) = self.shares.get_mut(&status.source) else { continue };
            let Some(line) = self.board.get(&TopicPartition::from(&status.source)) else { continue };
            // One that had no event for long before it was taken on is waited for no more than before that.
            let since = newest.zip(status.clock).map_or(0, |(newest, clock)| newest.saturating_sub(clock));
            let long_quiet = !share.lively && since > self.settings.max_ahead_ms;
            let quiet = long_quiet || now.duration_since(share.last_rows) >= self.settings.idle_after;
            // What is read but not yet counted is on its way here.
            let all_counted = line.at_end() && line.position().is_none_or(|position| status.end >= position);
            // One that is stopped until an operator acts must not stop the others, which may only run so far ahead.
            let stopped = line.refused().is_some();
            let idle = stopped || all_counted && (status.clock.is_none() || quiet);
            self.charts.set_idle(&status.source, idle);
            let keeps_up = share.upkeep.lasts(all_counted, now, self.settings.idle_after);
            self.charts.set_awaited(&status.source, !keeps_up && !share.rebuilding);
            line.set_clock_ms(status.clock);
            self.tell(&status.source);
        }
        let now_ms = self.clock.at(now_ms());
        self.charts.set_now(now_ms);
        let watermark = self.charts.watermark();
        self.metrics.watermark.set(watermark.map_or(0.0, |watermark| watermark as f64 / 1000.0));
        self.board.set_watermark(watermark);
        self.hold_back();
        for status in self.charts.status().collect::<Vec<_>>() {
            let Some(line) = self.board.get(&TopicPartition::from(&status.source)) else { continue };
            line.set_idle(status.idle);
            // An idle partition whose records are all in the lake has no more of the hours behind the watermark.
            if status.idle && line.refused().is_none() && line.head() == Some(status.end) {
                self.mark(&status.source, watermark, status.end, ctx);
            }
        }
    }

    /// Tells the status what the charts have counted since it last heard of that.
    fn tell(&mut self, source: &Source) {
        let Some(share) = self.shares.get_mut(source).filter(|share| !share.rebuilding) else { return };
        let Some(line) = self.board.get(&TopicPartition::from(source)) else { return };
        if let (Some(end), Some(counters)) = (self.charts.end(source), self.charts.counters(source)) {
            line.tally.add_windows(&counters.since(&share.told));
            share.told = counters;
            line.set_told(line.told().max(Some(end)));
        }
    }

    /// Folds `[start, end)` in, what was told already by itself.
    fn count(&mut self, source: &Source, activity: &Activity<'_>, start: i64, end: i64) -> Applied {
        let told = self.shares.get(source).map(|share| share.told_through);
        let told = told.filter(|told| (start + 1..end).contains(told));
        let mut applied = Applied::Known;
        for until in told.into_iter().chain([end]) {
            applied = self.charts.apply(source, activity, start, until);
            if let (Some(share), Some(end)) = (self.shares.get_mut(source), self.charts.end(source)) {
                share.note_counted(end, self.charts.counters(source));
            }
        }
        applied
    }

    /// Drops what is not ours any more. A consumer that the supervisor has given up may attach its partition after the word
    /// of its revocation.
    fn let_go_of_lost(&mut self) {
        let lost = |source: &&Source| self.board.get(&TopicPartition::from(*source)).is_none();
        for source in self.shares.keys().filter(lost).cloned().collect::<Vec<_>>() {
            self.let_go(&source);
        }
    }

    fn let_go(&mut self, source: &Source) {
        self.charts.revoke(source);
        self.shares.remove(source);
    }

    fn hold_back(&self) {
        for (source, share) in &self.shares {
            let ahead = self.charts.ahead_of_slowest(source).unwrap_or(0);
            share.gate.hold(ahead > self.settings.max_ahead_ms);
        }
    }

    /// Writes a marker if the watermark has passed another hour.
    fn mark(&mut self, source: &Source, watermark: Option<i64>, end: i64, ctx: &mut Context<Self>) {
        let Some(watermark) = watermark else { return };
        // One event of a wrong clock completes no hour that is still to come.
        let watermark = watermark.min(self.clock.at(now_ms()) - self.settings.charts.lateness);
        let hour = Hour(Hour::of_ms(watermark).0 - 1);
        let Some(share) = self.shares.get_mut(source) else { return };
        if share.marked >= Some(hour) || Instant::now() < share.mark_after {
            return;
        }
        let before = share.marked.replace(hour);
        let (store, source) = (Arc::clone(&self.store), source.clone());
        let chain = ChainKey::from(&source);
        let marking = async move {
            let marked = mark_complete(&*store, &chain, hour, end).await;
            marked
                .inspect_err(|error| tracing::warn!(%chain, %error, "completeness marker not written"))
                .is_ok()
        };
        ctx.spawn(marking.into_actor(self).map(move |marked, actor, _| {
            let Some(share) = actor.shares.get_mut(&source) else { return };
            if marked {
                if let Some(line) = actor.board.get(&TopicPartition::from(&source)) {
                    line.set_complete_through_ms(line.complete_through_ms().max(Some(hour.end_ms())));
                }
            } else if share.marked == Some(hour) {
                share.marked = before;
                share.mark_after = Instant::now() + MARK_AGAIN;
            }
        }));
    }

    /// Writes a snapshot of each partition that has more than its last one; each is made while those before are written.
    fn snapshots(&self) -> impl ActorFuture<Self, Output = ()> + use<> {
        let sources: Vec<Source> = self.shares.keys().cloned().collect();
        let begin = |mut writer: SnapshotWriter, source: Source, actor: &mut Self, _: &mut Context<Self>| {
            let taken = actor.snapshot(&source);
            let begun = async move {
                if let Some((end, receipted, snapshot)) = taken {
                    writer.write(ChainKey::from(&source), end, receipted, snapshot).await;
                }
                writer
            };
            begun.into_actor(actor)
        };
        let all =
            stream::iter(sources).into_actor(self).fold(SnapshotWriter::new(Arc::clone(&self.store)), begin);
        all.then(|writer, actor, _| writer.finish().into_actor(actor)).map(|kept, actor, _| {
            for (source, share) in &mut actor.shares {
                if let Some(&end) = kept.get(&ChainKey::from(source)) {
                    share.kept = share.kept.max((end, Instant::now()));
                }
            }
        })
    }

    /// A partition's state, its end and that of what has a receipt, where the store lacks the state.
    fn snapshot(&mut self, source: &Source) -> Option<(i64, i64, Vec<u8>)> {
        let (end, share) = (self.charts.end(source)?, self.shares.get(source)?);
        if !share.lacks_snapshot(end) {
            return None;
        }
        let receipted = share.receipted;
        // Whoever begins with it takes what it counts as told.
        self.tell(source);
        Some((end, receipted, self.charts.snapshot(source)?))
    }

    /// The partition's share, if `ticket` was given for this stay.
    fn share_of(&mut self, source: &Source, ticket: &Ticket) -> Option<&mut Share> {
        self.shares.get_mut(source).filter(|share| share.stay.admits(ticket))
    }

    fn show_counted(&self, source: &Source, counted: bool) {
        if let Some(line) = self.board.get(&TopicPartition::from(source)) {
            line.set_counted(counted);
        }
    }
}

impl Actor for WindowAggregator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, Self::tick);
        ctx.run_interval(self.settings.snapshot_interval, |actor, ctx| {
            // A store that is slow gets no second pass beside the first.
            if !std::mem::replace(&mut actor.writing, true) {
                ctx.spawn(actor.snapshots().map(|(), actor, _| actor.writing = false));
            }
        });
    }
}

impl Handler<Deliver> for WindowAggregator {
    type Result = AtomicResponse<Self, Delivered>;

    fn handle(&mut self, deliver: Deliver, _: &mut Context<Self>) -> Self::Result {
        let work = self.heartbeat.work();
        let answer = self.fold(&deliver);
        AtomicResponse::new(Box::pin(
            async move {
                crate::fault::point("aggregator.fold").await;
                drop(work);
                answer
            }
            .into_actor(self),
        ))
    }
}

impl WindowAggregator {
    fn fold(&mut self, deliver: &Deliver) -> Delivered {
        let batch = &deliver.batch;
        let (Some(activity), Some(share)) = (batch.activity(), self.shares.get_mut(&*batch.source)) else {
            return Delivered::Taken;
        };
        if share.rebuilding || share.unreadable_through.is_some() {
            share.discarded = true;
            return Delivered::Taken;
        }
        let (began, now) = (Instant::now(), now_ms());
        self.charts.set_now(self.clock.at(now));
        let applied = self.count(&batch.source, &activity, batch.start, batch.end);
        // What is read again, as the last record in the lake at each start, is nothing new.
        if matches!(applied, Applied::Folded { rows } if rows > 0)
            && let Some(share) = self.shares.get_mut(&*batch.source)
        {
            (share.last_rows, share.lively) = (began, true);
        }
        let answer = match applied {
            Applied::Hole { expected } => Delivered::Rewind(expected),
            Applied::Folded { .. } | Applied::Known | Applied::Unassigned => {
                self.hold_back();
                if let Some(latency) = count_latency(batch, now) {
                    self.metrics.count_latency.observe(latency);
                }
                Delivered::Taken
            }
        };
        self.metrics.fold.passed(batch.rows(), began.elapsed());
        answer
    }
}

/// Seconds for which the batch's first record has been in the log; none where the broker gave it no time.
fn count_latency(batch: &EventBatch, now_ms: i64) -> Option<f64> {
    let appended_ms = *batch.timestamps.first().filter(|&&appended_ms| appended_ms >= 0)?;
    Some((now_ms - appended_ms).max(0) as f64 / 1000.0)
}

impl Handler<Attach> for WindowAggregator {
    type Result = ResponseActFuture<Self, i64>;

    fn handle(&mut self, attach: Attach, ctx: &mut Context<Self>) -> Self::Result {
        let Attach { source, receipted, receipted_start, gate, again } = attach;
        if let Some(end) = self.charts.end(&source)
            && let Some(share) = self.shares.get_mut(&*source)
            && !share.rebuilding
        {
            (share.gate, share.again, share.receipted) = (gate, again, receipted);
            return Box::pin(fut::ready(end));
        }
        let stay = Stay::default();
        let ticket = stay.ticket();
        let share = Share {
            gate,
            last_rows: Instant::now(),
            lively: false,
            upkeep: Upkeep::default(),
            receipted,
            marked: None,
            mark_after: Instant::now(),
            kept: (0, Instant::now()),
            unreadable_through: None,
            rebuilding: true,
            discarded: false,
            stay,
            again,
            told: Counters::default(),
            told_through: i64::MAX,
        };
        self.shares.insert((*source).clone(), share);
        Box::pin(self.rebuild(source, ticket, (receipted_start, receipted), ctx))
    }
}

impl Handler<Receipted> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, receipted: Receipted, ctx: &mut Context<Self>) {
        let Receipted { source, start, end, watermark } = receipted;
        if let Some(share) = self.shares.get_mut(&*source) {
            share.receipted = end;
        }
        self.mark(&source, watermark, end, ctx);
        self.fill_in(source, (Some(start), end), ctx);
    }
}

impl Handler<Detach> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, detach: Detach, _: &mut Context<Self>) {
        let gone: Vec<Source> = self
            .shares
            .keys()
            .filter(|source| TopicPartition::from(*source) == detach.partition)
            .cloned()
            .collect();
        for source in gone {
            self.let_go(&source);
        }
    }
}

impl Handler<SnapshotAll> for WindowAggregator {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: SnapshotAll, _: &mut Context<Self>) -> Self::Result {
        Box::pin(self.snapshots())
    }
}

impl Handler<AskSongs> for WindowAggregator {
    type Result = MessageResult<AskSongs>;

    fn handle(&mut self, AskSongs(query): AskSongs, _: &mut Context<Self>) -> MessageResult<AskSongs> {
        let SongsQuery { window, at, limit, find } = query;
        MessageResult(match find {
            None => self.charts.top_songs(window, at, limit),
            Some(text) => self.charts.find_songs(window, at, limit, &text),
        })
    }
}

impl Handler<AskUsers> for WindowAggregator {
    type Result = MessageResult<AskUsers>;

    fn handle(&mut self, AskUsers(query): AskUsers, _: &mut Context<Self>) -> MessageResult<AskUsers> {
        let UsersQuery { window, at, by, detail } = query;
        MessageResult(match detail {
            false => self.charts.active_users(window, at, by),
            true => self.charts.active_users_in_detail(window, at, by),
        })
    }
}

impl Handler<Halt> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, _: Halt, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas::{Decoder, EventKind, RawRecord};

    /// A batch of listens that the broker took at these times.
    fn batch(appended_ms: &[i64]) -> EventBatch {
        let source =
            Source { topic: "listen_events".into(), kind: EventKind::Listen, epoch: 1, partition: 0 };
        let mut decoder = Decoder::new(Arc::new(source), false);
        for (offset, &timestamp) in (0..).zip(appended_ms) {
            let value = Some(&br#"{"ts":7}"#[..]);
            decoder.push(RawRecord { offset, timestamp, key: None, value }, Vec::new);
        }
        decoder.finish(appended_ms.len() as i64)
    }

    #[test]
    fn latency_is_the_first_records_age_in_seconds() {
        assert_eq!(count_latency(&batch(&[1_000, 2_000]), 3_500), Some(2.5));
        assert_eq!(count_latency(&batch(&[4_000]), 3_500), Some(0.0), "the broker's clock is ahead");
        assert_eq!(count_latency(&batch(&[-1]), 3_500), None, "the broker gave no time");
        assert_eq!(count_latency(&batch(&[]), 3_500), None);
    }
}
