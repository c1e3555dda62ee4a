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
    only_what_is_there_counts(&engine).await;
}

/// Neither the windows nor their snapshot nor the lake keep what is no longer in the log.
async fn only_what_is_there_counts(engine: &Engine) {
    let query = SongsQuery { window: Window::Day, at: At::Live, limit: 10, find: None };
    let chart = engine.aggregator().send(AskSongs(query)).await.expect("an answer");
    let plays: u64 = chart.songs.iter().filter(|song| song.artist == "B").map(|song| song.plays).sum();
    assert_eq!((chart.plays, plays), (100, 100));
    engine.drain().await;
    engine.check_lake().await;
}

/// One that has read 50 records, and uploads what is a minute old.
async fn about_to_upload() -> Engine {
    let engine = Engine::start(100, |settings| {
        settings.lake.max_batch_bytes = 64 << 20;
        settings.lake.upload_interval = Duration::from_secs(60);
    });
    engine.broker.hold(0, 50);
    engine.assign().await;
    let status = engine.board.partition(&engine.partition);
    wait_until("reading them", || status.at_end() && status.taken() == Some(50)).await;
    engine
}

/// One that has read all 100 while the upload of the first 50 fails.
async fn reading_on() -> Engine {
    let engine = about_to_upload().await;
    engine.broker.fails.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(90)).await;
    engine.broker.hold(0, 100);
    let status = engine.board.partition(&engine.partition);
    wait_until("reading on", || status.taken() == Some(100)).await;
    engine
}

/// While its reader is held back, the client says nothing, and the log may be as long as before soon.
#[test]
fn a_log_that_an_upload_finds_cut_off_is_read_anew() {
    with_paused_clock(|| async {
        let engine = about_to_upload().await;
        engine.broker.cut_off_unnoticed(20);
        wait_until("the restart", || engine.restarts("uploader") == 1).await;
        engine.broker.hold(0, 100);
        let status = engine.board.partition(&engine.partition);
        wait_until("reading it all", || status.at_end() && status.taken() == Some(100)).await;
        only_what_is_there_counts(&engine).await;
    });
}

#[test]
fn nothing_is_decided_while_the_log_is_doubted() {
    with_paused_clock(|| async {
        let engine = about_to_upload().await;
        engine.broker.leaderless.store(true, Ordering::Relaxed);
        engine.broker.fail(FetchError::OffsetOutOfRange { asked: 50 });
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(entries(&engine).await, []);
        engine.broker.leaderless.store(false, Ordering::Relaxed);
        let status = engine.board.partition(&engine.partition);
        wait_until("the upload", || status.head() == Some(50)).await;
    });
}

/// A leader that is away alone is no reason: others wait for what this upload frees.
#[test]
fn an_upload_waits_for_no_leader_that_is_away() {
    with_paused_clock(|| async {
        let engine = about_to_upload().await;
        engine.broker.leaderless.store(true, Ordering::Relaxed);
        let status = engine.board.partition(&engine.partition);
        wait_until("the upload", || status.head() == Some(50)).await;
    });
}

/// Each failure lets more be read, but what is tried again stays what it was.
#[test]
fn an_upload_that_fails_is_tried_again_as_it_was() {
    with_paused_clock(|| async {
        let engine = reading_on().await;
        let status = engine.board.partition(&engine.partition);
        tokio::time::sleep(Duration::from_secs(30)).await;
        engine.broker.fails.store(false, Ordering::Relaxed);
        wait_until("both uploads", || status.head() == Some(100)).await;
        assert_eq!(entries(&engine).await, [(0, 50, 50), (50, 100, 50)]);
    });
}

/// What is decided then is all there in the log, but it is another log.
#[test]
fn a_log_that_ends_before_what_was_read_was_cut_off() {
    with_paused_clock(|| async {
        let engine = reading_on().await;
        let status = engine.board.partition(&engine.partition);
        engine.broker.cut_off_unnoticed(70);
        engine.broker.fails.store(false, Ordering::Relaxed);
        wait_until("the restart", || engine.restarts("uploader") == 1).await;
        wait_until("reading anew", || status.taken() == Some(70)).await;
        engine.broker.hold(0, 100);
        wait_until("reading it all", || status.at_end() && status.taken() == Some(100)).await;
        only_what_is_there_counts(&engine).await;
    });
}

#[test]
fn a_run_that_is_to_end_ends_where_the_broker_gives_no_more() {
    with_paused_clock(|| async {
        let engine = Engine::start_to(true, 100, |_| ());
        engine.broker.failure_lasts.store(true, Ordering::Relaxed);
        engine.broker.fail(FetchError::Broker(rdkafka::error::RDKafkaErrorCode::BadCompression));
        engine.broker.gives.store(50, Ordering::Relaxed);
        engine.assign().await;
        wait_until("the end", || engine.result.borrow().is_some()).await;
        let result = engine.result.borrow().clone();
        assert!(
            result
                .as_ref()
                .is_some_and(|ended| ended.as_ref().is_err_and(|why| why.contains("gives no more"))),
            "{result:?}"
        );
    });
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
