//! What clocks tell the aggregator: what time it is, and which partitions keep up.

use std::time::Duration;

use tokio::time::Instant;

/// Whether a partition keeps up with its log: since when it has come to the end again and again, and when it was seen there last.
#[derive(Default)]
pub(super) struct Upkeep(Option<(Instant, Instant)>);

impl Upkeep {
    /// Notes where it is, and says whether others have waited for it long enough: so long it has kept up, and still is behind them in
    /// event time.
    pub(super) fn lasts(&mut self, is_at_end: bool, now: Instant, long_enough: Duration) -> bool {
        if is_at_end {
            let before = self.0.filter(|(_, last)| now.duration_since(*last) < long_enough);
            self.0 = Some((before.map_or(now, |(first, _)| first), now));
        }
        self.0.is_some_and(|(first, last)| {
            now.duration_since(first) >= long_enough && now.duration_since(last) < long_enough
        })
    }
}

/// Wall time, ms, that does not go back where the wall clock is set back: windows would go back with it. It goes on at half the speed
/// until the wall clock has come as far, for it may have been wrong before.
pub(super) struct SteadyClock {
    read_ms: i64,
    read_at: Instant,
}

impl SteadyClock {
    pub(super) fn new(wall_ms: i64) -> Self {
        Self { read_ms: wall_ms, read_at: Instant::now() }
    }

    pub(super) fn at(&mut self, wall_ms: i64) -> i64 {
        let steady = self.read_ms.saturating_add((self.read_at.elapsed() / 2).as_millis() as i64);
        if wall_ms > steady {
            *self = Self::new(wall_ms);
        }
        wall_ms.max(steady)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_goes_on_where_the_wall_clock_is_set_back() {
        let mut clock = SteadyClock::new(10_000);
        for _ in 0..100 {
            // More often than a millisecond passes.
            tokio::time::advance(Duration::from_micros(500)).await;
            clock.at(0);
        }
        assert_eq!(clock.at(0), 10_025);
        assert_eq!(clock.at(20_000), 20_000);
        assert_eq!(clock.at(19_000), 20_000);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(clock.at(22_000), 22_000);
    }

    #[test]
    fn who_comes_to_the_end_again_and_again_is_not_waited_for_long() {
        let (mut upkeep, began) = (Upkeep::default(), Instant::now());
        let steps = [
            (0, false, false),
            (1, true, false),
            (10, false, false),
            (20, true, false),
            (31, true, true),
            (40, false, true),
            (61, false, false),
            (62, true, false),
        ];
        for (second, is_at_end, lasts) in steps {
            let now = began + Duration::from_secs(second);
            assert_eq!(upkeep.lasts(is_at_end, now, Duration::from_secs(30)), lasts, "{second}");
        }
    }
}
