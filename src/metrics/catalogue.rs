//! Where metrics are made: each is registered and described once, so that `docs/metrics.md` can be written from here.

use std::fmt::Write as _;

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry,
};

/// What goes before every name.
const PREFIX: &str = "beatlytica_";

/// A metric as operators read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Full name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Label names.
    pub labels: Vec<String>,
    /// What it says, in one sentence.
    pub help: String,
}

/// A registry that remembers what it holds.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    pub(super) registry: Registry,
    pub(super) definitions: Vec<Definition>,
}

impl Catalogue {
    /// Notes a metric, and gives the options to make it with.
    fn note(&mut self, kind: &'static str, name: &str, help: &str, labels: &[&str]) -> Opts {
        let name = format!("{PREFIX}{name}");
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        self.definitions.push(Definition { name: name.clone(), kind, labels, help: help.to_owned() });
        Opts::new(name, help)
    }

    pub(super) fn register<C: Collector + Clone + 'static>(&self, metric: C) -> prometheus::Result<C> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let opts = self.note("counter", name, help, &[]);
        self.register(IntCounter::with_opts(opts)?)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let counters = self.loose_counters(name, help, labels)?;
        self.register(counters)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let opts = self.note("gauge", name, help, &[]);
        self.register(IntGauge::with_opts(opts)?)
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<GaugeVec> {
        let gauges = self.loose_gauges(name, help, labels)?;
        self.register(gauges)
    }

    /// Buckets from `from` seconds on, each four times the one before.
    pub(super) fn seconds(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        (from, buckets): (f64, usize),
    ) -> prometheus::Result<HistogramVec> {
        let opts = self.note("histogram", name, help, labels);
        let buckets = prometheus::exponential_buckets(from, 4.0, buckets)?;
        self.register(HistogramVec::new(HistogramOpts::from(opts).buckets(buckets), labels)?)
    }

    /// Counters for a collector of one's own, which registers itself.
    pub(super) fn loose_counters(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        IntCounterVec::new(self.note("counter", name, help, labels), labels)
    }

    /// Counters of seconds for a collector of one's own, which registers itself.
    pub(super) fn loose_seconds(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<CounterVec> {
        CounterVec::new(self.note("counter", name, help, labels), labels)
    }

    /// Gauges for a collector of one's own, which registers itself.
    pub(super) fn loose_gauges(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<GaugeVec> {
        GaugeVec::new(self.note("gauge", name, help, labels), labels)
    }

    /// A gauge for a collector of one's own, which registers itself.
    pub(super) fn loose_gauge(&mut self, name: &str, help: &str) -> prometheus::Result<Gauge> {
        Gauge::with_opts(self.note("gauge", name, help, &[]))
    }

    /// Takes a ready-made collector in, with the descriptions that it gives.
    pub(super) fn adopt(&mut self, collector: impl Collector + 'static) -> prometheus::Result<()> {
        for desc in collector.desc() {
            let kind = if desc.fq_name.ends_with("_total") { "counter" } else { "gauge" };
            let (name, help) = (desc.fq_name.clone(), desc.help.clone());
            self.definitions.push(Definition { name, kind, labels: desc.variable_labels.clone(), help });
        }
        self.registry.register(Box::new(collector))
    }
}

/// `docs/metrics.md`.
pub fn document(definitions: &[Definition]) -> String {
    let mut definitions: Vec<_> = definitions.iter().collect();
    definitions.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::from(
        "# Metrics\n\n`GET /metrics`, in Prometheus' text format. Written from `src/metrics/` by \
         `make pages`; a test fails when this page is stale.\n\n\
         Times are seconds since 1970, sizes bytes, durations seconds. Series with `topic` and `partition` are those of \
         the partitions that this process holds; they disappear when a partition is revoked.\n\n\
         | metric | type | labels | what it says |\n|---|---|---|---|\n",
    );
    for definition in definitions {
        let labels: Vec<String> = definition.labels.iter().map(|label| format!("`{label}`")).collect();
        let Definition { name, kind, help, .. } = definition;
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(" "));
    }
    text
}
