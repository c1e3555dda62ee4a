//! Liveness of the process: the parts that no supervisor watches show that they come round.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::now_ms;

/// When a part last came round.
#[derive(Debug, Default)]
pub struct Round {
    at_ms: AtomicI64,
}

impl Round {
    /// It comes round now.
    pub fn come(&self) {
        self.at_ms.store(now_ms(), Ordering::Relaxed);
    }

    /// Time since; none before its first time.
    pub fn since(&self) -> Option<Duration> {
        let at = Some(self.at_ms.load(Ordering::Relaxed)).filter(|at| *at != 0)?;
        Some(Duration::from_millis(u64::try_from(now_ms() - at).unwrap_or(0)))
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
