//! Liveness of the process: the parts that no supervisor watches show that they come round.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When a part last came round. The wall clock has no say in it: set forward, it would make all parts late.
#[derive(Debug)]
pub struct Round {
    epoch: Instant,
    /// Milliseconds behind the epoch, and one; 0 before the first time.
    at: AtomicU64,
}

impl Default for Round {
    fn default() -> Self {
        Self { epoch: Instant::now(), at: AtomicU64::new(0) }
    }
}

impl Round {
    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// It comes round now.
    pub fn come(&self) {
        self.at.store(self.now(), Ordering::Relaxed);
    }

    /// Time since; none before its first time.
    pub fn since(&self) -> Option<Duration> {
        let at = Some(self.at.load(Ordering::Relaxed)).filter(|at| *at != 0)?;
        Some(Duration::from_millis(self.now().saturating_sub(at)))
    }

    /// Whether it has not come round for longer than `limit`.
    pub fn is_late(&self, limit: Duration) -> bool {
        self.since().is_some_and(|since| since > limit)
    }
}

/// Every such part.
#[derive(Debug, Default)]
pub struct Rounds {
    /// The Kafka poll loop: several times a second.
    pub poll_loop: Round,
    /// The supervisor: twice a second.
    pub supervisor: Round,
    /// The window aggregator: once a second.
    pub aggregator: Round,
}
