//! When listeners come: the start of each session.

use super::calendar::{DAY, Damping};
use super::config::{Compat, SimulatorConfig};
use super::random::Random;

/// Three o'clock: where the daily cycle turns.
const TURN: i64 = 3 * 3600;

/// The rule by which one session follows on another.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    gap: i64,
    /// Seconds by which the daily cycle moves a start at most.
    swing: f64,
    damping: Damping,
}

impl Arrival {
    pub(super) fn new(config: &SimulatorConfig) -> Self {
        let site = &config.site;
        let scale = site.weekend_damping_scale * 60.0;
        let offset = match config.compat {
            Compat::Eventsim => site.weekend_damping_offset * 60.0,
            // Any other offset makes the share jump at midnight.
            Compat::Clean => scale / 2.0,
        };
        Self {
            gap: site.session_gap,
            swing: site.damping * DAY as f64,
            damping: Damping { share: site.weekend_damping, offset, scale },
        }
    }

    /// The start of the session after one whose last event was at `last` (seconds since 1970), for a listener who
    /// stays away `beta` seconds on average.
    pub(super) fn next(&self, mut last: i64, beta: f64, random: &mut Random) -> i64 {
        let mut from = last;
        loop {
            let unmoved = from + random.seconds(beta) + self.gap;
            let moved = unmoved + self.shift(unmoved);
            if moved < last {
                last += self.gap;
                from = last;
                continue;
            }
            let damped = self.damping.at(moved);
            if damped > 0.0 && random.chance(damped) {
                (last, from) = (moved, moved);
                continue;
            }
            return moved;
        }
    }

    /// Towards the afternoon, away from the night; cut to whole seconds.
    fn shift(&self, second: i64) -> i64 {
        let of_day = second.rem_euclid(DAY);
        let turn = std::f64::consts::TAU * (of_day - TURN) as f64 / DAY as f64;
        (self.swing * libm::sin(turn)) as i64
    }
}
