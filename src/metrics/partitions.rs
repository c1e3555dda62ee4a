//! Series of each assigned partition, read from the status board when scraped, so that revoked ones disappear.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, IntCounterVec};

use super::catalogue::Catalogue;
use crate::kafka::TopicPartition;
use crate::status::{PartitionStatus, StatusBoard, now_ms};

const PARTITION: [&str; 2] = ["topic", "partition"];

type Read = fn(&PartitionStatus) -> Option<f64>;

/// Gauges: name, what it says, and its value.
const GAUGES: [(&str, &str, Read); 12] = [
    ("partition_position", "Next offset to read.", |status| whole(status.position())),
    ("partition_high_watermark", "End of the log as the last fetch saw it.", |status| {
        whole(status.high_watermark())
    }),
    ("partition_head", "End of the last range that is wholly in the lake.", |status| whole(status.head())),
    ("partition_lag_records", "Offsets of the log that are not in the lake yet.", |status| {
        whole(status.lag_records())
    }),
    (
        "partition_lag_seconds",
        "Age of the oldest record that is not in the lake yet; 0 when all are. Of records that were not read yet: \
         since when they wait.",
        |status| status.lag_seconds(now_ms()),
    ),
    ("partition_clock_timestamp_seconds", "Highest event time seen.", |status| seconds(status.clock_ms())),
    (
        "partition_complete_timestamp_seconds",
        "Event time before which no more records are expected.",
        |status| seconds(status.complete_through_ms()),
    ),
    ("partition_idle", "1 while the partition holds back no watermark.", |status| {
        Some(f64::from(u8::from(status.idle())))
    }),
    ("partition_refused", "1 while the partition is stopped until an operator acts.", |status| {
        Some(f64::from(u8::from(status.refused().is_some())))
    }),
    ("partition_fetch_queue_records", "Records that the Kafka client holds for the partition.", |status| {
        let records = status.tally.fetched_ahead.load(std::sync::atomic::Ordering::Relaxed);
        Some(records as f64)
    }),
    (
        "partition_decode_queue_bytes",
        "Bytes that the partition's consumer was given and has not decoded.",
        |status| status.gate().map(|gate| gate.in_flight() as f64),
    ),
    ("partition_decode_queue_capacity_bytes", "Bytes at which the consumer is given no more.", |status| {
        status.gate().map(|gate| gate.limit() as f64)
    }),
];

/// Counters: name, what it says, and its value.
const COUNTERS: [(&str, &str, fn(&PartitionStatus) -> u64); 5] = [
    ("partition_records_read_total", "Records read from Kafka.", |status| load(&status.records)),
    ("partition_read_bytes_total", "Bytes of keys and values read from Kafka.", |status| load(&status.bytes)),
    ("partition_late_records_total", "Rows later than the allowed lateness.", |status| {
        status.tally.windows()[0]
    }),
    (
        "partition_too_old_records_total",
        "Rows too old for any window; they are in the lake only.",
        |status| status.tally.windows()[1],
    ),
    (
        "partition_future_records_total",
        "Rows implausibly far in the future; they are in the lake only.",
        |status| status.tally.windows()[2],
    ),
];

fn whole(value: Option<i64>) -> Option<f64> {
    value.map(|value| value as f64)
}

fn seconds(ms: Option<i64>) -> Option<f64> {
    ms.map(|ms| ms as f64 / 1000.0)
}

fn load(count: &std::sync::atomic::AtomicU64) -> u64 {
    count.load(std::sync::atomic::Ordering::Relaxed)
}

struct Partitions {
    board: StatusBoard,
    gauges: Vec<(GaugeVec, Read)>,
    counters: Vec<(IntCounterVec, fn(&PartitionStatus) -> u64)>,
    rejected: IntCounterVec,
    waited: CounterVec,
}

pub(super) fn register(c: &mut Catalogue, board: StatusBoard) -> prometheus::Result<()> {
    let mut gauges = Vec::new();
    for (name, help, read) in GAUGES {
        gauges.push((c.loose_gauges(name, help, &PARTITION)?, read));
    }
    let mut counters = Vec::new();
    for (name, help, read) in COUNTERS {
        counters.push((c.loose_counters(name, help, &PARTITION)?, read));
    }
    let by = |label| [PARTITION[0], PARTITION[1], label];
    let help = "Records that do not decode; they are kept raw in the lake.";
    let rejected = c.loose_counters("partition_rejected_records_total", help, &by("reason"))?;
    let help = "Time that reading was held back: consumer (its queue is full), memory (the decoded rows of all \
                partitions fill the budget), event_time (too far ahead of the others).";
    let waited = c.loose_seconds("partition_blocked_seconds_total", help, &by("reason"))?;
    c.registry.register(Box::new(Partitions { board, gauges, counters, rejected, waited }))
}

impl Partitions {
    fn set(&self, partition: &TopicPartition, status: &PartitionStatus) {
        let number = partition.partition.to_string();
        let labels = [&*partition.topic, number.as_str()];
        for (gauge, read) in &self.gauges {
            if let Some(value) = read(status) {
                gauge.with_label_values(&labels).set(value);
            }
        }
        for (counter, read) in &self.counters {
            counter.with_label_values(&labels).inc_by(read(status));
        }
        for (reason, count) in status.tally.rejected() {
            self.rejected.with_label_values(&[labels[0], labels[1], reason]).inc_by(count);
        }
        for (reason, waited) in status.tally.waits() {
            self.waited.with_label_values(&[labels[0], labels[1], reason]).inc_by(waited);
        }
    }
}

impl Collector for Partitions {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.desc());
        let counters = self.counters.iter().flat_map(|(counter, _)| counter.desc());
        gauges.chain(counters).chain(self.rejected.desc()).chain(self.waited.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.gauges.iter().for_each(|(gauge, _)| gauge.reset());
        self.counters.iter().for_each(|(counter, _)| counter.reset());
        self.rejected.reset();
        self.waited.reset();
        for (partition, status) in self.board.all() {
            self.set(&partition, &status);
        }
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.collect());
        let counters = self.counters.iter().flat_map(|(counter, _)| counter.collect());
        let families = gauges.chain(counters).chain(self.rejected.collect()).chain(self.waited.collect());
        // A family without a series is no valid exposition.
        families.filter(|family| !family.get_metric().is_empty()).collect()
    }
}
