//! The metrics as an operator meets them.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::charts::{At, ChartSettings, Charts, GroupBy, TimeMs, Window};
use crate::kafka::TopicPartition;
use crate::kafka::gate::Waker;

fn text(metrics: &Metrics) -> String {
    prometheus::TextEncoder::new().encode_to_string(&metrics.registry.gather()).unwrap()
}

fn metrics() -> (Metrics, Watched) {
    let budget = MemoryBudget::new(1, Arc::new(Waker::default()));
    let watched = Watched { budget: Some(budget), ..Watched::default() };
    (Metrics::new(watched.clone()).unwrap(), watched)
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: "listen_events".into(), partition: number }
}

#[test]
fn a_revoked_partition_leaves_no_series() {
    let (metrics, watched) = metrics();
    watched.board.partition(&partition(3)).set_head(Some(7));
    let shown = text(&metrics);
    assert!(
        shown.contains("beatlytica_partition_head{partition=\"3\",topic=\"listen_events\"} 7"),
        "{shown}"
    );
    watched.board.remove(&partition(3));
    assert!(!text(&metrics).contains("partition=\"3\""));
}

#[test]
fn the_oldest_record_that_is_not_in_the_lake_makes_the_lag() {
    let (_, watched) = metrics();
    let status = watched.board.partition(&partition(0));
    assert_eq!(status.lag_seconds(10_000), None, "nothing is known yet");
    status.tally.set_unread(true);
    let since = status.tally.unread_since_ms().unwrap();
    assert_eq!(
        status.lag_seconds(since + 2_000),
        Some(2.0),
        "nothing was fetched yet, and something may wait"
    );
    status.tally.set_unread(false);
    status.set_high_watermark(Some(5));
    assert_eq!(status.lag_seconds(10_000), Some(0.0));
    status.set_oldest_pending_ms(Some(4_000));
    assert_eq!(status.lag_seconds(10_000), Some(6.0));
    status.set_oldest_pending_ms(None);
    status.tally.set_unread(true);
    let since = status.tally.unread_since_ms().unwrap();
    assert_eq!(status.lag_seconds(since + 2_000), Some(2.0));
}

#[test]
fn what_lies_behind_the_head_of_an_ended_log_is_no_lag() {
    let (_, watched) = metrics();
    let status = watched.board.partition(&partition(0));
    status.set_head(Some(5));
    assert_eq!(status.lag_records(), None);
    status.set_high_watermark(Some(9));
    assert_eq!(status.lag_records(), Some(4));
    status.set_position(Some(9));
    status.set_at_end(true);
    assert_eq!(status.lag_records(), Some(0), "control and aborted records");
    status.set_oldest_pending_ms(Some(1));
    assert_eq!(status.lag_records(), Some(4));
}

#[test]
fn every_metric_that_is_served_is_described_and_the_other_way_round() {
    let (metrics, watched) = metrics();
    let status = watched.board.partition(&partition(0));
    status.set_position(Some(1));
    status.set_head(Some(1));
    status.set_high_watermark(Some(1));
    status.set_clock_ms(Some(1));
    status.set_complete_through_ms(Some(1));
    let budget = watched.budget.clone().unwrap();
    status.set_gate(&crate::kafka::gate::Gate::new(1, budget, Arc::new(Waker::default())));
    watched.store.signed_in(Duration::from_secs(60));
    metrics.uploads.operation("create", "ok", Duration::ZERO);
    metrics.http.answered(None, 404, Duration::ZERO);
    let charts = Charts::new(ChartSettings::default());
    let mut songs = charts.top_songs(Window::Sliding5m, At::Live, 10);
    songs.window.end = Some(TimeMs(1));
    metrics.charts.set_songs(&songs);
    for by in [GroupBy::Level, GroupBy::Gender] {
        metrics.charts.set_users(&charts.active_users(Window::Sliding5m, At::Live, Some(by)), by);
    }
    let served: BTreeSet<String> =
        metrics.registry.gather().iter().map(|family| family.name().to_owned()).collect();
    let described: BTreeSet<String> =
        metrics.definitions().iter().map(|definition| definition.name.clone()).collect();
    assert_eq!(served, described);
}

#[test]
fn the_page_on_metrics_is_what_the_code_says() {
    let (metrics, _) = metrics();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    crate::docs::require(&page, &document(metrics.definitions()));
}
