//! When the windows' state is written.

use super::*;
use crate::actors::window_aggregator::KEPT_FOR;
use crate::messages::SnapshotAll;

impl Engine {
    async fn write_snapshots(&self) {
        self.aggregator().send(SnapshotAll).await.expect("the aggregator lives");
    }

    /// Takes away what snapshots are there, and answers how many that was.
    async fn take_snapshots_away(&self) -> usize {
        let found = list_all(&*self.store, "state/").await.expect("a list");
        for snapshot in &found {
            self.store.discard(&snapshot.name).await.expect("a snapshot may go");
        }
        found.len()
    }

    /// How many snapshots are there once all that are lacking were written; none is afterwards.
    async fn snapshots_taken_away(&self) -> usize {
        self.write_snapshots().await;
        self.take_snapshots_away().await
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
        engine.write_snapshots().await;
        engine.reassign().await;
        assert_eq!(engine.take_snapshots_away().await, 1);
        assert_eq!(engine.snapshots_taken_away().await, 0);
    });
}
