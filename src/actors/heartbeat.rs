//! Liveness by progress: what an actor shows of itself, and when it counts as stuck.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Shared between an actor and its supervisor.
#[derive(Debug)]
pub struct Heartbeat {
    epoch: Instant,
    last_ms: AtomicU64,
    busy: AtomicU32,
    given_up: AtomicBool,
}

impl Heartbeat {
    /// A heartbeat that begins now.
    pub fn new() -> Arc<Self> {
        let (last_ms, busy, given_up) = Default::default();
        Arc::new(Self { epoch: Instant::now(), last_ms, busy, given_up })
    }

    /// Shows progress.
    pub fn beat(&self) {
        self.last_ms.store(self.epoch.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Marks work that must show progress until the guard is dropped. Waiting for room downstream is no such work.
    pub fn work(self: &Arc<Self>) -> Working {
        self.beat();
        self.busy.fetch_add(1, Ordering::Relaxed);
        Working(Arc::clone(self))
    }

    /// The supervisor has made another actor in this one's place.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::SeqCst);
    }

    /// Whether it has. An actor that hung hears of its end only once it comes to its mailbox, and must not speak for its partition
    /// before that.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    /// Whether work was begun and has shown no progress for `limit`.
    pub fn is_stuck(&self, limit: Duration) -> bool {
        let silent =
            (self.epoch.elapsed().as_millis() as u64).saturating_sub(self.last_ms.load(Ordering::Relaxed));
        self.busy.load(Ordering::Relaxed) > 0 && u128::from(silent) > limit.as_millis()
    }
}

/// Work in progress; see [`Heartbeat::work`].
#[derive(Debug)]
pub struct Working(Arc<Heartbeat>);

impl Working {
    /// Shows progress.
    pub fn beat(&self) {
        self.0.beat();
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.beat();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_silent_work_is_stuck() {
        let limit = Duration::from_secs(10);
        let heartbeat = Heartbeat::new();
        tokio::time::advance(limit * 2).await;
        assert!(!heartbeat.is_stuck(limit), "an idle actor is not stuck");
        let work = heartbeat.work();
        tokio::time::advance(limit).await;
        work.beat();
        tokio::time::advance(limit).await;
        assert!(!heartbeat.is_stuck(limit), "progress was shown");
        tokio::time::advance(limit).await;
        assert!(heartbeat.is_stuck(limit));
        drop(work);
        assert!(!heartbeat.is_stuck(limit));
    }
}
