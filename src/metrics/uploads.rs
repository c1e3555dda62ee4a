//! Uploads, the ledger and the store.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};

use super::catalogue::Catalogue;
use super::tables;

/// Actors that are started again.
pub const RESTARTED: [&str; 3] = ["partition_consumer", "uploader", "window_aggregator"];

/// How an upload can end: with its own decision, another writer's, one that was found, one that retention cut into;
/// tried again; stopped until an operator acts.
const OUTCOMES: [&str; 6] = ["own", "adopted", "finished", "lost", "failed", "refused"];

/// What the store is asked for, and for which part of the lake.
const OPERATIONS: [&str; 6] = ["create", "read", "stat", "list", "sync", "discard"];
const ANSWERS: [&str; 4] = ["ok", "exists", "transient", "permanent"];

/// Handles on the metrics of uploads, the ledger and the store.
#[derive(Debug, Clone)]
pub struct UploadMetrics {
    /// Uploads by table and outcome.
    pub outcomes: IntCounterVec,
    /// Objects of receipted ranges, by table.
    pub objects: IntCounterVec,
    /// Their bytes, by table.
    pub bytes: IntCounterVec,
    /// Decisions that another writer had made, by table.
    pub conflicts: IntCounterVec,
    /// Times that a partition's chain was read at a start, by table.
    pub recoveries: IntCounterVec,
    /// Gap entries written, by table.
    pub gaps: IntCounterVec,
    /// Records lost to retention, by table.
    pub lost: IntCounterVec,
    operations: IntCounterVec,
    seconds: HistogramVec,
}

impl UploadMetrics {
    pub(super) fn new(c: &mut Catalogue) -> prometheus::Result<Self> {
        let help = "Uploads by outcome: own, adopted (another writer's decision), finished (a decision found at the \
                    start), lost (retention cut into it), failed (tried again), refused (an operator must act).";
        let metrics = Self {
            outcomes: c.counters("uploads_total", help, &["table", "outcome"])?,
            objects: c.counters("upload_objects_total", "Objects of receipted ranges.", &["table"])?,
            bytes: c.counters("upload_bytes_total", "Bytes of the objects of receipted ranges.", &["table"])?,
            conflicts: c.counters(
                "ledger_conflicts_total",
                "Decisions that another writer had made first and that were adopted.",
                &["table"],
            )?,
            recoveries: c.counters(
                "ledger_recoveries_total",
                "Times that a partition's chain was read to go on from its head.",
                &["table"],
            )?,
            gaps: c.counters(
                "ledger_gaps_total",
                "Gap entries written: retention had passed the chain's head.",
                &["table"],
            )?,
            lost: c.counters(
                "records_lost_total",
                "Records that retention took before they were in the lake, as the ledger records it.",
                &["table"],
            )?,
            operations: c.counters(
                "store_operations_total",
                "Operations on the store by answer; transient and permanent are failures, after the store's own retries.",
                &["op", "outcome"],
            )?,
            seconds: c.seconds(
                "store_operation_duration_seconds",
                "Time of one operation on the store, its retries included.",
                &["op"],
                (0.001, 10),
            )?,
        };
        for table in tables() {
            for outcome in OUTCOMES {
                metrics.outcomes.with_label_values(&[table, outcome]);
            }
            let by_table = [
                &metrics.objects,
                &metrics.bytes,
                &metrics.conflicts,
                &metrics.recoveries,
                &metrics.gaps,
                &metrics.lost,
            ];
            for counter in by_table {
                counter.with_label_values(&[table]);
            }
        }
        for op in OPERATIONS {
            for answer in ANSWERS {
                metrics.operations.with_label_values(&[op, answer]);
            }
        }
        Ok(metrics)
    }

    /// Counts an upload that ended with `outcome`.
    pub fn ended(&self, table: &str, outcome: &str) {
        self.outcomes.with_label_values(&[table, outcome]).inc();
        if outcome == "adopted" {
            self.conflicts.with_label_values(&[table]).inc();
        }
    }

    /// Counts an operation on the store.
    pub fn operation(&self, op: &str, outcome: &str, took: Duration) {
        self.operations.with_label_values(&[op, outcome]).inc();
        self.seconds.with_label_values(&[op]).observe(took.as_secs_f64());
    }
}
