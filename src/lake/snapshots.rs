//! Snapshots of the windows' state on their way to the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::layout::{ChainKey, Name};
use super::store::{ObjectMeta, Store, StoreError, list_all};
use crate::blocking;

/// Bytes of snapshots that may be on their way; a larger one is so alone.
const ROOM: usize = 8 << 20;
/// Snapshots that may be on their way, however small: half of what may wait for files, so that the ledger finds room, too.
const AT_ONCE: usize = blocking::AT_ONCE / 2;

/// Writes snapshots, several at a time: a process that stops has one for each partition, and each asks the store three things.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: Arc<dyn Store>,
    room: Arc<Semaphore>,
    writing: JoinSet<Option<(ChainKey, i64)>>,
}

impl SnapshotWriter {
    /// A writer that has nothing to do yet.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, room: Arc::new(Semaphore::new(ROOM)), writing: JoinSet::new() }
    }

    /// Begins to write the snapshot that holds `[0, end)`, once there is room for it, and to drop older ones where the store may: those
    /// before the newest one of what is in the lake, `[0, receipted)`, for a rebuild takes that one.
    /// One that cannot be written is warned of: a start without it takes longer, nothing else.
    pub async fn write(&mut self, chain: ChainKey, end: i64, receipted: i64, snapshot: Vec<u8>) {
        let share = snapshot.len().clamp(ROOM / AT_ONCE, ROOM) as u32;
        let share = Arc::clone(&self.room).acquire_many_owned(share).await;
        let store = Arc::clone(&self.store);
        self.writing.spawn(async move {
            let _share = share;
            match write(&*store, &chain, end, receipted, snapshot).await {
                Ok(()) => Some((chain, end)),
                Err(error) => {
                    tracing::warn!(%chain, %error, "snapshot not written; a restart reads the lake instead");
                    None
                }
            }
        });
        // Who makes one after another would otherwise keep its thread until there is no more room.
        tokio::task::yield_now().await;
    }

    /// Waits for all, and tells which are in the store now, with their ends.
    pub async fn finish(mut self) -> BTreeMap<ChainKey, i64> {
        let mut kept = BTreeMap::new();
        while let Some(written) = self.writing.join_next().await {
            match written {
                Ok(written) => kept.extend(written),
                Err(error) => tracing::error!(%error, "a snapshot's writing panicked"),
            }
        }
        kept
    }
}

async fn write(
    store: &dyn Store,
    chain: &ChainKey,
    end: i64,
    receipted: i64,
    snapshot: Vec<u8>,
) -> Result<(), StoreError> {
    let name = Name::State { chain: chain.clone(), end }.to_string();
    crate::fault::point("snapshot.write").await;
    store.create(&name, snapshot.into()).await?;
    store.sync().await?;
    crate::fault::point("snapshot.discard").await;
    // Where all stay until the bucket's own rules take them, there are thousands: not even their list is worth asking for.
    if !store.may_discard() {
        return Ok(());
    }
    if let [older @ .., _] = &list_snapshots(store, chain, receipted).await?[..] {
        for older in older {
            if store.may_discard() {
                store.discard(&older.name).await?;
            }
        }
    }
    Ok(())
}

/// A partition's snapshots that end at `until` or before, the newest last.
///
/// # Errors
/// The store's.
pub async fn list_snapshots(
    store: &dyn Store,
    chain: &ChainKey,
    until: i64,
) -> Result<Vec<ObjectMeta>, StoreError> {
    let mut all = list_all(store, &chain.state_prefix()).await?;
    all.retain(|meta| matches!(meta.name.parse(), Ok(Name::State { end, .. }) if end <= until));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use bytes::Bytes;
    use tokio::time::Instant;

    use super::*;
    use crate::lake::store::{Created, Page};

    /// Takes a second for each create, and keeps sizes only.
    #[derive(Debug, Default)]
    struct Slow {
        sizes: Mutex<BTreeMap<String, u64>>,
        /// Whether it answers the first discard as a bucket does that lets nobody delete.
        keeps_all: bool,
        lists: AtomicUsize,
        discards: AtomicUsize,
    }

    impl Slow {
        fn sizes(&self) -> Vec<u64> {
            self.sizes.lock().expect("not poisoned").values().copied().collect()
        }
    }

    #[async_trait]
    impl Store for Slow {
        async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if body.is_empty() {
                return Err(StoreError::Permanent { op: "create", name: name.into(), cause: "empty".into() });
            }
            self.sizes.lock().expect("not poisoned").insert(name.into(), body.len() as u64);
            Ok(Created::New)
        }

        async fn read(&self, _: &str) -> Result<Option<Bytes>, StoreError> {
            Ok(None)
        }

        async fn stat(&self, _: &str) -> Result<Option<ObjectMeta>, StoreError> {
            Ok(None)
        }

        async fn list(&self, prefix: &str, _: Option<&str>, _: Option<String>) -> Result<Page, StoreError> {
            self.lists.fetch_add(1, Ordering::Relaxed);
            let objects = self.sizes.lock().expect("not poisoned");
            let found = objects.iter().filter(|(name, _)| name.starts_with(prefix));
            let meta = |(name, &size): (&String, &u64)| ObjectMeta {
                name: name.clone(),
                size,
                crc32c: None,
                created_ms: None,
            };
            Ok(Page { objects: found.map(meta).collect(), next: None })
        }

        async fn sync(&self) -> Result<(), StoreError> {
            Ok(())
        }

        async fn discard(&self, name: &str) -> Result<(), StoreError> {
            self.discards.fetch_add(1, Ordering::Relaxed);
            if !self.keeps_all {
                self.sizes.lock().expect("not poisoned").remove(name);
            }
            Ok(())
        }

        fn may_discard(&self) -> bool {
            !self.keeps_all || self.discards.load(Ordering::Relaxed) == 0
        }
    }

    /// Seconds that it takes to write snapshots of `sizes`, one for each partition, and the sizes that are there then.
    async fn written(sizes: impl IntoIterator<Item = usize>) -> (u64, Vec<u64>) {
        let store = Arc::new(Slow::default());
        let (start, mut writer) = (Instant::now(), SnapshotWriter::new(store.clone()));
        for (partition, size) in (0..).zip(sizes) {
            let chain = ChainKey { topic: "listen_events".into(), epoch: 1, partition };
            writer.write(chain, 5, 5, vec![0; size]).await;
        }
        writer.finish().await;
        (start.elapsed().as_secs(), store.sizes())
    }

    #[tokio::test(start_paused = true)]
    async fn small_ones_are_written_several_at_a_time() {
        assert_eq!(written([1; AT_ONCE]).await, (1, vec![1; AT_ONCE]));
        assert_eq!(written([1; AT_ONCE + 1]).await, (2, vec![1; AT_ONCE + 1]));
    }

    #[tokio::test(start_paused = true)]
    async fn large_ones_wait_for_room() {
        let half = ROOM / 2;
        assert_eq!(written([half, half]).await.0, 1);
        assert_eq!(written([half, half + 1]).await.0, 2);
        assert_eq!(written([2 * ROOM, 1]).await, (2, vec![2 * ROOM as u64, 1]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_fails_keeps_no_other_from_being_written() {
        assert_eq!(written([0, 3]).await, (1, vec![3]));
    }

    /// Snapshots of one partition, one after the other, each as long as its end.
    async fn write_in_turn(store: &Arc<Slow>, ends: impl IntoIterator<Item = (i64, i64)>) {
        for (end, receipted) in ends {
            let mut writer = SnapshotWriter::new(store.clone());
            let chain = ChainKey { topic: "listen_events".into(), epoch: 1, partition: 0 };
            writer.write(chain, end, receipted, vec![0; end as usize]).await;
            writer.finish().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_of_what_is_in_the_lake_stays_and_what_is_newer() {
        let store = Arc::new(Slow::default());
        write_in_turn(&store, [(9, 9), (10, 10)]).await;
        assert_eq!(store.sizes(), [10]);
        write_in_turn(&store, [(12, 11), (13, 11)]).await;
        assert_eq!(store.sizes(), [10, 12, 13]);
        write_in_turn(&store, [(20, 12)]).await;
        assert_eq!(store.sizes(), [12, 13, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_not_be_dropped_is_not_asked_for_again() {
        let store = Arc::new(Slow { keeps_all: true, ..Slow::default() });
        write_in_turn(&store, (1..=5).map(|end| (end, end))).await;
        assert_eq!(store.sizes(), [1, 2, 3, 4, 5]);
        // The first has nothing before it; with the second it shows.
        let asked = [&store.lists, &store.discards].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(asked, [2, 1]);
    }
}
