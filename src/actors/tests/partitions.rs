//! What the window aggregator holds of partitions that come and go.

use std::sync::atomic::Ordering;

use super::*;
use crate::actors::window_aggregator::MAILBOX;
use crate::fault::{Fault, arm, is_armed};
use crate::kafka::gate::Gate;
use crate::messages::{Attach, Detach, Halt, ReadAgain};
use crate::schemas::Source;

/// Takes the place of a consumer.
struct Nobody;

impl Actor for Nobody {
    type Context = Context<Self>;
}

impl Handler<ReadAgain> for Nobody {
    type Result = ();

    fn handle(&mut self, _: ReadAgain, _: &mut Context<Self>) {}
}

impl Engine {
    /// One whose actors are there.
    async fn unassigned() -> Self {
        let engine = Self::start(100, |_| ());
        wait_until("the aggregator", || engine.slot.lock().expect("no panic holds it").is_some()).await;
        engine
    }

    fn attach(&self) -> Attach {
        let topic = Arc::clone(&self.partition.topic);
        let source = Arc::new(Source { topic, kind: EventKind::Listen, epoch: 1, partition: 0 });
        let gate = Gate::new(1 << 20, Arc::clone(&self.budget), Arc::default());
        Attach { source, receipted: 0, receipted_start: None, gate, again: Nobody.start().recipient() }
    }

    fn detach(&self) -> Detach {
        Detach { partition: self.partition.clone() }
    }

    /// A partition that was never ours.
    fn other(&self) -> TopicPartition {
        TopicPartition { partition: 7, ..self.partition.clone() }
    }

    fn detach_other(&self) -> Detach {
        Detach { partition: self.other() }
    }
}

#[test]
fn a_rebuild_does_not_bring_a_partition_back_that_left() {
    with_paused_clock(|| async {
        let engine = Engine::unassigned().await;
        engine.store.wait_at("state/");
        let aggregator = engine.aggregator();
        let attached = actix::spawn(aggregator.send(engine.attach()));
        wait_until("the rebuild", || engine.store.waits()).await;
        aggregator.send(engine.detach()).await.expect("it lives");
        engine.store.go_on();
        attached.await.expect("no panic").expect("an answer");
        assert_eq!(engine.covered().await, 0);
    });
}

#[test]
fn a_rebuild_of_a_partition_that_left_reads_nothing_more() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        engine.revoke().await;
        engine.store.wait_at("state/");
        engine.assign().await;
        wait_until("the rebuild", || engine.store.waits()).await;
        engine.revoke().await;
        // Its drain waits as long as it may, for the consumer waits for the rebuild.
        tokio::time::sleep(Duration::from_secs(40)).await;
        let before = engine.store.reads.load(Ordering::Relaxed);
        engine.store.go_on();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(engine.store.reads.load(Ordering::Relaxed), before);
    });
}

#[test]
fn a_rebuild_of_before_leaves_the_partition_alone_that_came_back() {
    with_paused_clock(|| async {
        let engine = Engine::unassigned().await;
        engine.store.wait_at("state/");
        let aggregator = engine.aggregator();
        let before = actix::spawn(aggregator.send(engine.attach()));
        wait_until("the rebuild", || engine.store.waits()).await;
        aggregator.send(engine.detach()).await.expect("it lives");
        aggregator.send(engine.attach()).await.expect("it lives");
        assert_eq!(engine.covered().await, 1);
        let line = engine.board.partition(&engine.partition);
        assert!(line.counted());
        engine.store.go_on();
        before.await.expect("no panic").expect("an answer");
        assert_eq!((engine.covered().await, line.counted()), (1, true));
    });
}

#[test]
fn a_partition_is_not_counted_while_it_is_rebuilt() {
    with_paused_clock(|| async {
        let engine = Engine::start(100, |_| ());
        engine.store.wait_at("state/");
        let line = engine.board.partition(&engine.partition);
        engine.assign().await;
        wait_until("the rebuild", || engine.store.waits() && line.head().is_some()).await;
        assert_eq!((engine.covered().await, line.counted()), (0, false));
        engine.store.go_on();
        wait_until("the end of the rebuild", || line.counted()).await;
        assert_eq!(engine.covered().await, 1);
    });
}

#[test]
fn a_partition_that_came_after_its_revocation_is_let_go() {
    with_paused_clock(|| async {
        let engine = Engine::unassigned().await;
        let aggregator = engine.aggregator();
        engine.board.remove(&engine.partition);
        aggregator.send(engine.attach()).await.expect("it lives");
        assert_eq!(engine.covered().await, 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(engine.covered().await, 0);
    });
}

#[test]
fn a_full_mailbox_keeps_no_revocation_back() {
    with_paused_clock(|| async {
        let engine = Engine::start(100, |_| ());
        engine.broker.hold(0, 50);
        engine.assign().await;
        let line = engine.board.partition(&engine.partition);
        wait_until("reading half of it", || line.at_end() && line.counted()).await;
        arm("aggregator.fold", Fault::Pause(Duration::from_secs(20)));
        engine.broker.hold(0, 100);
        wait_until("the pause", || !is_armed("aggregator.fold")).await;
        // Each from an address of its own, as the HTTP server asks.
        let asked: Vec<_> =
            (0..2 * MAILBOX).map(|_| actix::spawn(engine.aggregator().send(engine.detach_other()))).collect();
        tokio::task::yield_now().await;
        let partitions = vec![engine.other(), engine.partition.clone()];
        let lost = GroupEvent::Revoked { partitions, lost: true };
        engine.supervisor.send(lost).await.expect("the supervisor lives");
        for answer in asked {
            answer.await.expect("no panic").expect("an answer");
        }
        assert_eq!(engine.covered().await, 0);
    });
}

#[test]
fn what_the_lake_cannot_give_keeps_no_record_out_of_it() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        let objects = engine.objects().await;
        let lost = objects.into_iter().find(|name| name.starts_with("lake/v1/listen_events/"));
        engine.store.lose(lost.expect("an object"));
        engine.reassign().await;
        let line = engine.board.partition(&engine.partition);
        assert!(line.counted(), "records are read, and counted from here on");
        assert_eq!(engine.covered().await, 0, "answers lack what came before");
    });
}

#[test]
fn a_marker_that_could_not_be_written_is_tried_again() {
    with_paused_clock(|| async {
        // So few that the watermark passes no hour beyond the first that is told of.
        let engine = Engine::start(100, |settings| settings.windows.idle_after = Duration::from_secs(10));
        engine.store.refuse("complete/");
        engine.assign().await;
        wait_until("the refusal", || engine.store.has_refused()).await;
        let line = engine.board.partition(&engine.partition);
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(line.complete_through_ms(), None, "not every second");
        wait_until("the marker", || line.complete_through_ms().is_some()).await;
        let markers = list_all(&*engine.store, "complete/").await.expect("a list");
        assert!(!markers.is_empty());
    });
}

#[test]
fn what_was_late_before_a_rebuild_is_not_told_again() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        let line = engine.board.partition(&engine.partition);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(line.tally.windows(), [1, 0, 0]);
        engine.reassign().await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(line.tally.windows(), [1, 0, 0]);
    });
}

#[test]
fn what_is_read_again_for_new_windows_is_not_told_again() {
    with_paused_clock(|| async {
        // Fewer than come in a batch when they are read again.
        let engine = Engine::with_in_memory(20).await;
        let line = engine.board.partition(&engine.partition);
        wait_until("the word of the late one", || line.tally.windows() == [1, 0, 0]).await;
        engine.aggregator().do_send(Halt);
        wait_until("the restart", || engine.restarts("window_aggregator") == 1).await;
        engine.broker.hold(0, 100);
        wait_until("reading it all", || line.told() == Some(100)).await;
        assert_eq!(line.tally.windows(), [1, 0, 0]);
    });
}
