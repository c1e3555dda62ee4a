//! The ledger protocol's I/O: decide, write, receipt, recover. Decisions themselves are in [`super::ledger`].
//!
//! A writer's loop: [`Chain::recover`]; finish what it returns as unfinished and recover again; then, for each batch,
//! [`Chain::check_identity`] with a topic id that was read after the batch's last record, [`Chain::decide`], and
//! [`Chain::finish`], which ends with the receipt. Only after the receipt may the next range be decided and the offset
//! be committed. An error leaves nothing to undo: ask again, or recover.

mod complete;
mod epoch;
#[cfg(test)]
mod explorer;
mod finish;
mod recover;
mod scan;

pub use complete::{completed, mark_complete};
pub use epoch::{
    check_layout, close_epoch, epoch_record, newest_epoch, open_epoch, open_next_epoch, partitions_of,
};
pub use finish::ready;
pub use recover::{Hint, Recovered, Unfinished};
pub use scan::children;

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::codec::CodecError;
use super::layout::{ChainKey, TopicError};
use super::ledger::{
    Decision, EntryKind, EpochRecord, FORMAT, Hex64, LedgerError, Receipt, Refusal, SCHEMA_VERSION,
    check_identity,
};
use super::store::{Created, Store, StoreError};
use crate::schemas::EventKind;

/// Why a step of the protocol did not succeed.
#[derive(Debug, Error)]
pub enum ChainError {
    /// The store failed; [`StoreError::is_transient`] says whether asking again helps.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A ledger record cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Going on could lose or double records; the message tells the operator what to do.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// An object cannot be encoded or read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The topic cannot have a place in the lake.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The broker did not describe the log.
    #[error("the broker did not tell the log's bounds: {0}")]
    Log(Box<dyn std::error::Error + Send + Sync>),
}

impl ChainError {
    /// Whether the same step may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            ChainError::Store(error) => error.is_transient(),
            ChainError::Log(_) => true,
            _ => false,
        }
    }
}

/// Whose decision holds a start offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// One's own: go on to write it.
    Own,
    /// Another writer's: its end and names hold. A gap among them has no objects.
    Adopted(Box<Decision>),
}

/// One partition's chain in a store. Holds no state of its own: several may work on the same chain at once.
#[derive(Debug, Clone)]
pub struct Chain {
    store: Arc<dyn Store>,
    key: ChainKey,
    table: EventKind,
    identity: EpochRecord,
    writer: String,
}

impl Chain {
    /// The chain `key`, whose records go to `table`, in the epoch that [`open_epoch`] described as `identity`.
    /// `writer` must be unique to this run of this process.
    pub fn new(
        store: Arc<dyn Store>,
        key: ChainKey,
        table: EventKind,
        identity: EpochRecord,
        writer: impl Into<String>,
    ) -> Self {
        Chain { store, key, table, identity, writer: writer.into() }
    }

    /// Topic, epoch and partition.
    pub fn key(&self) -> &ChainKey {
        &self.key
    }

    /// Refuses if the broker's ids are no longer the epoch's. To be asked with ids that were read after the last
    /// record of a batch, before its decision or the finishing of one.
    ///
    /// # Errors
    /// [`Refusal::TopicRecreated`].
    pub fn check_identity(&self, cluster_id: Option<&str>, topic_id: Option<&str>) -> Result<(), Refusal> {
        check_identity(&self.key.topic, self.key.epoch, &self.identity, cluster_id, topic_id)
    }

    /// An entry `[start, end)` of this writer without records, to be filled in; `previous` is the chain's head.
    pub fn draft(&self, kind: EntryKind, start: i64, end: i64, previous: Option<&Decision>) -> Decision {
        Decision {
            format: FORMAT,
            kind,
            topic: self.key.topic.clone(),
            table: self.table,
            epoch: self.key.epoch,
            partition: self.key.partition,
            start,
            end,
            objects: Vec::new(),
            records: 0,
            checksum: Hex64(0),
            fingerprint: None,
            previous_start: previous.map(|decision| decision.start),
            clock_ms: previous.and_then(|decision| decision.clock_ms),
            watermark: previous.and_then(|decision| decision.watermark),
            decoding: None,
            schema_version: SCHEMA_VERSION,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            writer: self.writer.clone(),
        }
    }

    /// Creates the entry `own`, or learns which one holds its start. Durable when it returns.
    ///
    /// The entry before it must have its receipt. After an error the entry may or may not exist: ask again.
    ///
    /// # Errors
    /// The store's; a draft or an existing entry that is damaged; [`Refusal::ClosedEpoch`].
    pub async fn decide(&self, own: &Decision) -> Result<Decided, ChainError> {
        let name = self.key.entry(own.start);
        let body = own.to_bytes()?;
        Decision::parse(&name, &body)?;
        let standing = self.create_or_read(&name, body).await?;
        self.store.sync().await?;
        let Some(standing) = standing else {
            return Ok(Decided::Own);
        };
        let standing = Decision::parse(&name, &standing)?;
        if standing == *own {
            return Ok(Decided::Own);
        }
        if standing.kind == EntryKind::Close {
            return Err(self.closed().into());
        }
        tracing::info!(chain = %self.key, start = own.start, end = standing.end, by = standing.writer, "entry adopted");
        Ok(Decided::Adopted(Box::new(standing)))
    }

    /// The entry that begins at `start`, if there is one.
    ///
    /// # Errors
    /// The store's; an entry that is damaged.
    pub async fn entry(&self, start: i64) -> Result<Option<Decision>, ChainError> {
        let name = self.key.entry(start);
        match self.store.read(&name).await? {
            Some(body) => Ok(Some(Decision::parse(&name, &body)?)),
            None => Ok(None),
        }
    }

    /// The receipt of `decision`, if there is one.
    ///
    /// # Errors
    /// The store's; a receipt that is damaged.
    pub async fn receipt_of(&self, decision: &Decision) -> Result<Option<Receipt>, ChainError> {
        let name = self.key.receipt(decision.start);
        match self.store.read(&name).await? {
            Some(body) => Ok(Some(Receipt::parse(&name, &body, decision)?)),
            None => Ok(None),
        }
    }

    /// Creates `name`; where it exists already, what stands there.
    async fn create_or_read(&self, name: &str, body: Bytes) -> Result<Option<Bytes>, ChainError> {
        create_or_read(self.store.as_ref(), name, body).await
    }

    fn closed(&self) -> Refusal {
        Refusal::ClosedEpoch { chain: self.key.to_string().into(), topic: self.key.topic.as_str().into() }
    }

    fn missing(&self, start: i64) -> ChainError {
        let name = self.key.entry(start);
        LedgerError::Damaged { name, cause: "the ledger refers to it, but it is not there".into() }.into()
    }
}

/// Creates `name`; where it exists already, what stands there.
async fn create_or_read(store: &dyn Store, name: &str, body: Bytes) -> Result<Option<Bytes>, ChainError> {
    match store.create(name, body).await? {
        Created::New => Ok(None),
        Created::Exists => match store.read(name).await? {
            Some(standing) => Ok(Some(standing)),
            None => Err(StoreError::Transient {
                op: "read",
                name: name.to_owned(),
                cause: "the store says that it exists, but gives no content".into(),
            }
            .into()),
        },
    }
}
