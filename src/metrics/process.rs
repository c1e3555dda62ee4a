//! Series of the process as a whole, read when they are scraped.

use std::path::Path;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntCounterVec};

use super::Watched;
use super::catalogue::Catalogue;
use crate::kafka::gate::MemoryBudget;
use crate::lake::store::StoreTally;
use crate::status::StatusBoard;

struct Process {
    board: StatusBoard,
    budget: Option<Arc<MemoryBudget>>,
    store: Arc<StoreTally>,
    buffered: Gauge,
    limit: Gauge,
    round: Gauge,
    partitions: Gauge,
    client_errors: IntCounterVec,
    suppressed: IntCounterVec,
    retries: IntCounterVec,
    sign_in_failures: IntCounterVec,
    token_end: GaugeVec,
}

pub(super) fn register(c: &mut Catalogue, watched: &Watched) -> anyhow::Result<()> {
    let memory_limit = c.loose_gauge(
        "memory_limit_bytes",
        "Memory that the process may take: its control group's limit, else the machine's memory.",
    )?;
    if let Some(bytes) = memory_limit_bytes(Path::new("/")) {
        memory_limit.set(bytes as f64);
    }
    c.register(memory_limit)?;
    let process = Process {
        board: watched.board.clone(),
        budget: watched.budget.clone(),
        store: Arc::clone(&watched.store),
        buffered: c.loose_gauge("upload_queue_bytes", "Decoded rows that wait for their upload.")?,
        limit: c.loose_gauge("upload_queue_capacity_bytes", "Decoded rows at which reading stops.")?,
        round: c.loose_gauge("poll_loop_age_seconds", "Time since the Kafka poll loop last came round.")?,
        partitions: c.loose_gauge("partitions_assigned", "Partitions that this process holds.")?,
        client_errors: c.loose_counters(
            "kafka_client_errors_total",
            "Errors that the Kafka client told: connection, authentication, authorization or other.",
            &["kind"],
        )?,
        suppressed: c.loose_counters(
            "log_lines_suppressed_total",
            "Log lines left out because one place in the code wrote too many in a minute.",
            &[],
        )?,
        retries: c.loose_counters(
            "store_retries_total",
            "Attempts at operations on the store that failed and were repeated.",
            &[],
        )?,
        sign_in_failures: c.loose_counters(
            "store_sign_in_failures_total",
            "Times that no access token for the store was to be had.",
            &[],
        )?,
        token_end: c.loose_gauges(
            "store_token_end_timestamp_seconds",
            "When the access token for the store ends; it is replaced five minutes earlier.",
            &[],
        )?,
    };
    c.registry.register(Box::new(process))?;
    #[cfg(target_os = "linux")]
    c.adopt(prometheus::process_collector::ProcessCollector::for_self())?;
    Ok(())
}

impl Process {
    fn counters(&self) -> [&IntCounterVec; 4] {
        [&self.client_errors, &self.suppressed, &self.retries, &self.sign_in_failures]
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.buffered, &self.limit, &self.round, &self.partitions];
        let counters = self.counters();
        let descs = gauges.into_iter().flat_map(|gauge| gauge.desc());
        let descs = descs.chain(counters.into_iter().flat_map(|counter| counter.desc()));
        descs.chain(self.token_end.desc()).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if let Some(budget) = &self.budget {
            self.buffered.set(budget.used() as f64);
            self.limit.set(budget.limit() as f64);
        }
        let client = self.board.client();
        let round = self.board.rounds().poll_loop.since();
        self.round.set(round.map_or(0.0, |since| since.as_secs_f64()));
        self.partitions.set(self.board.all().len() as f64);
        let counters = self.counters();
        counters.into_iter().for_each(IntCounterVec::reset);
        for (kind, count) in client.errors() {
            self.client_errors.with_label_values(&[kind]).inc_by(count);
        }
        let nothing: [&str; 0] = [];
        self.suppressed.with_label_values(&nothing).inc_by(crate::log_limit::suppressed());
        self.retries.with_label_values(&nothing).inc_by(self.store.retries());
        self.sign_in_failures.with_label_values(&nothing).inc_by(self.store.sign_in_failures());
        if let Some(end) = self.store.token_end() {
            self.token_end.with_label_values(&nothing).set(end);
        }
        let gauges = [&self.buffered, &self.limit, &self.round, &self.partitions];
        let families = gauges.into_iter().flat_map(|gauge| gauge.collect());
        let families = families.chain(counters.into_iter().flat_map(|counter| counter.collect()));
        let families = families.chain(self.token_end.collect());
        families.filter(|family| !family.get_metric().is_empty()).collect()
    }
}

/// The least memory limit on the way from the root of the control groups down to this process's own, or else the
/// machine's memory. `root` is `/`, but in tests.
fn memory_limit_bytes(root: &Path) -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let machine = read(&root.join("proc/meminfo")).and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    });
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, group) = (parts.next().unwrap_or(""), parts.next().unwrap_or("/"));
        let (mount, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            "memory" => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let group = Path::new(group.trim_start_matches('/'));
        let files = group.ancestors().map(|group| root.join(mount).join(group).join(file));
        files.filter_map(|file| read(&file)?.trim().parse::<u64>().ok()).collect()
    });
    limits.chain(machine).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn the_tightest_limit_of_either_version_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(memory_limit_bytes(root), None);
        write(root, "proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n");
        assert_eq!(memory_limit_bytes(root), Some(2048 * 1024));
        write(root, "proc/self/cgroup", "3:cpu:/a\n4:memory:/a\n0::/b/c\n");
        write(root, "sys/fs/cgroup/memory/a/memory.limit_in_bytes", "1000000\n");
        assert_eq!(memory_limit_bytes(root), Some(1_000_000));
        write(root, "sys/fs/cgroup/b/c/memory.max", "max\n");
        write(root, "sys/fs/cgroup/b/memory.max", "4096\n");
        assert_eq!(memory_limit_bytes(root), Some(4096));
    }
}
