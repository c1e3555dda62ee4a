//! One upload, from cut to receipt: the protocol's steps in order, without any actor.

use std::sync::Arc;

use thiserror::Error;

use super::heartbeat::Heartbeat;
use crate::kafka::{Log, LogError};
use crate::lake::chain::{Chain, ChainError, Decided, Unfinished};
use crate::lake::codec::CodecError;
use crate::lake::ledger::{Decision, EntryKind, Hex64, Receipt, check_finished, check_schema_version};
use crate::lake::parquet::{ParquetCodec, failed};
use crate::lake::pending::{Encoded, Range};
use crate::schemas::Source;

/// What one upload works on.
#[derive(Debug)]
pub struct Job {
    /// The partition's chain.
    pub chain: Chain,
    /// Tells the topic's identity.
    pub log: Arc<dyn Log>,
    /// The partition.
    pub source: Arc<Source>,
    /// Shows progress.
    pub heartbeat: Arc<Heartbeat>,
    /// The last receipted entry.
    pub head: Option<Decision>,
    /// A range that is decided already.
    pub unfinished: Option<Unfinished>,
    /// First offset of the range.
    pub start: i64,
    /// End of the range.
    pub end: i64,
    /// See [`super::uploader::UploaderSettings`].
    pub future_limit_ms: i64,
    /// See [`super::uploader::UploaderSettings`].
    pub lateness_ms: i64,
}

/// A range that is wholly in the lake.
#[derive(Debug)]
pub struct Uploaded {
    /// The entry.
    pub decision: Decision,
    /// Its receipt.
    pub receipt: Receipt,
    /// `own`, `adopted`, `finished` or `lost`.
    pub outcome: &'static str,
}

/// Why an upload did not end with a receipt.
#[derive(Debug, Error)]
pub enum UploadError {
    /// A step of the protocol failed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The broker did not tell the topic's identity.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The range cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Another writer decided a range that is longer than what was read.
    #[error("another writer decided up to offset {}", .0.end)]
    Longer(Box<Decision>),
    /// The encoding thread ended.
    #[error("encoding failed: {0}")]
    Encoding(#[from] tokio::task::JoinError),
}

impl UploadError {
    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        match self {
            UploadError::Chain(error) => error.is_transient(),
            UploadError::Log(_) => true,
            UploadError::Codec(_) | UploadError::Longer(_) | UploadError::Encoding(_) => false,
        }
    }
}

impl Job {
    /// Decides (or takes up what was decided), writes, receipts.
    ///
    /// # Errors
    /// See [`UploadError`]; nothing needs to be undone.
    pub async fn run(self, range: Range) -> Result<Uploaded, UploadError> {
        let work = self.heartbeat.work();
        crate::fault::point("uploader.decide").await;
        // Asked after the range's last record was read: a topic created anew since would have given other records.
        let identity = self.log.identity(&self.source.topic).await?;
        let ids = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
        self.chain.check_identity(ids.0, ids.1).map_err(ChainError::from)?;
        work.beat();
        let (decision, range, outcome) = match &self.unfinished {
            Some(unfinished) => {
                let outcome = if unfinished.survivors_only() { "lost" } else { "finished" };
                (unfinished.decision.clone(), range, outcome)
            }
            None => self.decide(range).await?,
        };
        if outcome != "own" && decision.kind == EntryKind::Data {
            let survivors_only = self.unfinished.as_ref().is_some_and(Unfinished::survivors_only);
            let (records, checksum) = range.checksum();
            check_schema_version(&decision).map_err(ChainError::from)?;
            check_finished(&decision, records, checksum, survivors_only).map_err(ChainError::from)?;
        }
        if decision.kind != EntryKind::Data {
            // Another writer found the range gone.
            let receipt = self.chain.receipt(&decision, Vec::new()).await?;
            return Ok(Uploaded { decision, receipt, outcome });
        }
        work.beat();
        crate::fault::point("uploader.write").await;
        let encoding = decision.clone();
        let Encoded { records, counts } = blocking(move || {
            let counts = range.counts().map_err(|error| failed(&encoding.range().to_string(), error))?;
            range.encode(&encoding, &counts)
        })
        .await?;
        work.beat();
        let receipt = self.chain.finish(&decision, records, || Ok(counts), &ParquetCodec).await?;
        Ok(Uploaded { decision, receipt, outcome })
    }

    async fn decide(&self, range: Range) -> Result<(Decision, Range, &'static str), UploadError> {
        let mut draft = self.chain.draft(EntryKind::Data, self.start, self.end, self.head.as_ref());
        let before = self.head.as_ref().and_then(|head| head.clock_ms);
        let (key, table, future_limit) = (draft.range(), self.source.kind, self.future_limit_ms);
        let (range, names, records, checksum, fingerprint, clock) = blocking(move || {
            let counts = range.counts().map_err(|error| failed(&key.to_string(), error))?;
            let names = range.names(&key, table, &counts)?;
            let (records, checksum) = range.checksum();
            let (fingerprint, clock) = (range.fingerprint(), range.clock(before, future_limit));
            Ok((range, names, records, checksum, fingerprint, clock))
        })
        .await?;
        draft.objects = names;
        draft.records = records;
        draft.checksum = Hex64(checksum);
        draft.fingerprint = fingerprint;
        draft.clock_ms = clock;
        draft.watermark = clock.map(|clock| clock - self.lateness_ms);
        match self.chain.decide(&draft).await? {
            Decided::Own => Ok((draft, range, "own")),
            Decided::Adopted(decision) if decision.end > self.end => Err(UploadError::Longer(decision)),
            Decided::Adopted(decision) => {
                let range = range.until(decision.end);
                Ok((*decision, range, "adopted"))
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CodecError> + Send + 'static,
) -> Result<T, UploadError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
