//! Every metric of the engine, in one place. Names follow Prometheus' rules; units are seconds and bytes.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

use crate::kafka::gate::MemoryBudget;
use crate::schemas::{EventBatch, Source};
use crate::status::StatusBoard;

/// Handles on the metrics that actors write. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The registry that `/metrics` serves.
    pub registry: Registry,
    /// Rows decoded, by table.
    pub rows: IntCounterVec,
    /// Records rejected, by table and reason.
    pub rejected: IntCounterVec,
    /// Seconds to decode one batch.
    pub decode_seconds: Histogram,
    /// Times that a consumer went back because a receiver lacked records.
    pub rewinds: IntCounter,
    /// Ranges finished, by table and outcome (`own`, `adopted`, `finished`, `lost`, `gap`).
    pub ranges: IntCounterVec,
    /// Objects written to the lake.
    pub objects: IntCounter,
    /// Bytes written to the lake.
    pub object_bytes: IntCounter,
    /// Records lost to retention, recorded as such in the ledger.
    pub lost: IntCounterVec,
    /// Seconds from cut to receipt.
    pub upload_seconds: Histogram,
    /// Uploads that failed and are tried again.
    pub upload_failures: IntCounter,
    /// Children started again, by actor.
    pub restarts: IntCounterVec,
    /// Seconds the aggregator took for one batch.
    pub fold_seconds: Histogram,
    /// Event-time watermark of all partitions, seconds since 1970.
    pub watermark: Gauge,
}

/// Makes and registers a metric; a name registered twice is a fault of this file, found by its test.
fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> anyhow::Result<C> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

impl Metrics {
    /// All metrics, registered.
    ///
    /// # Errors
    /// A name used twice or malformed.
    pub fn new(board: StatusBoard, budget: Arc<MemoryBudget>) -> anyhow::Result<Self> {
        let registry = Registry::new();
        let r = &registry;
        let counter = |name: &str, help: &str| IntCounter::new(format!("beatlytica_{name}"), help);
        let counters = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(format!("beatlytica_{name}"), help), labels)
        };
        let seconds = |name: &str, help: &str, from: f64| {
            let buckets = prometheus::exponential_buckets(from, 4.0, 8)?;
            Histogram::with_opts(HistogramOpts::new(format!("beatlytica_{name}"), help).buckets(buckets))
        };
        let metrics = Self {
            rows: register(r, counters("rows_decoded_total", "Rows decoded.", &["table"]))?,
            rejected: register(
                r,
                counters("records_rejected_total", "Records that do not decode.", &["table", "reason"]),
            )?,
            decode_seconds: register(r, seconds("decode_seconds", "Time to decode one batch.", 0.0001))?,
            rewinds: register(r, counter("rewinds_total", "Times that reading went back to fill a hole."))?,
            ranges: register(
                r,
                counters("ranges_total", "Ledger ranges ended, by outcome.", &["table", "outcome"]),
            )?,
            objects: register(r, counter("lake_objects_written_total", "Objects written to the lake."))?,
            object_bytes: register(r, counter("lake_written_bytes_total", "Bytes written to the lake."))?,
            lost: register(r, counters("records_lost_total", "Records that retention took.", &["table"]))?,
            upload_seconds: register(r, seconds("upload_seconds", "Time from cut to receipt.", 0.01))?,
            upload_failures: register(
                r,
                counter("upload_failures_total", "Uploads that failed and are tried again."),
            )?,
            restarts: register(r, counters("actor_restarts_total", "Children started again.", &["actor"]))?,
            fold_seconds: register(
                r,
                seconds("fold_seconds", "Time to fold one batch into the windows.", 0.0001),
            )?,
            watermark: register(
                r,
                Gauge::new(
                    "beatlytica_watermark_timestamp_seconds",
                    "Event-time watermark of all partitions.",
                ),
            )?,
            registry: registry.clone(),
        };
        registry.register(Box::new(BoardCollector::new(board, budget)?))?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(metrics)
    }

    /// Counts what a batch brought.
    pub fn decoded(&self, source: &Source, batch: &EventBatch) {
        let table = source.kind.table();
        self.rows.with_label_values(&[table]).inc_by(batch.rows() as u64);
        for record in &batch.rejected {
            self.rejected.with_label_values(&[table, record.reason]).inc();
        }
    }
}

/// Gauges of each assigned partition, read from the status board when scraped, so that revoked ones disappear.
struct BoardCollector {
    board: StatusBoard,
    budget: Arc<MemoryBudget>,
    buffered: Gauge,
    limit: Gauge,
    gauges: Vec<IntGaugeVec>,
    lag_seconds: GaugeVec,
}

const PARTITION_GAUGES: [(&str, &str); 4] = [
    ("position", "Next offset to read."),
    ("high_watermark", "End of the log as the last fetch saw it."),
    ("head", "End of the last range that is wholly in the lake."),
    ("lag_records", "Records of the log that are not in the lake yet."),
];

impl BoardCollector {
    fn new(board: StatusBoard, budget: Arc<MemoryBudget>) -> prometheus::Result<Self> {
        let labels = ["topic", "partition"];
        let gauges = PARTITION_GAUGES
            .iter()
            .map(|(name, help)| {
                IntGaugeVec::new(Opts::new(format!("beatlytica_partition_{name}"), *help), &labels)
            })
            .collect::<prometheus::Result<_>>()?;
        let lag = Opts::new(
            "beatlytica_partition_oldest_pending_timestamp_seconds",
            "Kafka timestamp of the oldest record read but not in the lake yet.",
        );
        Ok(Self {
            board,
            budget,
            buffered: Gauge::new("beatlytica_buffered_bytes", "Decoded records that wait for their upload.")?,
            limit: Gauge::new("beatlytica_buffer_limit_bytes", "Most that decoded records may take.")?,
            gauges,
            lag_seconds: GaugeVec::new(lag, &labels)?,
        })
    }
}

impl Collector for BoardCollector {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges.iter().flat_map(Collector::desc);
        gauges.chain(self.lag_seconds.desc()).chain(self.buffered.desc()).chain(self.limit.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.buffered.set(self.budget.used() as f64);
        self.limit.set(self.budget.limit() as f64);
        self.gauges.iter().for_each(IntGaugeVec::reset);
        self.lag_seconds.reset();
        for (partition, status) in self.board.all() {
            let number = partition.partition.to_string();
            let labels = [&*partition.topic, number.as_str()];
            let lag = status.high_watermark().zip(status.head()).map(|(high, head)| (high - head).max(0));
            let values = [status.position(), status.high_watermark(), status.head(), lag];
            for (gauge, value) in self.gauges.iter().zip(values) {
                if let Some(value) = value {
                    gauge.with_label_values(&labels).set(value);
                }
            }
            if let Some(oldest) = status.oldest_pending_ms() {
                self.lag_seconds.with_label_values(&labels).set(oldest as f64 / 1000.0);
            }
        }
        let gauges = self.gauges.iter().flat_map(Collector::collect);
        gauges
            .chain(self.lag_seconds.collect())
            .chain(self.buffered.collect())
            .chain(self.limit.collect())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::TopicPartition;

    #[test]
    fn a_revoked_partition_leaves_no_series() -> anyhow::Result<()> {
        let board = StatusBoard::default();
        let metrics = Metrics::new(board.clone(), MemoryBudget::new(1, Arc::default()))?;
        let partition = TopicPartition { topic: "listen_events".into(), partition: 3 };
        board.partition(&partition).set_head(Some(7));
        let text = prometheus::TextEncoder::new().encode_to_string(&metrics.registry.gather())?;
        assert!(
            text.contains("beatlytica_partition_head{partition=\"3\",topic=\"listen_events\"} 7"),
            "{text}"
        );
        board.remove(&partition);
        let text = prometheus::TextEncoder::new().encode_to_string(&metrics.registry.gather())?;
        assert!(!text.contains("partition=\"3\""), "{text}");
        Ok(())
    }
}
