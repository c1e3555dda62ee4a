//! Window aggregator: folds every partition's batches into the charts and answers questions about them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures::stream;
use tokio::time::Instant;

use super::heartbeat::Heartbeat;
use crate::charts::{Applied, ChartSettings, Charts};
use crate::http::{SongsQuery, UsersQuery};
use crate::kafka::TopicPartition;
use crate::kafka::gate::Gate;
use crate::lake::chain::{Chain, mark_complete};
use crate::lake::layout::{ChainKey, Hour};
use crate::lake::ledger::EpochRecord;
use crate::lake::rebuild::{entries_after, newest_snapshot, rows_of};
use crate::lake::snapshots::SnapshotWriter;
use crate::lake::store::Store;
use crate::messages::{
    AskSongs, AskUsers, Attach, Begin, Deliver, Delivered, Detach, Halt, Receipted, Replay, SnapshotAll,
    Unreadable,
};
use crate::metrics::Metrics;
use crate::schemas::{EventBatch, Source};
use crate::status::{StatusBoard, now_ms};

/// One batch from each of some partitions; a consumer waits for the answer, so there is at most one of each.
pub const MAILBOX: usize = 64;
/// Idleness, skew and markers are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// A snapshot is taken to be in the store for so long; it may be deleted there at any time, or by a rule after some days.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(3600);
/// Wait before a rebuild from the lake is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// How the aggregator treats time.
#[derive(Debug, Clone, Copy)]
pub struct AggregatorSettings {
    /// Windows.
    pub charts: ChartSettings,
    /// Wall time without records, at the end of the log, after which a partition is idle.
    pub idle_after: Duration,
    /// Event time, ms, by which a partition may be ahead of the slowest.
    pub max_ahead_ms: i64,
    /// Time between snapshots.
    pub snapshot_interval: Duration,
}

struct Share {
    gate: Arc<Gate>,
    last_rows: Instant,
    marked: Option<Hour>,
    /// End of the newest snapshot that was read, written, or found in the store, and when that was; 0 if none was.
    kept: (i64, Instant),
    /// Batches are discarded until receipts pass this offset.
    unreadable_through: Option<i64>,
    rebuilding: bool,
}

impl Share {
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
        let charts = Charts::new(settings.charts);
        Self { charts, settings, store, board, metrics, heartbeat, shares: BTreeMap::new() }
    }

    fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        self.board.rounds().aggregator.come();
        for (topic, count) in self.board.topic_partitions() {
            self.charts.set_topic_partitions(&topic, count);
        }
        for status in self.charts.status().collect::<Vec<_>>() {
            let Some(share) = self.shares.get(&status.source) else { continue };
            let Some(line) = self.board.get(&partition_of(&status.source)) else { continue };
            let quiet = now.duration_since(share.last_rows) >= self.settings.idle_after;
            // What is read but not yet counted is on its way here.
            let all_counted = line.at_end() && line.position().is_none_or(|position| status.end >= position);
            // One that is stopped until an operator acts must not stop the others, which may only run so far ahead.
            let stopped = line.refused().is_some();
            let idle = stopped || all_counted && (status.clock.is_none() || quiet);
            self.charts.set_idle(&status.source, idle);
            line.set_clock_ms(status.clock);
            line.tally.set_windows(&status.counters);
        }
        let watermark = self.charts.watermark();
        self.metrics.watermark.set(watermark.map_or(0.0, |watermark| watermark as f64 / 1000.0));
        self.board.set_watermark(watermark);
        self.hold_back();
        for status in self.charts.status().collect::<Vec<_>>() {
            let Some(line) = self.board.get(&partition_of(&status.source)) else { continue };
            line.set_idle(status.idle);
            // An idle partition whose records are all in the lake has no more of the hours behind the watermark.
            if status.idle && line.refused().is_none() && line.head() == Some(status.end) {
                self.mark(&status.source, watermark, status.end, ctx);
            }
        }
    }

    fn hold_back(&self) {
        for (source, share) in &self.shares {
            let ahead = self.charts.ahead_of_watermark(source).unwrap_or(0);
            share.gate.hold(ahead > self.settings.max_ahead_ms);
        }
    }

    /// Writes a marker if the watermark has passed another hour.
    fn mark(&mut self, source: &Source, watermark: Option<i64>, end: i64, ctx: &mut Context<Self>) {
        let Some(watermark) = watermark else { return };
        let hour = Hour(Hour::of_ms(watermark).0 - 1);
        let Some(share) = self.shares.get_mut(source) else { return };
        if share.marked >= Some(hour) {
            return;
        }
        share.marked = Some(hour);
        if let Some(line) = self.board.get(&partition_of(source)) {
            line.set_complete_through_ms(Some(hour.end_ms()));
        }
        let (store, chain) = (Arc::clone(&self.store), ChainKey::from(source));
        let marking = async move {
            if let Err(error) = mark_complete(&*store, &chain, hour, end).await {
                tracing::warn!(%chain, %error, "completeness marker not written");
            }
        };
        ctx.spawn(marking.into_actor(self));
    }

    /// Writes a snapshot of each partition that has more than its last one; each is made while those before are written.
    fn snapshots(&self) -> impl ActorFuture<Self, Output = ()> + use<> {
        let sources: Vec<Source> = self.shares.keys().cloned().collect();
        let begin = |mut writer: SnapshotWriter, source: Source, actor: &mut Self, _: &mut Context<Self>| {
            let taken = actor.snapshot(&source);
            let begun = async move {
                if let Some((end, snapshot)) = taken {
                    writer.write(ChainKey::from(&source), end, snapshot).await;
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

    /// A partition's state and its end, where the store lacks them.
    fn snapshot(&mut self, source: &Source) -> Option<(i64, Vec<u8>)> {
        let end = self.charts.end(source)?;
        if !self.shares.get(source)?.lacks_snapshot(end) {
            return None;
        }
        Some((end, self.charts.snapshot(source)?))
    }

    /// Rebuilds a partition up to `receipted` out of the lake, and answers where it then is.
    fn rebuild(
        &mut self,
        source: Arc<Source>,
        receipted: i64,
        last_start: Option<i64>,
        address: Addr<Self>,
    ) -> impl Future<Output = i64> + use<> {
        let store = Arc::clone(&self.store);
        let heartbeat = Arc::clone(&self.heartbeat);
        let charts = self.settings.charts;
        let reach_ms = charts.retention + charts.lateness;
        async move {
            loop {
                let work = heartbeat.work();
                crate::fault::point("aggregator.rebuild").await;
                match replay(&store, &source, receipted, last_start, reach_ms, &address).await {
                    Ok(end) => return end,
                    Err(error) => {
                        tracing::warn!(source = %ChainKey::from(&*source), %error, "rebuilding the windows is tried again")
                    }
                }
                drop(work);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn replay(
    store: &Arc<dyn Store>,
    source: &Arc<Source>,
    receipted: i64,
    last_start: Option<i64>,
    reach_ms: i64,
    address: &Addr<WindowAggregator>,
) -> anyhow::Result<i64> {
    let key = ChainKey::from(&**source);
    let snapshot = newest_snapshot(&**store, &key).await?;
    let begin = |snapshot, at| Begin { source: Arc::clone(source), snapshot, at };
    let from = match snapshot {
        Some(snapshot) => address.send(begin(Some(snapshot), 0)).await?,
        None => None,
    };
    let mut end = from.unwrap_or(0);
    let Some(last_start) = last_start.filter(|_| end < receipted) else {
        if from.is_none() {
            address.send(begin(None, receipted)).await?;
            end = receipted;
        }
        return Ok(end);
    };
    let chain = Chain::new(Arc::clone(store), key, source.kind, EpochRecord::new(None, None), "rebuild");
    let entries = entries_after(&chain, last_start, from, reach_ms).await?;
    if from.is_none() {
        let at = entries.first().map_or(receipted, |entry| entry.start);
        address.send(begin(None, at)).await?;
    }
    for entry in &entries {
        let activity = rows_of(&**store, entry).await?;
        let (start, until) = (entry.start, entry.end);
        address.send(Replay { source: Arc::clone(source), start, end: until, activity }).await?;
        end = until;
    }
    Ok(end)
}

fn partition_of(source: &Source) -> TopicPartition {
    TopicPartition { topic: Arc::clone(&source.topic), partition: source.partition }
}

impl Actor for WindowAggregator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(MAILBOX);
        ctx.run_interval(TICK, Self::tick);
        ctx.run_interval(self.settings.snapshot_interval, |actor, ctx| {
            ctx.spawn(actor.snapshots());
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
            return Delivered::Taken;
        }
        let began = Instant::now();
        if batch.rows() > 0 {
            share.last_rows = began;
        }
        let answer = match self.charts.apply(&batch.source, &activity, batch.start, batch.end) {
            Applied::Hole { expected } => Delivered::Rewind(expected),
            Applied::Folded { .. } | Applied::Known | Applied::Unassigned => {
                self.hold_back();
                if let Some(latency) = count_latency(batch, now_ms()) {
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
        let Attach { source, receipted, receipted_start, gate } = attach;
        if let Some(end) = self.charts.end(&source)
            && let Some(share) = self.shares.get_mut(&*source)
            && !share.rebuilding
        {
            share.gate = gate;
            return Box::pin(fut::ready(end));
        }
        let share = Share {
            gate,
            last_rows: Instant::now(),
            marked: None,
            kept: (0, Instant::now()),
            unreadable_through: None,
            rebuilding: true,
        };
        self.shares.insert((*source).clone(), share);
        let rebuilt = self.rebuild(Arc::clone(&source), receipted, receipted_start, ctx.address());
        Box::pin(rebuilt.into_actor(self).map(move |end, actor, _| {
            if let Some(share) = actor.shares.get_mut(&*source) {
                share.rebuilding = false;
            }
            end
        }))
    }
}

impl Handler<Begin> for WindowAggregator {
    type Result = Option<i64>;

    fn handle(&mut self, begin: Begin, _: &mut Context<Self>) -> Option<i64> {
        let Some(snapshot) = begin.snapshot else {
            self.charts.assign(&begin.source, begin.at);
            return Some(begin.at);
        };
        match self.charts.restore(&begin.source, &snapshot) {
            Ok(end) => {
                if let Some(share) = self.shares.get_mut(&*begin.source) {
                    share.kept = (end, Instant::now());
                }
                Some(end)
            }
            Err(error) => {
                let snapshot = ChainKey::from(&*begin.source).state_prefix();
                tracing::info!(snapshot, %error, "snapshot not used; the lake is read instead");
                None
            }
        }
    }
}

impl Handler<Replay> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, replay: Replay, _: &mut Context<Self>) {
        self.heartbeat.beat();
        self.charts.apply(&replay.source, &replay.activity.view(), replay.start, replay.end);
    }
}

impl Handler<Unreadable> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, unreadable: Unreadable, _: &mut Context<Self>) {
        if self.charts.end(&unreadable.source).is_some_and(|end| end >= unreadable.through) {
            return;
        }
        if let Some(share) = self.shares.get_mut(&*unreadable.source) {
            tracing::warn!(source = %ChainKey::from(&*unreadable.source), through = unreadable.through,
                "retention took records that the windows lack; they are read from the lake later");
            share.unreadable_through = Some(unreadable.through);
        }
    }
}

impl Handler<Receipted> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, receipted: Receipted, ctx: &mut Context<Self>) {
        self.mark(&receipted.source, receipted.watermark, receipted.end, ctx);
        let Some(share) = self.shares.get_mut(&*receipted.source) else { return };
        if share.unreadable_through.is_some_and(|through| receipted.end >= through) {
            share.unreadable_through = None;
            share.rebuilding = true;
            let source = Arc::clone(&receipted.source);
            let rebuilt =
                self.rebuild(Arc::clone(&source), receipted.end, Some(receipted.start), ctx.address());
            ctx.spawn(rebuilt.into_actor(self).map(move |_, actor, _| {
                if let Some(share) = actor.shares.get_mut(&*source) {
                    share.rebuilding = false;
                }
            }));
        }
    }
}

impl Handler<Detach> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, detach: Detach, _: &mut Context<Self>) {
        let gone: Vec<Source> =
            self.shares.keys().filter(|source| partition_of(source) == detach.partition).cloned().collect();
        for source in gone {
            self.charts.revoke(&source);
            self.shares.remove(&source);
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
