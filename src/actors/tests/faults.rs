//! Every child panics, and hangs, in the middle of its work: nothing is lost and nothing comes twice.

use std::sync::atomic::Ordering;

use super::*;
use crate::fault::{Fault, arm, is_armed};
use crate::messages::Halt;

/// Runs 1,000 records past one fault and drains; answers how often a mailbox was full.
fn survive(point: &'static str, fault: Fault, actor: &'static str) {
    with_paused_clock(move || async move {
        let engine = Engine::start(1000, |_| ());
        arm(point, fault);
        engine.assign().await;
        wait_until("the restart", || engine.restarts(actor) > 0).await;
        assert!(!is_armed(point), "{point} was not passed");
        engine.drain().await;
        assert_eq!(engine.restarts(actor), 1, "restarts of {actor} after {fault:?} at {point}");
        engine.check_lake().await;
        if fault == Fault::Hang && !point.starts_with("uploader.recover") && point != "aggregator.rebuild" {
            let refused = engine.broker.refused.load(Ordering::Relaxed);
            assert!(refused > 0, "no mailbox was full while {point} hung");
        }
    });
}

#[test]
fn a_panic_in_the_consumer_loses_nothing() {
    survive("consumer.deliver", Fault::Panic, "partition_consumer");
}

#[test]
fn a_consumer_that_hangs_is_replaced() {
    survive("consumer.deliver", Fault::Hang, "partition_consumer");
}

#[test]
fn a_panic_while_the_ledger_is_read_loses_nothing() {
    survive("uploader.recover", Fault::Panic, "uploader");
}

#[test]
fn an_uploader_that_hangs_on_the_ledger_is_replaced() {
    survive("uploader.recover", Fault::Hang, "uploader");
}

#[test]
fn a_consumer_that_ends_late_takes_nothing_from_its_successor() {
    with_paused_clock(|| async {
        let engine = Engine::start(1000, |_| ());
        engine.broker.hold(0, 500);
        let stuck_after = load(None, [], &[]).expect("defaults").settings.supervisor.stuck_after;
        arm("uploader.recover", Fault::Pause(stuck_after * 3 / 2));
        engine.assign().await;
        wait_until("the restart", || engine.restarts("uploader") > 0).await;
        let status = engine.board.partition(&engine.partition);
        wait_until("the successor's reading", || status.at_end()).await;
        // The predecessor comes back, and ends.
        tokio::time::sleep(stuck_after).await;
        engine.broker.hold(0, 1000);
        wait_until("the rest being read", || status.position() == Some(1000)).await;
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn an_uploader_that_comes_back_late_says_nothing_of_its_partition() {
    with_paused_clock(|| async {
        let engine = Engine::start(1000, |_| ());
        let stuck_after = load(None, [], &[]).expect("defaults").settings.supervisor.stuck_after;
        arm("uploader.recovered", Fault::Pause(stuck_after * 3 / 2));
        engine.assign().await;
        wait_until("the restart", || engine.restarts("uploader") > 0).await;
        let status = engine.board.partition(&engine.partition);
        wait_until("the successor's uploads", || status.at_end() && status.head() > Some(0)).await;
        let (head, taken) = (status.head(), status.taken());
        tokio::time::sleep(stuck_after).await;
        assert!(status.head() >= head && status.taken() >= taken, "{:?} {:?}", status.head(), status.taken());
    });
}

#[test]
fn what_an_upload_wrote_before_its_uploader_died_waits_no_more() {
    with_paused_clock(|| async {
        let engine = Engine::with_in_memory(50).await;
        let status = engine.board.partition(&engine.partition);
        assert!(status.oldest_pending_ms().is_some());
        arm("uploader.hint", Fault::Panic);
        tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
        wait_until("the restart", || engine.restarts("uploader") == 1).await;
        wait_until("its end", || status.head() == Some(50) && status.at_end()).await;
        assert_eq!(status.oldest_pending_ms(), None);
    });
}

#[test]
fn whoever_waits_for_the_store_is_not_stuck() {
    with_paused_clock(|| async {
        let engine = Engine::start(100, |_| ());
        engine.store.wait_at("ledger/v1/listen_events/e001/p");
        engine.assign().await;
        wait_until("the ledger being read", || engine.store.waits()).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        engine.store.go_on();
        let status = engine.board.partition(&engine.partition);
        wait_until("everything being in the lake", || status.head() == Some(100)).await;
        assert_eq!(engine.restarts("uploader"), 0);
    });
}

#[test]
fn an_uploader_that_was_given_up_asks_the_store_no_more() {
    with_paused_clock(|| async {
        let engine = Engine::start(100, |_| ());
        let failed = || engine.store.failed.load(Ordering::Relaxed);
        wait_until("the aggregator", || engine.slot.lock().expect("no panic holds it").is_some()).await;
        // The epoch's record, which the supervisor makes, is there.
        engine.assign().await;
        let status = engine.board.partition(&engine.partition);
        wait_until("everything being in the lake", || status.head() == Some(100)).await;
        engine.revoke().await;
        engine.store.fail(Some("ledger/v1/listen_events/e001/p"));
        engine.assign().await;
        wait_until("a failure", || failed() > 0).await;
        engine.revoke().await;
        tokio::time::sleep(Duration::from_secs(300)).await;
        let before = failed();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(failed(), before);
    });
}

#[test]
fn an_upload_that_failed_waits_before_the_next() {
    with_paused_clock(|| async {
        let engine = Engine::start(1000, |settings| settings.lake.max_batch_bytes = 1 << 10);
        engine.store.fail(Some("lake/"));
        engine.assign().await;
        let failed = || engine.store.failed.load(Ordering::Relaxed);
        wait_until("a failure", || failed() > 0).await;
        let before = failed();
        tokio::time::sleep(Duration::from_secs(10)).await;
        // Up to four objects are written at once.
        assert!(failed() - before <= 6 * 4, "{}", failed() - before);
        engine.store.fail(None);
        engine.drain().await;
        engine.check_lake().await;
    });
}

#[test]
fn nothing_counts_as_counted_while_there_are_new_windows() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        let line = engine.board.partition(&engine.partition);
        assert!(line.counted());
        engine.aggregator().do_send(Halt);
        wait_until("the restart", || engine.restarts("window_aggregator") == 1).await;
        assert!(!line.counted(), "the new windows are empty");
        wait_until("the rebuild", || line.counted()).await;
        assert_eq!(engine.covered().await, 1);
    });
}

#[test]
fn a_panic_before_the_decision_loses_nothing() {
    survive("uploader.decide", Fault::Panic, "uploader");
}

#[test]
fn an_upload_that_hangs_before_its_decision_is_replaced() {
    survive("uploader.decide", Fault::Hang, "uploader");
}

#[test]
fn a_panic_between_decision_and_objects_loses_nothing() {
    survive("uploader.write", Fault::Panic, "uploader");
}

#[test]
fn an_upload_that_hangs_before_its_objects_is_replaced() {
    survive("uploader.write", Fault::Hang, "uploader");
}

#[test]
fn an_upload_that_fails_or_hangs_at_any_other_step_loses_nothing() {
    let steps =
        ["uploader.cut", "uploader.encode", "chain.object", "chain.counts", "chain.receipt", "uploader.hint"];
    for point in steps.into_iter().chain(["uploader.recovered"]) {
        for fault in [Fault::Panic, Fault::Hang] {
            survive(point, fault, "uploader");
        }
    }
}

#[test]
fn a_panic_in_the_aggregator_loses_nothing() {
    survive("aggregator.fold", Fault::Panic, "window_aggregator");
}

#[test]
fn an_aggregator_that_hangs_is_replaced() {
    survive("aggregator.fold", Fault::Hang, "window_aggregator");
}

#[test]
fn a_panic_while_windows_are_rebuilt_loses_nothing() {
    survive("aggregator.rebuild", Fault::Panic, "window_aggregator");
}

#[test]
fn a_rebuild_that_hangs_is_replaced() {
    survive("aggregator.rebuild", Fault::Hang, "window_aggregator");
}

#[test]
fn the_supervisor_gives_up_on_a_child_that_fails_again_and_again() {
    with_paused_clock(|| async {
        let engine = Engine::start(1000, |settings| settings.supervisor.restart_limit = 2);
        engine.assign().await;
        for failures in 1..=3 {
            arm("consumer.deliver", Fault::Panic);
            wait_until("the next failure", || engine.restarts("partition_consumer") == failures).await;
        }
        wait_until("giving up", || engine.result.borrow().is_some()).await;
        let why = engine.result.borrow().clone().expect("a result").expect_err("a failure");
        assert!(why.contains("listen_events[0]") && why.contains("partition_consumer"), "{why}");
    });
}

#[test]
fn a_drain_that_hangs_ends_at_its_deadline() {
    with_paused_clock(|| async {
        let engine = Engine::start(100, |settings| settings.lake.max_batch_bytes = 64 << 20);
        engine.assign().await;
        let status = engine.board.partition(&engine.partition);
        wait_until("reading to the end", || status.at_end()).await;
        arm("uploader.write", Fault::Hang);
        let asked = tokio::time::Instant::now();
        engine.supervisor.send(Shutdown).await.expect("the supervisor lives");
        wait_until("the deadline", || engine.result.borrow().is_some()).await;
        assert!(!is_armed("uploader.write"));
        let deadline = load(None, [], &[]).expect("defaults").settings.supervisor.drain_deadline;
        assert!((deadline..deadline * 2).contains(&asked.elapsed()), "{:?}", asked.elapsed());
    });
}

#[test]
fn answers_tell_their_share_of_the_partitions() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        let query = SongsQuery { window: Window::Day, at: At::Live, limit: 1, find: None };
        let answer = || async {
            let asked = engine.aggregator().send(AskSongs(query.clone())).await;
            asked.expect("an answer").partitions
        };
        for _ in 0..100 {
            if answer().await.total == broker::PARTITIONS {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!((answer().await.covered, answer().await.total), (1, broker::PARTITIONS));
    });
}

#[test]
fn a_topic_created_anew_is_noticed_while_nothing_comes() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        let status = engine.board.partition(&engine.partition);
        engine.broker.set_topic_id("second");
        wait_until("the refusal", || status.refused().is_some()).await;
        let why = status.refused().unwrap_or_default();
        assert!(why.contains("epoch 1 has topic id first, the broker says second"), "{why}");
        assert!(engine.result.borrow().is_none(), "the other topics go on");
    });
}
