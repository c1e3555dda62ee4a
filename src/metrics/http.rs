//! Requests and streams.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec, IntGauge};

use super::catalogue::Catalogue;

/// Handles on the metrics of the HTTP server.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    /// Streams open.
    pub streams: IntGauge,
    /// Streams that can be open at once.
    pub streams_limit: IntGauge,
}

impl HttpMetrics {
    pub(super) fn new(c: &mut Catalogue) -> prometheus::Result<Self> {
        let help = "Requests by route and status; other: an address that there is nothing at.";
        Ok(Self {
            requests: c.counters("http_requests_total", help, &["route", "status"])?,
            seconds: c.seconds(
                "http_request_duration_seconds",
                "Time from a request's head to its answer's.",
                &["route"],
                (0.0005, 8),
            )?,
            streams: c.gauge("http_streams", "Server-sent event streams open.")?,
            streams_limit: c.gauge("http_streams_limit", "Streams that can be open at once.")?,
        })
    }

    /// Counts a request; `route` is the route's pattern, or none where there is nothing.
    pub fn answered(&self, route: Option<&str>, status: u16, took: Duration) {
        let route = route.unwrap_or("other");
        self.requests.with_label_values(&[route, &status.to_string()]).inc();
        self.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}
