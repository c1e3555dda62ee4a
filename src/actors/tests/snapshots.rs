//! When the windows' state is written.

use super::*;
use crate::actors::window_aggregator::KEPT_FOR;
use crate::messages::SnapshotAll;

impl Engine {
    /// Has snapshots written, takes away what is there then, and answers how much that was.
    async fn snapshots_taken_away(&self) -> usize {
        self.aggregator().send(SnapshotAll).await.expect("the aggregator lives");
        let found = self.snapshots().await;
        for name in &found {
            self.store.discard(name).await.expect("a snapshot may go");
        }
        found.len()
    }

    async fn snapshots(&self) -> Vec<String> {
        let listed = list_all(&*self.store, "state/").await.expect("a list");
        listed.into_iter().map(|meta| meta.name).collect()
    }

    /// Loses the partition and gets it back.
    async fn reassign(&self) {
        let revoked = GroupEvent::Revoked { partitions: vec![self.partition.clone()], lost: false };
        self.supervisor.send(revoked).await.expect("the supervisor lives");
        let status = self.board.partition(&self.partition);
        wait_until("the release", || !status.at_end()).await;
        self.assign().await;
        wait_until("reading to the end", || status.at_end()).await;
    }
}

#[test]
fn a_snapshot_is_written_once_until_there_is_more() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        assert_eq!(engine.snapshots_taken_away().await, 1);
        assert_eq!(engine.snapshots_taken_away().await, 0);
        tokio::time::sleep(KEPT_FOR).await;
        assert_eq!(engine.snapshots_taken_away().await, 1, "a rule of the bucket's may have deleted it");
        assert_eq!(engine.snapshots_taken_away().await, 0);
        engine.reassign().await;
        assert_eq!(engine.snapshots_taken_away().await, 1, "rebuilt from the lake, which is no snapshot");
        assert_eq!(engine.snapshots_taken_away().await, 0);
    });
}

#[test]
fn a_snapshot_that_was_read_is_not_written_again() {
    with_paused_clock(|| async {
        let engine = Engine::at_rest().await;
        engine.aggregator().send(SnapshotAll).await.expect("the aggregator lives");
        engine.reassign().await;
        assert_eq!(engine.snapshots().await.len(), 1);
        for name in engine.snapshots().await {
            engine.store.discard(&name).await.expect("a snapshot may go");
        }
        assert_eq!(engine.snapshots_taken_away().await, 0);
    });
}
