//! How far simulated time may go at a moment of the wall clock. The caller has the clock; this only calculates.

/// Which moments of simulated time are due when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as it goes.
    Unpaced,
    /// An event is due at its own time: what lies in the past at once (back-fill), the rest live.
    Live,
    /// `factor` seconds of simulated time for each second, from `sim_start_ms` at `wall_start_ms` on.
    Times {
        /// Simulated seconds a second; above 0.
        factor: f64,
        /// Wall clock at the start, milliseconds since 1970 UTC.
        wall_start_ms: i64,
        /// Simulated time at the start, milliseconds since 1970 UTC.
        sim_start_ms: i64,
    },
}

impl Pace {
    /// Simulated time (exclusive) up to which events are due when the wall clock says `wall_ms`.
    pub fn until(&self, wall_ms: i64) -> i64 {
        match *self {
            Pace::Unpaced => i64::MAX,
            Pace::Live => wall_ms.saturating_add(1),
            Pace::Times { factor, wall_start_ms, sim_start_ms } => {
                let passed = wall_ms.saturating_sub(wall_start_ms).max(0) as f64 * factor;
                sim_start_ms.saturating_add(passed as i64).saturating_add(1)
            }
        }
    }

    /// Wall clock, milliseconds since 1970 UTC, at which an event of simulated time `event_ms` is due.
    pub fn due(&self, event_ms: i64) -> i64 {
        match *self {
            Pace::Unpaced => i64::MIN,
            Pace::Live => event_ms,
            Pace::Times { factor, wall_start_ms, sim_start_ms } => {
                let ahead = event_ms.saturating_sub(sim_start_ms).max(0) as f64 / factor;
                wall_start_ms.saturating_add(ahead.ceil() as i64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn live_fills_up_the_past_at_once() {
        assert_eq!(Pace::Live.until(1_000), 1_001);
        assert_eq!(Pace::Live.due(250), 250);
        assert_eq!(Pace::Unpaced.until(0), i64::MAX);
    }

    proptest! {
        /// What is due at a moment may be simulated at that moment, and not much earlier.
        #[test]
        fn due_and_until_agree(factor in 0.01f64..1e4, start in 0i64..2e12 as i64, after in 0i64..1e10 as i64) {
            let pace = Pace::Times { factor, wall_start_ms: 1_000, sim_start_ms: start };
            let due = pace.due(start + after);
            prop_assert!(pace.until(due) >= start + after);
            let slack = 2_000.0f64.max(2.0 * factor) as i64;
            prop_assert!(pace.until(due - slack) <= start + after);
        }
    }
}
