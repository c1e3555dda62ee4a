//! What the charts' owner may set.

use super::window::MINUTE_MS;

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Settings of the fold and of the windows, all in milliseconds. A snapshot holds only under the settings that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartSettings {
    /// A record is late if its event time is behind its own partition's clock by more than this.
    pub lateness: i64,
    /// How long panes are kept behind the watermark; the last whole day lies up to two days behind it.
    pub retention: i64,
    /// An event time further ahead of its Kafka timestamp than this moves nothing.
    pub future_limit: i64,
    /// A partition further ahead of the slowest live one than this should be paused; panes are kept this much
    /// longer, so that the slowest partition's windows still find the fast partitions' panes.
    pub max_ahead: i64,
}

impl Default for ChartSettings {
    fn default() -> Self {
        Self {
            lateness: 10 * MINUTE_MS,
            retention: 48 * HOUR_MS,
            future_limit: 24 * HOUR_MS,
            max_ahead: 2 * HOUR_MS,
        }
    }
}

impl ChartSettings {
    /// How far behind a partition's clock rows can still be of a pane that is kept, ms: the clock may be ahead of all that its records'
    /// Kafka timestamps bear out, by which panes are kept.
    pub fn reach(&self) -> i64 {
        self.span().saturating_add(self.future_limit).saturating_add(MINUTE_MS)
    }

    /// How far behind what a partition has reached its oldest kept pane may end, ms.
    pub(super) fn span(&self) -> i64 {
        let span = self.lateness.saturating_add(self.retention).saturating_add(self.max_ahead);
        // Whole minutes: panes are dropped when a minute begins.
        span.saturating_add(MINUTE_MS - 1) / MINUTE_MS * MINUTE_MS
    }
}
