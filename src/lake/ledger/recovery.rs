//! What to do next, given a chain's head and the log.

use super::records::{Decision, EntryKind, EpochRecord, Fingerprint, Hex64, ReceiptObject};
use super::refusal::Refusal;
use crate::lake::layout::{ChainKey, Name};
use crate::schemas::EventKind;

/// Schema version of the objects that this program writes.
pub const SCHEMA_VERSION: u32 = 1;

/// A partition's log as the broker describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogView {
    /// First retained offset.
    pub start: i64,
    /// End of the log, exclusive.
    pub end: i64,
    /// Cluster id, where the broker gives one.
    pub cluster_id: Option<String>,
    /// Topic id, where the broker gives one; must have been read after the offsets.
    pub topic_id: Option<String>,
}

/// What a partition's owner has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryPlan {
    /// Read on at `at`.
    Resume {
        /// The head's end, or 0.
        at: i64,
    },
    /// The head has no receipt: read its range again, write what is missing, receipt.
    Finish {
        /// The head.
        decision: Decision,
    },
    /// The head has no receipt, and retention took the range's beginning or all of it.
    FinishLost {
        /// The head.
        decision: Decision,
        /// First offset that can still be read; the decision's end where none can.
        survivors_from: i64,
    },
    /// The head is a gap without a receipt, which needs no reading.
    FinishGap {
        /// The head.
        decision: Decision,
    },
    /// Retention passed the head: record `[start, end)` as a gap, then resume at its end.
    GapThenResume {
        /// The head's end, or 0.
        start: i64,
        /// The log's start.
        end: i64,
    },
    /// Do not go on.
    Refuse {
        /// Why.
        why: Refusal,
    },
}

/// Plans the recovery of `chain`; `head` is its last entry and whether that has a receipt.
///
/// `log` must have been read after the head was: read before, another writer could have extended the chain beyond it.
pub fn plan_recovery(chain: &ChainKey, head: Option<(&Decision, bool)>, log: &LogView) -> RecoveryPlan {
    let Some((decision, receipted)) = head else {
        return resume_or_gap(0, log);
    };
    if decision.kind == EntryKind::Close {
        let why =
            Refusal::ClosedEpoch { chain: chain.to_string().into(), topic: chain.topic.as_str().into() };
        return RecoveryPlan::Refuse { why };
    }
    if let Err(why) = check_log_end(chain, decision.end, log.end) {
        return RecoveryPlan::Refuse { why };
    }
    if receipted {
        return resume_or_gap(decision.end, log);
    }
    let decision = decision.clone();
    if decision.kind == EntryKind::Gap {
        return RecoveryPlan::FinishGap { decision };
    }
    if let Err(why) = check_schema_version(&decision) {
        return RecoveryPlan::Refuse { why };
    }
    if log.start > decision.start {
        let survivors_from = log.start.min(decision.end);
        return RecoveryPlan::FinishLost { decision, survivors_from };
    }
    RecoveryPlan::Finish { decision }
}

fn resume_or_gap(at: i64, log: &LogView) -> RecoveryPlan {
    if log.start > at {
        RecoveryPlan::GapThenResume { start: at, end: log.start }
    } else {
        RecoveryPlan::Resume { at }
    }
}

/// Refuses a log that ends before the chain's head; `log_end` must have been read after the head was.
///
/// # Errors
/// [`Refusal::LogEndBelowHead`].
pub fn check_log_end(chain: &ChainKey, head_end: i64, log_end: i64) -> Result<(), Refusal> {
    if log_end < head_end {
        let (chain, topic) = (chain.to_string().into(), chain.topic.as_str().into());
        return Err(Refusal::LogEndBelowHead { chain, topic, log_end, head_end });
    }
    Ok(())
}

/// Refuses another cluster or topic than the epoch's, as far as both sides know theirs. No two topics share an id: where it is the same,
/// the cluster may have been given another one.
///
/// # Errors
/// [`Refusal::TopicRecreated`].
pub fn check_identity(
    topic: &str,
    epoch: u32,
    record: &EpochRecord,
    cluster_id: Option<&str>,
    topic_id: Option<&str>,
) -> Result<(), Refusal> {
    if topic_id.is_some() && record.topic_id.as_deref() == topic_id {
        return Ok(());
    }
    let pairs = [
        ("cluster id", record.cluster_id.as_deref(), cluster_id),
        ("topic id", record.topic_id.as_deref(), topic_id),
    ];
    for (what, recorded, found) in pairs {
        if let (Some(recorded), Some(found)) = (recorded, found)
            && recorded != found
        {
            let (recorded, found) = (recorded.into(), found.into());
            return Err(Refusal::TopicRecreated { topic: topic.into(), epoch, what, recorded, found });
        }
    }
    Ok(())
}

/// Refuses to finish a decision of a schema that this program does not write.
///
/// # Errors
/// [`Refusal::UnknownSchemaVersion`], naming the version to run.
pub fn check_schema_version(decision: &Decision) -> Result<(), Refusal> {
    if decision.schema_version == SCHEMA_VERSION {
        return Ok(());
    }
    Err(Refusal::UnknownSchemaVersion {
        chain: decision.chain().to_string().into(),
        start: decision.start,
        found: decision.schema_version,
        supported: SCHEMA_VERSION,
        code_version: decision.code_version.as_str().into(),
    })
}

/// Refuses to go on with another table's chain: the objects would hold other columns than their readers expect, and lack counts.
///
/// # Errors
/// [`Refusal::OtherTable`].
pub fn check_table(decision: &Decision, table: EventKind) -> Result<(), Refusal> {
    if decision.table == table {
        return Ok(());
    }
    Err(Refusal::OtherTable {
        chain: decision.chain().to_string().into(),
        start: decision.start,
        decided: decision.table.table(),
        named: table.table(),
    })
}

/// What a read of the log at the head's fingerprint gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedRecord {
    /// A record with this raw hash.
    Hash(u64),
    /// The offset is retained, but no record is there.
    Absent,
    /// Retention took it: nothing can be said.
    Expired,
}

/// Compares the log with the head's fingerprint.
///
/// # Errors
/// [`Refusal::FingerprintMismatch`].
pub fn check_fingerprint(
    chain: &ChainKey,
    fingerprint: Fingerprint,
    observed: ObservedRecord,
) -> Result<(), Refusal> {
    match observed {
        ObservedRecord::Hash(hash) if hash == fingerprint.hash.0 => Ok(()),
        ObservedRecord::Expired => Ok(()),
        _ => Err(Refusal::FingerprintMismatch {
            chain: chain.to_string().into(),
            topic: chain.topic.as_str().into(),
            offset: fingerprint.offset,
        }),
    }
}

/// Compares the records read again with those that were decided; to be asked before anything is written for another
/// writer's decision. With `survivors_only` the range's beginning is gone, so only an excess can be told.
///
/// # Errors
/// [`Refusal::RecordsDiffer`].
pub fn check_finished(
    decision: &Decision,
    records: u64,
    checksum: u64,
    survivors_only: bool,
) -> Result<(), Refusal> {
    let same = if survivors_only {
        records <= decision.records
    } else {
        records == decision.records && Hex64(checksum) == decision.checksum
    };
    if same {
        return Ok(());
    }
    Err(Refusal::RecordsDiffer {
        chain: decision.chain().to_string().into(),
        topic: decision.topic.as_str().into(),
        start: decision.start,
        end: decision.end,
        found: records,
        found_checksum: Hex64(checksum),
        decided: decision.records,
        decided_checksum: decision.checksum,
    })
}

/// How many decided records are in none of the objects as they stand; none if the objects hold more than was decided.
pub fn lost_records(decision: &Decision, objects: &[ReceiptObject]) -> Option<u64> {
    let holds_records = |name: &str| name.parse().is_ok_and(|name: Name| !name.is_counts());
    objects
        .iter()
        .filter(|object| holds_records(&object.name))
        .try_fold(decision.records, |left, object| left.checked_sub(object.rows))
}
