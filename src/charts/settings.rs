//! What the charts' owner may set.

use thiserror::Error;

use super::window::MINUTE_MS;

const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Settings of the fold and of the windows, all in milliseconds. A snapshot holds only under the settings that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChartSettings {
    /// A record is late if its event time is behind its own partition's clock by more than this.
    pub lateness: i64,
    /// How long panes are kept behind the watermark.
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

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChartSettingsError {
    /// A span is negative or absurdly long.
    #[error("{name} must lie between {min} and {max} milliseconds, it is {value}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// Smallest value allowed, ms.
        min: i64,
        /// Largest value allowed, ms.
        max: i64,
        /// The value given, ms.
        value: i64,
    },
}

impl ChartSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ChartSettingsError::OutOfRange`] for the first setting that is out of its range. Retention has to be at
    /// least 48 hours: the last whole day lies up to two days behind the watermark.
    pub fn validate(&self) -> Result<(), ChartSettingsError> {
        let max = 366 * 24 * HOUR_MS;
        let ranges = [
            ("lateness", 0, self.lateness),
            ("retention", 48 * HOUR_MS, self.retention),
            ("future_limit", 0, self.future_limit),
            ("max_ahead", MINUTE_MS, self.max_ahead),
        ];
        for (name, min, value) in ranges {
            if !(min..=max).contains(&value) {
                return Err(ChartSettingsError::OutOfRange { name, min, max, value });
            }
        }
        Ok(())
    }

    /// How far behind a partition's clock its oldest kept pane may end, ms.
    pub(super) fn span(&self) -> i64 {
        self.lateness.saturating_add(self.retention).saturating_add(self.max_ahead)
    }
}
