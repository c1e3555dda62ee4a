//! A wall clock that is set back under the client.

use std::time::{Duration, Instant, SystemTime};

/// Set back by less than this, it does no harm: heartbeats are late by as much.
const TOLERATED: Duration = Duration::from_secs(1);

/// Sees whether the wall clock was set back.
///
/// librdkafka's threads wait by it: set back by hours under a wait of a second, the wait takes hours, unless something else
/// ends it. Meanwhile no heartbeat is sent, and the group gives the partitions to others.
#[derive(Debug)]
pub struct WallClock {
    wall: SystemTime,
    steady: Instant,
}

impl WallClock {
    /// Looks at the clock for the first time.
    pub fn new() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }

    /// Whether it was set back since this was asked last.
    pub fn was_set_back(&mut self) -> bool {
        self.differs(SystemTime::now(), Instant::now())
    }

    fn differs(&mut self, wall: SystemTime, steady: Instant) -> bool {
        let due = self.wall.checked_add(steady.duration_since(self.steady));
        let behind = due.and_then(|due| due.duration_since(wall).ok());
        (self.wall, self.steady) = (wall, steady);
        behind.is_some_and(|behind| behind >= TOLERATED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_lags_behind_was_set_back() {
        let hour = Duration::from_secs(3600);
        let (wall, steady) = (SystemTime::now(), Instant::now());
        let mut clock = WallClock { wall, steady };
        assert!(!clock.differs(wall + hour, steady + hour), "it runs");
        assert!(!clock.differs(wall + hour * 5, steady + hour), "it was set forward");
        assert!(clock.differs(wall + hour * 3, steady + hour), "and back");
        assert!(!clock.differs(wall + hour * 4, steady + hour * 2), "which is told once");
        assert!(clock.differs(wall + hour * 4, steady + hour * 2 + TOLERATED));
    }
}
