//! The log no longer holds what is asked for.

use std::sync::atomic::Ordering;

use super::*;
use crate::kafka::native::FetchError;
use crate::lake::layout::Name;
use crate::lake::ledger::Decision;
use crate::messages::SnapshotAll;

/// The ledger's entries, as (start, end, records).
async fn entries(engine: &Engine) -> Vec<(i64, i64, u64)> {
    let mut found = Vec::new();
    for meta in list_all(&*engine.store, "ledger/").await.expect("a list") {
        if let Ok(Name::Entry { .. }) = meta.name.parse() {
            let body = engine.store.read(&meta.name).await.expect("a read").expect("an entry");
            let entry = Decision::parse(&meta.name, &body).expect("an entry");
            found.push((entry.start, entry.end, entry.records));
        }
    }
    found
}

#[test]
fn what_was_read_before_retention_passed_is_written() {
    with_paused_clock(|| retention_passes(true));
}

#[test]
fn what_was_read_before_retention_passed_is_written_once_the_broker_answers() {
    with_paused_clock(|| retention_passes(false));
}

async fn retention_passes(answers: bool) {
    let engine = Engine::with_in_memory(50).await;
    engine.broker.fails.store(!answers, Ordering::Relaxed);
    engine.broker.hold(60, 60);
    tokio::time::sleep(Duration::from_secs(20)).await;
    engine.broker.fails.store(false, Ordering::Relaxed);
    let status = engine.board.partition(&engine.partition);
    wait_until("reading on behind the gap", || status.position() == Some(60) && status.at_end()).await;
    assert_eq!(entries(&engine).await, [(0, 50, 50), (50, 60, 0)]);
    assert_eq!(engine.metrics.uploads.lost.with_label_values(&["listen_events"]).get(), 10);
    // Nothing comes any more, and still the windows hold nobody back.
    wait_until("the partition being idle", || status.idle()).await;
    assert!(status.counted());
    assert_eq!(engine.covered().await, 1);
}

#[test]
fn a_log_that_was_cut_off_behind_what_was_read_is_read_anew() {
    with_paused_clock(|| cut_off(true));
}

/// The client says it but once.
#[test]
fn a_log_that_was_cut_off_is_noticed_while_the_broker_answers_nothing() {
    with_paused_clock(|| cut_off(false));
}

#[test]
fn what_the_log_has_lost_is_not_decided() {
    with_paused_clock(|| async {
        let engine = Engine::with_in_memory(50).await;
        engine.broker.hold(0, 30);
        engine.revoke().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(entries(&engine).await, []);
        engine.broker.hold(0, 100);
        engine.assign().await;
        engine.drain().await;
        engine.check_lake().await;
    });
}

async fn cut_off(answers: bool) {
    let engine = Engine::with_in_memory(50).await;
    engine.aggregator().send(SnapshotAll).await.expect("it lives");
    engine.broker.fails.store(!answers, Ordering::Relaxed);
    engine.broker.cut_off();
    tokio::time::sleep(Duration::from_secs(20)).await;
    engine.broker.fails.store(false, Ordering::Relaxed);
    wait_until("the restart", || engine.restarts("uploader") == 1).await;
    engine.broker.hold(0, 100);
    let status = engine.board.partition(&engine.partition);
    wait_until("reading it all", || status.at_end() && status.taken() == Some(100)).await;
    assert_eq!(engine.broker.sent.load(Ordering::Relaxed), 150);
    // Neither the windows nor their snapshot keep what is no longer in the log.
    let query = SongsQuery { window: Window::Day, at: At::Live, limit: 10, find: None };
    let chart = engine.aggregator().send(AskSongs(query)).await.expect("an answer");
    let plays: u64 = chart.songs.iter().filter(|song| song.artist == "B").map(|song| song.plays).sum();
    assert_eq!((chart.plays, plays), (100, 100));
    engine.drain().await;
    engine.check_lake().await;
}

#[test]
fn a_consumer_that_begins_anew_reads_little_again() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        engine.broker.fail(FetchError::Broker(rdkafka::error::RDKafkaErrorCode::Fail));
        // The last record, to see that it is the one that the ledger knows.
        wait_until("reading again", || engine.broker.sent.load(Ordering::Relaxed) > 100).await;
        let status = engine.board.partition(&engine.partition);
        wait_until("reading to the end", || status.at_end()).await;
        assert_eq!(engine.broker.sent.load(Ordering::Relaxed), 101);
        // The broker's errors are no failures of the consumer's, of which there may be but so many.
        assert_eq!(engine.restarts("partition_consumer"), 0);
    });
}
