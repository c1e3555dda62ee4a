//! A partition's windows out of the lake: what the window aggregator has done while it goes on with the others.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::heartbeat::Heartbeat;
use super::window_aggregator::WindowAggregator;
use crate::lake::chain::{Chain, ChainError};
use crate::lake::layout::ChainKey;
use crate::lake::ledger::EpochRecord;
use crate::lake::rebuild::{entries_after, newest_snapshot, rows_of};
use crate::lake::store::{Store, StoreError};
use crate::messages::{Begin, Replay, Ticket};
use crate::schemas::Source;

/// Wait before it is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// What a rebuild needs to know.
pub(super) struct Rebuild {
    pub(super) source: Arc<Source>,
    pub(super) ticket: Ticket,
    /// The lake gives the state up to there, which is the end of the last range with a receipt.
    pub(super) receipted: i64,
    /// Start of that range; none where the chain is empty.
    pub(super) last_start: Option<i64>,
    /// How far behind the newest event time rows are still wanted, ms.
    pub(super) reach_ms: i64,
    pub(super) store: Arc<dyn Store>,
    pub(super) heartbeat: Arc<Heartbeat>,
    pub(super) address: Addr<WindowAggregator>,
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
pub(super) struct Rebuilt {
    /// The end of the state.
    pub(super) end: i64,
    /// Whether the state holds all that it should.
    pub(super) whole: bool,
}

impl Rebuild {
    /// Tries until it is done, or the partition was taken away.
    ///
    /// What the lake cannot give at all is done without: the charts are a cache, for which no record may wait outside the lake.
    pub(super) async fn run(self) -> Rebuilt {
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
            Some(snapshot) => self.begin(Some(snapshot), 0).await?,
            None => None,
        };
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
            let activity = rows_of(&*self.store, entry).await?;
            let (source, ticket) = (Arc::clone(&self.source), self.ticket.clone());
            let replay = Replay { source, ticket, start: entry.start, end: entry.end, activity };
            self.address.send(replay).await.map_err(|_| Trouble::Gone)?;
            end = entry.end;
        }
        Ok(end)
    }

    /// The newest snapshot. One that cannot be had is done without: the lake has it all.
    async fn snapshot(&self, chain: &ChainKey) -> Result<Option<bytes::Bytes>, StoreError> {
        match newest_snapshot(&*self.store, chain).await {
            Err(error) if !error.is_transient() => {
                tracing::warn!(%chain, %error, "no snapshot; the lake is read instead");
                Ok(None)
            }
            found => found,
        }
    }

    async fn begin(&self, snapshot: Option<bytes::Bytes>, at: i64) -> Result<Option<i64>, Trouble> {
        let (source, ticket) = (Arc::clone(&self.source), self.ticket.clone());
        self.address.send(Begin { source, ticket, snapshot, at }).await.map_err(|_| Trouble::Gone)
    }
}
