//! Blocking work off the actors' threads, a limited number of pieces at a time.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

/// Pieces of work that wait for a disk or a broker, at a time: a thread costs memory for its stack and for what the
/// allocator keeps for it.
pub const AT_ONCE: usize = 16;

/// Places for blocking work. Clones share them.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// So many pieces of work at a time, at least one.
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.max(1))))
    }

    /// Waits for a place.
    pub async fn place(&self) -> Place {
        // Nobody closes the semaphore.
        Place { _permit: Arc::clone(&self.0).acquire_owned().await.ok() }
    }
}

/// A place for one piece of work.
#[derive(Debug)]
pub struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Runs `work` on a thread where blocking is allowed. It holds the place until it ends, also where nobody waits for it any
    /// more.
    ///
    /// # Errors
    /// That it panicked, or that the runtime is ending.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        tokio::task::spawn_blocking(move || {
            let _held = self;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn threads_do_not_grow_with_the_operations_that_wait() {
        let places = Places::new(AT_ONCE);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        // None goes on before as many as may be are at work.
        let meeting = Arc::new(Barrier::new(AT_ONCE));
        let operation = async |_| {
            let (running, most, meeting) = (Arc::clone(&running), Arc::clone(&most), Arc::clone(&meeting));
            let work = move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                meeting.wait();
                running.fetch_sub(1, Ordering::SeqCst);
            };
            places.place().await.run(work).await
        };
        let all = futures::future::join_all((0..8 * AT_ONCE).map(operation)).await;
        assert!(all.into_iter().all(|outcome| outcome.is_ok()));
        assert_eq!(most.load(Ordering::SeqCst), AT_ONCE);
    }
}
