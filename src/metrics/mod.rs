//! Every metric of the engine, in one place. Names follow Prometheus' rules; units are seconds and bytes.
//!
//! Nothing here is touched for a single event: counters go up by batch, and gauges are read when they are scraped.

mod catalogue;
mod charts;
mod http;
mod partitions;
mod process;
mod uploads;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};

pub use catalogue::{Definition, document};
pub use charts::{CHARTS_PERIOD, ChartMetrics, publish_charts};
pub use http::HttpMetrics;
pub use uploads::{RESTARTED, UploadMetrics};

use crate::kafka::gate::MemoryBudget;
use crate::lake::store::StoreTally;
use crate::schemas::EventKind;
use crate::status::StatusBoard;
use catalogue::Catalogue;

/// What the metrics read when they are scraped.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// Status of partitions.
    pub board: StatusBoard,
    /// Memory of decoded rows.
    pub budget: Option<Arc<MemoryBudget>>,
    /// Retries and sign-ins of the store.
    pub store: Arc<StoreTally>,
}

/// A step that batches pass: how many records went through it, and how long each batch took.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Records.
    pub records: IntCounter,
    seconds: Histogram,
}

impl Stage {
    /// Counts one batch.
    pub fn passed(&self, records: usize, took: Duration) {
        self.records.inc_by(records as u64);
        self.seconds.observe(took.as_secs_f64());
    }
}

/// Handles on the metrics that actors write. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The registry that `/metrics` serves.
    pub registry: Registry,
    /// From payloads to columns.
    pub decode: Stage,
    /// From the consumer to uploader and aggregator, waiting for room included.
    pub deliver: Stage,
    /// Into the windows.
    pub fold: Stage,
    /// Seconds from a record's Kafka timestamp until the windows count it: of each batch's first record.
    pub count_latency: Histogram,
    /// Cut, decided, written, receipted.
    pub upload: Stage,
    /// Uploads and the ledger.
    pub uploads: UploadMetrics,
    /// Encoding jobs that run or wait for an encoder.
    pub encoding: IntGauge,
    /// Encoding jobs that can run at once.
    pub encoders: IntGauge,
    /// Times that a consumer went back because a receiver lacked records.
    pub rewinds: IntCounter,
    /// Children started again, by actor.
    pub restarts: IntCounterVec,
    /// Changes of the assignment.
    pub rebalances: IntCounterVec,
    /// Event-time watermark of all partitions, seconds since 1970.
    pub watermark: Gauge,
    /// Charts and active users.
    pub charts: ChartMetrics,
    /// Requests.
    pub http: HttpMetrics,
    definitions: Arc<Vec<Definition>>,
}

impl Metrics {
    /// All metrics, registered.
    ///
    /// # Errors
    /// A name used twice or malformed.
    pub fn new(watched: Watched) -> anyhow::Result<Self> {
        let mut catalogue = Catalogue::default();
        let c = &mut catalogue;
        let records = c.counters("stage_records_total", "Records that passed a stage.", &["stage"])?;
        let help = "Time one batch spent in a stage; deliver: until both receivers had room for it.";
        let seconds = c.seconds("stage_duration_seconds", help, &["stage"], (0.0001, 10))?;
        let stage = |name| stage(&records, &seconds, name);
        let restarts = c.counters("actor_restarts_total", "Children started again.", &["actor"])?;
        for actor in RESTARTED {
            restarts.with_label_values(&[actor]);
        }
        let help = "Changes of the assignment; lost: given to others without waiting for this process.";
        let rebalances = c.counters("rebalances_total", help, &["kind"])?;
        for kind in ["assigned", "revoked", "lost"] {
            rebalances.with_label_values(&[kind]);
        }
        let watermark =
            c.loose_gauge("watermark_timestamp_seconds", "Event-time watermark of all partitions.")?;
        let help = "Time from a record's Kafka timestamp until the charts count it, of the first record of each batch.";
        let count_latency = c.seconds("count_latency_seconds", help, &[], (0.001, 10))?;
        let metrics = Self {
            count_latency: count_latency.with_label_values::<&str>(&[]),
            decode: stage("decode"),
            deliver: stage("deliver"),
            fold: stage("fold"),
            upload: stage("upload"),
            uploads: UploadMetrics::new(c)?,
            encoding: c.gauge("encode_queue_jobs", "Encoding jobs that run or wait for an encoder.")?,
            encoders: c.gauge("encode_queue_capacity_jobs", "Encoding jobs that can run at once.")?,
            rewinds: c.counter("rewinds_total", "Times that reading went back to fill a receiver's hole.")?,
            restarts,
            rebalances,
            watermark: c.register(watermark)?,
            charts: ChartMetrics::new(c)?,
            http: HttpMetrics::new(c)?,
            definitions: Arc::default(),
            registry: c.registry.clone(),
        };
        let info = c.gauges("build_info", "Always 1; what runs.", &["version", "schema_version"])?;
        let schema = crate::lake::ledger::SCHEMA_VERSION.to_string();
        info.with_label_values(&[env!("CARGO_PKG_VERSION"), &schema]).set(1.0);
        partitions::register(c, watched.board.clone())?;
        process::register(c, &watched)?;
        let definitions = Arc::new(std::mem::take(&mut catalogue.definitions));
        Ok(Self { definitions, ..metrics })
    }

    /// What each metric says.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }
}

fn stage(records: &IntCounterVec, seconds: &HistogramVec, name: &str) -> Stage {
    Stage { records: records.with_label_values(&[name]), seconds: seconds.with_label_values(&[name]) }
}

/// Every table's label.
fn tables() -> impl Iterator<Item = &'static str> {
    EventKind::ALL.into_iter().map(EventKind::table)
}
