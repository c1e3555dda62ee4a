//! When to try again: a clock that tests can replace, and full-jitter backoff within a budget.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

/// Longest pause that backoff alone asks for (a `Retry-After` may ask for more).
const CAP: Duration = Duration::from_secs(32);
/// Upper bound of the first pause; it doubles with every attempt.
const BASE: Duration = Duration::from_secs(1);

/// Time and chance, as the stores see them. Tests put their own in place, so that nothing really sleeps.
pub trait Clock: fmt::Debug + Send + Sync {
    /// A monotonic reading.
    fn now(&self) -> Instant;
    /// Waits for `pause`.
    fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    /// Sixty-four evenly distributed bits; need not be unpredictable.
    fn random(&self) -> u64;
}

/// The machine's clock and a per-thread generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(pause))
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}

/// The attempts of one operation: how many were made, and how much time is left.
#[derive(Debug)]
pub struct Attempts<'a> {
    clock: &'a dyn Clock,
    budget: Duration,
    deadline: Instant,
    failed: u32,
    doublings: u32,
}

impl<'a> Attempts<'a> {
    /// Starts the operation's budget.
    pub fn new(clock: &'a dyn Clock, budget: Duration) -> Self {
        Attempts { clock, budget, deadline: clock.now() + budget, failed: 0, doublings: 0 }
    }

    /// Time left; zero when the budget is spent.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(self.clock.now())
    }

    /// How many attempts failed so far.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// Notes progress (part of an upload is stored): the budget and the backoff start again.
    pub fn progress(&mut self) {
        self.deadline = self.clock.now() + self.budget;
        self.doublings = 0;
    }

    /// Waits before the next attempt. `asked` is what the server's `Retry-After` asks for, and the least that is waited.
    /// False, at once, where the budget does not allow for the wait.
    pub async fn pause(&mut self, asked: Option<Duration>) -> bool {
        self.failed += 1;
        let jittered = jittered(self.doublings, self.clock.random());
        self.doublings += 1;
        let pause = asked.map_or(jittered, |asked| asked.max(jittered));
        if pause >= self.left() {
            return false;
        }
        self.clock.sleep(pause).await;
        true
    }
}

/// Full jitter: evenly distributed between zero and the doubling bound.
fn jittered(doublings: u32, random: u64) -> Duration {
    let bound = BASE.saturating_mul(2_u32.saturating_pow(doublings)).min(CAP);
    bound.mul_f64(random as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Manual {
        start: Instant,
        passed: Mutex<Duration>,
        random: u64,
    }

    impl Manual {
        fn new(random: u64) -> Self {
            Manual { start: Instant::now(), passed: Mutex::new(Duration::ZERO), random }
        }
    }

    impl Clock for Manual {
        fn now(&self) -> Instant {
            self.start + *self.passed.lock().unwrap()
        }
        fn sleep(&self, pause: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            *self.passed.lock().unwrap() += pause;
            Box::pin(std::future::ready(()))
        }
        fn random(&self) -> u64 {
            self.random
        }
    }

    #[tokio::test]
    async fn pauses_double_up_to_the_cap_and_end_with_the_budget() {
        let clock = Manual::new(u64::MAX);
        let mut attempts = Attempts::new(&clock, Duration::from_secs(100));
        let mut pauses = Vec::new();
        let mut before = Duration::ZERO;
        while attempts.pause(None).await {
            let now = *clock.passed.lock().unwrap();
            pauses.push((now - before).as_secs());
            before = now;
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 32]);
        assert_eq!(attempts.failed(), 8);
    }

    #[tokio::test]
    async fn a_longer_retry_after_wins_and_one_past_the_budget_gives_up_at_once() {
        let clock = Manual::new(0);
        let mut attempts = Attempts::new(&clock, Duration::from_secs(20));
        assert!(attempts.pause(Some(Duration::from_secs(7))).await);
        assert_eq!(attempts.left(), Duration::from_secs(13));
        assert!(!attempts.pause(Some(Duration::from_secs(13))).await);
        assert_eq!(attempts.left(), Duration::from_secs(13));
    }

    #[tokio::test]
    async fn progress_starts_budget_and_backoff_again() {
        let clock = Manual::new(u64::MAX);
        let mut attempts = Attempts::new(&clock, Duration::from_secs(5));
        assert!(attempts.pause(None).await && attempts.pause(None).await);
        attempts.progress();
        assert_eq!(attempts.left(), Duration::from_secs(5));
        assert!(attempts.pause(None).await);
        assert_eq!(attempts.left(), Duration::from_secs(4));
    }

    proptest! {
        #[test]
        fn jitter_stays_within_its_bound(doublings in 0_u32..100, random: u64) {
            let bound = if doublings < 5 { Duration::from_secs(1 << doublings) } else { CAP };
            prop_assert!(jittered(doublings, random) <= bound);
        }
    }
}
