//! One upload, from cut to receipt: the protocol's steps in order, without any actor.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use prometheus::{IntCounter, IntGauge};
use thiserror::Error;
use tokio::time::timeout;

use super::heartbeat::Heartbeat;
use crate::kafka::{Log, LogError, TopicPartition};
use crate::lake::chain::{Chain, ChainError, Decided, Unfinished};
use crate::lake::codec::{CodecError, NewObject};
use crate::lake::encoders::Encoders;
use crate::lake::ledger::{
    Decision, EntryKind, Hex64, Receipt, check_finished, check_schema_version, check_table,
};
use crate::lake::parquet::{ParquetCodec, count_objects, failed};
use crate::lake::pending::Range;
use crate::schemas::Source;
use crate::status::PartitionStatus;

/// An upload waits so long for the log's end.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What one upload works on.
#[derive(Debug)]
pub struct Job {
    /// The partition's chain.
    pub chain: Chain,
    /// Tells the topic's identity.
    pub log: Arc<dyn Log>,
    /// The partition.
    pub source: Arc<Source>,
    /// Encode its objects.
    pub encoders: Arc<Encoders>,
    /// Shows progress.
    pub heartbeat: Arc<Heartbeat>,
    /// Tells whether the log is doubted.
    pub status: Arc<PartitionStatus>,
    /// The last receipted entry.
    pub head: Option<Decision>,
    /// A range that is decided already.
    pub unfinished: Option<Unfinished>,
    /// First offset of the range.
    pub start: i64,
    /// End of the range.
    pub end: i64,
    /// Encoding jobs of all uploads, running and waiting.
    pub encoding: IntGauge,
    /// Records that retention took from ranges that were decided.
    pub lost: IntCounter,
    /// See [`super::uploader::UploaderSettings`].
    pub future_limit_ms: i64,
    /// See [`super::uploader::UploaderSettings`].
    pub lateness_ms: i64,
    /// See [`super::uploader::UploaderSettings`].
    pub decoding: Hex64,
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
    /// The log was cut off: what is held must be read anew.
    #[error("the log ends at offset {log_end}, before offset {end}, up to which it was read")]
    CutOff {
        /// End of what was read.
        end: i64,
        /// End of the log.
        log_end: i64,
    },
    /// Who reads the log was told that it does not hold what comes next, and nobody has told yet why.
    #[error("the log does not hold what comes next, and why is not known yet")]
    Doubted,
    /// Whoever began it was given up, and another one is in its place.
    #[error("another uploader is in this one's place")]
    GivenUp,
    /// Another writer decided a range that is longer than what was read.
    #[error("another writer decided up to offset {}", .0.end)]
    Longer(Box<Decision>),
}

impl UploadError {
    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        match self {
            UploadError::Chain(error) => error.is_transient(),
            UploadError::Log(_)
            | UploadError::CutOff { .. }
            | UploadError::Doubted
            | UploadError::GivenUp => true,
            UploadError::Codec(_) | UploadError::Longer(_) => false,
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
        crate::fault::point("uploader.cut").await;
        // Asked after the range's last record was read: a topic created anew since would have given other records.
        let identity = self.log.identity(&self.source.topic).await?;
        let ids = (identity.cluster_id.as_deref(), identity.topic_id.as_deref());
        self.chain.check_identity(ids.0, ids.1).map_err(ChainError::from)?;
        work.beat();
        let Taken { decision, range, counts, outcome } = match &self.unfinished {
            Some(unfinished) => {
                let outcome = if unfinished.survivors_only() { "lost" } else { "finished" };
                Taken { decision: unfinished.decision.clone(), range, counts: None, outcome }
            }
            None => self.decide(range).await?,
        };
        if outcome != "own" && decision.kind == EntryKind::Data {
            let survivors_only = self.unfinished.as_ref().is_some_and(Unfinished::survivors_only);
            let (records, checksum) = range.checksum();
            check_schema_version(&decision).map_err(ChainError::from)?;
            check_table(&decision, self.source.kind).map_err(ChainError::from)?;
            check_finished(&decision, records, checksum, survivors_only).map_err(ChainError::from)?;
        }
        if decision.kind != EntryKind::Data {
            // Another writer found the range gone.
            let receipt = self.chain.receipt(&decision, Vec::new()).await?;
            return Ok(Uploaded { decision, receipt, outcome });
        }
        work.beat();
        crate::fault::point("uploader.write").await;
        let counts = match counts {
            Some(counts) => counts,
            None => self.count(&decision, range.clone()).await?,
        };
        work.beat();
        let records = self.encode(range, &decision)?;
        let receipt = self.chain.finish(&decision, records, counts, &ParquetCodec).await?;
        // Here, not where the result is waited for: who waits may have been given up, and whoever finds the receipt counts nothing.
        self.lost.inc_by(receipt.lost);
        crate::fault::point("uploader.hint").await;
        Ok(Uploaded { decision, receipt, outcome })
    }

    /// A decision cannot be taken back: asks, before it is made, what may have come about while others were waited for.
    async fn check_still_there(&self) -> Result<(), UploadError> {
        if self.heartbeat.is_given_up() {
            return Err(UploadError::GivenUp);
        }
        let partition = TopicPartition::from(&*self.source);
        // Not only what is decided now: whatever was read must be there.
        let read = self.status.taken().map_or(self.end, |taken| taken.max(self.end));
        // Without an answer it goes on: the recovery's refusal stands behind this, and others must not wait for a leader that is away.
        match timeout(ANSWER_WITHIN, self.log.bounds(&partition)).await {
            Ok(Ok(bounds)) if bounds.end < read => {
                Err(UploadError::CutOff { end: read, log_end: bounds.end })
            }
            // It may have been cut off and be as long again.
            _ if self.status.is_doubted() => Err(UploadError::Doubted),
            _ => Ok(()),
        }
    }

    async fn decide(&self, range: Range) -> Result<Taken, UploadError> {
        let mut draft = self.chain.draft(EntryKind::Data, self.start, self.end, self.head.as_ref());
        let before = self.head.as_ref().and_then(|head| head.clock_ms);
        draft.decoding = Some(self.decoding);
        let (future_limit, lateness_ms) = (self.future_limit_ms, self.lateness_ms);
        let described = draft.range().to_string();
        crate::fault::point("uploader.encode").await;
        let _queued = Queued::enter(&self.encoding);
        let (draft, range, counts) = self
            .encoders
            .run(described, move |encoder| {
                let counts = range.describe(&mut draft)?;
                draft.clock_ms = range.clock(before, future_limit);
                draft.watermark = draft.clock_ms.map(|clock| clock - lateness_ms);
                let counts = count_objects(encoder, &draft, &counts)?;
                Ok((draft, range, counts))
            })
            .await?;
        self.check_still_there().await?;
        crate::fault::point("uploader.decide").await;
        match self.chain.decide(&draft).await? {
            Decided::Own => Ok(Taken { decision: draft, range, counts: Some(counts), outcome: "own" }),
            Decided::Adopted(decision) if decision.end > self.end => Err(UploadError::Longer(decision)),
            Decided::Adopted(decision) => {
                let range = range.until(decision.end);
                Ok(Taken { decision: *decision, range, counts: None, outcome: "adopted" })
            }
        }
    }

    /// The count objects of a decision that was not made from `range`.
    async fn count(&self, decision: &Decision, range: Range) -> Result<Vec<NewObject>, CodecError> {
        let (described, decision) = (decision.range().to_string(), decision.clone());
        let run = self.encoders.run(described.clone(), move |encoder| {
            let counts = range.counts().map_err(|error| failed(&described, error))?;
            count_objects(encoder, &decision, &counts)
        });
        run.await
    }

    /// The data and rejected objects, each encoded when it is asked for.
    fn encode(
        &self,
        range: Range,
        decision: &Decision,
    ) -> Result<impl Stream<Item = Result<NewObject, CodecError>> + use<>, CodecError> {
        let (encoders, described) = (Arc::clone(&self.encoders), decision.range().to_string());
        let (heartbeat, encoding) = (Arc::clone(&self.heartbeat), self.encoding.clone());
        let objects = range.objects(decision)?;
        Ok(stream::try_unfold(objects, move |mut objects| {
            let (encoders, described) = (Arc::clone(&encoders), described.clone());
            let (heartbeat, encoding) = (Arc::clone(&heartbeat), encoding.clone());
            async move {
                if objects.is_empty() {
                    return Ok(None);
                }
                heartbeat.beat();
                let encode = move |encoder: &mut _| {
                    let object = objects.next(encoder).transpose()?;
                    Ok(object.map(|object| (object, objects)))
                };
                let _queued = Queued::enter(&encoding);
                encoders.run(described, encode).await
            }
        }))
    }
}

/// A place in the queue before the encoders, left when dropped.
struct Queued(IntGauge);

impl Queued {
    fn enter(queue: &IntGauge) -> Self {
        queue.inc();
        Self(queue.clone())
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A range whose decision stands.
struct Taken {
    decision: Decision,
    range: Range,
    /// Its count objects, if they were made already.
    counts: Option<Vec<NewObject>>,
    outcome: &'static str,
}
