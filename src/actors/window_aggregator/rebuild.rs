//! A partition's windows out of the lake: what the window aggregator has done while it goes on with the others.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::time::Instant;

use super::WindowAggregator;
use crate::actors::attended::AttendedStore;
use crate::actors::heartbeat::Heartbeat;
use crate::charts::Counters;
use crate::kafka::TopicPartition;
use crate::lake::chain::{Chain, ChainError};
use crate::lake::layout::ChainKey;
use crate::lake::ledger::EpochRecord;
use crate::lake::rebuild::{entries_after, newest_snapshot, rows_of};
use crate::lake::store::{Store, StoreError};
use crate::messages::{Begin, ReadAgain, Replay, Ticket, Unreadable};
use crate::schemas::Source;

/// Wait before it is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What a rebuild needs to know.
struct Rebuild {
    source: Arc<Source>,
    ticket: Ticket,
    /// The lake gives the state up to there, which is the end of the last range with a receipt.
    receipted: i64,
    /// Start of that range; none where the chain is empty.
    last_start: Option<i64>,
    /// How far behind the newest event time rows are still wanted, ms.
    reach_ms: i64,
    store: Arc<dyn Store>,
    heartbeat: Arc<Heartbeat>,
    address: Addr<WindowAggregator>,
}

/// Why the lake did not give the state.
enum Trouble {
    Lake(ChainError),
    /// The aggregator has died.
    Gone,
}

impl From<ChainError> for Trouble {
    fn from(error: ChainError) -> Self {
        Trouble::Lake(error)
    }
}

/// Where a rebuild has come to.
struct Rebuilt {
    /// The end of the state.
    end: i64,
    /// Whether the state holds all that it should.
    whole: bool,
}

impl Rebuild {
    /// Tries until it is done, or the partition was taken away.
    ///
    /// What the lake cannot give at all is done without: the charts are a cache, for which no record may wait outside the lake.
    async fn run(self) -> Rebuilt {
        let receipted = self.receipted;
        loop {
            let work = self.heartbeat.work();
            crate::fault::point("aggregator.rebuild").await;
            let error = match self.replay().await {
                Ok(end) => return Rebuilt { end, whole: true },
                Err(Trouble::Lake(error)) if !self.ticket.is_void() => error,
                Err(_) => return Rebuilt { end: receipted, whole: false },
            };
            let source = ChainKey::from(&*self.source);
            if !error.is_transient() {
                tracing::error!(%source, %error, "the windows lack what came before; mend the lake (`beatlytica verify`) and start again");
                // An aggregator that has died is made anew, and rebuilt.
                let _ = self.begin(None, receipted).await;
                return Rebuilt { end: receipted, whole: false };
            }
            tracing::warn!(%source, %error, "rebuilding the windows is tried again");
            drop(work);
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn replay(&self) -> Result<i64, Trouble> {
        let (key, receipted) = (ChainKey::from(&*self.source), self.receipted);
        let from = match self.snapshot(&key).await.map_err(ChainError::from)? {
            Some((name, snapshot)) => {
                let from = self.begin(Some(snapshot), 0).await?;
                if from.is_none() && !self.ticket.is_void() {
                    self.discard(&name).await;
                }
                from
            }
            None => None,
        };
        if self.ticket.is_void() {
            return Ok(receipted);
        }
        let mut end = from.unwrap_or(0);
        let Some(last_start) = self.last_start.filter(|_| end < receipted) else {
            if from.is_none() {
                self.begin(None, receipted).await?;
                end = receipted;
            }
            return Ok(end);
        };
        let epoch = EpochRecord::new(None, None);
        let chain = Chain::new(Arc::clone(&self.store), key, self.source.kind, epoch, "rebuild");
        let entries = entries_after(&chain, last_start, from, self.reach_ms).await?;
        if from.is_none() {
            self.begin(None, entries.first().map_or(receipted, |entry| entry.start)).await?;
        }
        for entry in &entries {
            if self.ticket.is_void() {
                break;
            }
            let activity = rows_of(&*self.store, entry).await?;
            let (source, ticket) = (Arc::clone(&self.source), self.ticket.clone());
            let replay = Replay { source, ticket, start: entry.start, end: entry.end, activity };
            self.address.send(replay).await.map_err(|_| Trouble::Gone)?;
            end = entry.end;
        }
        Ok(end)
    }

    /// The newest snapshot of what is in the lake: what lies beyond it may be gone from the log by now. One that cannot be had is done
    /// without: the lake has it all.
    async fn snapshot(&self, chain: &ChainKey) -> Result<Option<(String, bytes::Bytes)>, StoreError> {
        match newest_snapshot(&*self.store, chain, self.receipted).await {
            Err(error) if !error.is_transient() => {
                tracing::warn!(%chain, %error, "no snapshot; the lake is read instead");
                Ok(None)
            }
            found => found,
        }
    }

    /// Drops a snapshot that was refused, where the store may: the next one of a partition in which nothing happens has its name.
    async fn discard(&self, name: &str) {
        if self.store.may_discard()
            && let Err(error) = self.store.discard(name).await
        {
            tracing::debug!(name, %error, "a snapshot that is of no use stays");
        }
    }

    async fn begin(&self, snapshot: Option<bytes::Bytes>, at: i64) -> Result<Option<i64>, Trouble> {
        let (source, ticket) = (Arc::clone(&self.source), self.ticket.clone());
        self.address.send(Begin { source, ticket, snapshot, at }).await.map_err(|_| Trouble::Gone)
    }
}

impl WindowAggregator {
    /// Rebuilds a partition out of the lake, up to the end of the last range with a receipt, and answers where it then is.
    pub(super) fn rebuild(
        &mut self,
        source: Arc<Source>,
        ticket: Ticket,
        (last_start, receipted): (Option<i64>, i64),
        ctx: &Context<Self>,
    ) -> impl ActorFuture<Self, Output = i64> + use<> {
        self.charts.set_partial(&source, true);
        self.show_counted(&source, false);
        let told = self.board.get(&TopicPartition::from(&*source)).and_then(|line| line.told());
        if let Some(share) = self.shares.get_mut(&*source) {
            share.told_through = told.unwrap_or(i64::MAX);
        }
        let rebuild = Rebuild {
            source: Arc::clone(&source),
            ticket: ticket.clone(),
            receipted,
            last_start,
            reach_ms: self.settings.charts.reach(),
            store: AttendedStore::over(&self.store, &self.heartbeat),
            heartbeat: Arc::clone(&self.heartbeat),
            address: ctx.address(),
        };
        rebuild.run().into_actor(self).map(move |Rebuilt { end, whole }, actor, _| {
            if let Some(share) = actor.share_of(&source, &ticket) {
                share.rebuilding = false;
                if share.told_through == i64::MAX {
                    share.told_through = end;
                }
                if std::mem::take(&mut share.discarded) {
                    share.again.do_send(ReadAgain { from: end });
                }
                actor.charts.set_partial(&source, !whole);
                actor.show_counted(&source, true);
            }
            end
        })
    }

    /// Rebuilds a partition whose records retention took, once the lake has them all.
    pub(super) fn fill_in(
        &mut self,
        source: Arc<Source>,
        (last_start, receipted): (Option<i64>, i64),
        ctx: &mut Context<Self>,
    ) {
        let Some(share) = self.shares.get_mut(&*source) else { return };
        if share.unreadable_through.is_none_or(|through| receipted < through) {
            return;
        }
        (share.unreadable_through, share.rebuilding) = (None, true);
        let ticket = share.stay.ticket();
        let rebuilt = self.rebuild(source, ticket, (last_start, receipted), ctx);
        ctx.spawn(rebuilt.map(|_, _, _| ()));
    }
}

impl Handler<Begin> for WindowAggregator {
    type Result = Option<i64>;

    fn handle(&mut self, begin: Begin, _: &mut Context<Self>) -> Option<i64> {
        let Begin { source, ticket, snapshot, at } = begin;
        self.share_of(&source, &ticket)?;
        let end = match snapshot {
            None => {
                self.charts.assign(&source, at);
                self.share_of(&source, &ticket)?.told = Counters::default();
                at
            }
            Some(snapshot) => match self.charts.restore(&source, &snapshot) {
                Ok(end) => {
                    self.share_of(&source, &ticket)?.kept = (end, Instant::now());
                    end
                }
                Err(error) => {
                    let snapshot = ChainKey::from(&*source).state_prefix();
                    tracing::info!(snapshot, %error, "snapshot not used; the lake is read instead");
                    return None;
                }
            },
        };
        self.charts.set_partial(&source, true);
        let counters = self.charts.counters(&source);
        self.share_of(&source, &ticket)?.note_counted(end, counters);
        Some(end)
    }
}

impl Handler<Replay> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, replay: Replay, _: &mut Context<Self>) {
        let Replay { source, ticket, start, end, activity } = replay;
        self.heartbeat.beat();
        if self.share_of(&source, &ticket).is_some() {
            self.count(&source, &activity.view(), start, end);
        }
    }
}

impl Handler<Unreadable> for WindowAggregator {
    type Result = ();

    fn handle(&mut self, unreadable: Unreadable, ctx: &mut Context<Self>) {
        let Unreadable { source, through, receipted, receipted_start } = unreadable;
        if self.charts.end(&source).is_some_and(|end| end >= through) {
            return;
        }
        let Some(share) = self.shares.get_mut(&*source) else { return };
        share.unreadable_through = Some(through);
        tracing::warn!(source = %ChainKey::from(&*source), through,
            "retention took records that the windows lack; they are read from the lake");
        self.charts.set_partial(&source, true);
        self.show_counted(&source, false);
        self.fill_in(source, (receipted_start, receipted), ctx);
    }
}
