//! When a child is started again, and when the supervisor gives up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Limits on restarts.
#[derive(Debug, Clone, Copy)]
pub struct RestartPolicy {
    /// Wait before the first restart; doubles with each failure within `within`.
    pub backoff: Duration,
    /// Longest wait.
    pub max_backoff: Duration,
    /// Failures within `within` that end the process.
    pub limit: usize,
    /// The time that failures are remembered for.
    pub within: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            limit: 10,
            within: Duration::from_secs(600),
        }
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Start the child again after this long.
    RestartAfter(Duration),
    /// It failed too often.
    GiveUp,
}

/// The failures of one child.
#[derive(Debug, Clone, Default)]
pub struct RestartHistory {
    failures: VecDeque<Instant>,
}

impl RestartHistory {
    /// Records a failure at `now`.
    pub fn failed(&mut self, now: Instant, policy: &RestartPolicy) -> Verdict {
        while self.failures.front().is_some_and(|&at| now.duration_since(at) > policy.within) {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        if self.failures.len() > policy.limit {
            return Verdict::GiveUp;
        }
        let doublings = (self.failures.len() as u32 - 1).min(16);
        Verdict::RestartAfter((policy.backoff * 2u32.pow(doublings)).min(policy.max_backoff))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_then_it_gives_up() {
        let policy = RestartPolicy { limit: 7, ..RestartPolicy::default() };
        let now = Instant::now();
        let mut history = RestartHistory::default();
        let waits: Vec<_> = (0..8).map(|_| history.failed(now, &policy)).collect();
        let after = |secs| Verdict::RestartAfter(Duration::from_secs(secs));
        assert_eq!(
            waits,
            [after(1), after(2), after(4), after(8), after(16), after(30), after(30), Verdict::GiveUp]
        );
    }

    #[test]
    fn old_failures_are_forgotten() {
        let policy = RestartPolicy::default();
        let start = Instant::now();
        let mut history = RestartHistory::default();
        for n in 0..100 {
            let at = start + policy.within * n + Duration::from_millis(u64::from(n));
            assert_eq!(history.failed(at, &policy), Verdict::RestartAfter(policy.backoff));
        }
    }
}
