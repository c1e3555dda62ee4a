//! Windows as runs of one-minute panes.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::answer::{At, Steps, TimeMs};

/// Length of a pane, milliseconds.
pub(super) const MINUTE_MS: i64 = 60_000;

/// First instant of year 1 and first of year 9999: outside of them nothing is taken for a time, which also keeps
/// all arithmetic on times far from overflow and every time printable.
pub(super) const PLAUSIBLE: Range<i64> = -62_135_596_800_000..253_370_764_800_000;

/// The pane that holds the event time `ts` (ms): minutes since 1970, rounded down.
#[inline]
pub(super) fn minute_of(ts: i64) -> i64 {
    ts.div_euclid(MINUTE_MS)
}

/// The windows that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Window {
    /// `5m`: five minutes, sliding by the minute.
    Sliding5m,
    /// `1h`: one hour, sliding by the minute.
    Sliding1h,
    /// `24h`: one day, sliding by the minute.
    Sliding24h,
    /// `minute`: the clock's minute.
    Minute,
    /// `hour`: the clock's hour, UTC.
    Hour,
    /// `day`: the calendar day, UTC.
    Day,
}

impl Window {
    /// Every window, in a fixed order.
    pub const ALL: [Window; 6] =
        [Window::Sliding5m, Window::Sliding1h, Window::Sliding24h, Window::Minute, Window::Hour, Window::Day];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Window::Sliding5m => "5m",
            Window::Sliding1h => "1h",
            Window::Sliding24h => "24h",
            Window::Minute => "minute",
            Window::Hour => "hour",
            Window::Day => "day",
        }
    }

    /// Length in panes (minutes).
    pub fn panes(self) -> i64 {
        match self {
            Window::Minute => 1,
            Window::Sliding5m => 5,
            Window::Sliding1h | Window::Hour => 60,
            Window::Sliding24h | Window::Day => 24 * 60,
        }
    }

    fn is_tumbling(self) -> bool {
        matches!(self, Window::Minute | Window::Hour | Window::Day)
    }

    /// The panes (minutes since 1970) of the window that `at` names; `newest` and `watermark` in ms.
    /// None while there is no such instant.
    pub(super) fn panes_at(self, at: At, newest: Option<i64>, watermark: Option<i64>) -> Option<Range<i64>> {
        let panes = self.panes();
        let end = match at {
            At::Live if self.is_tumbling() => minute_of(newest?).div_euclid(panes) * panes + panes,
            At::Live => minute_of(newest?) + 1,
            At::Closed if self.is_tumbling() => minute_of(watermark?).div_euclid(panes) * panes,
            At::Closed => minute_of(watermark?),
        };
        Some(end - panes..end)
    }
}

/// Runs of panes of equal length, one after the other, that end with a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepPanes {
    /// All the panes.
    pub(super) panes: Range<i64>,
    /// Panes in each step.
    pub(super) each: i64,
}

impl StepPanes {
    /// `count` steps of `each` panes, of which the last ends with the window, or with the newest event's pane where the
    /// window is not over yet. None while there is no window.
    fn ending(window: Option<&Range<i64>>, newest: Option<i64>, count: i64, each: i64) -> Self {
        let end =
            window.map_or(0, |window| newest.map_or(window.end, |ms| window.end.min(minute_of(ms) + 1)));
        let count = if window.is_some() { count } else { 0 };
        Self { panes: end - count * each..end, each }
    }

    /// How many steps there are.
    pub(super) fn len(&self) -> usize {
        ((self.panes.end - self.panes.start) / self.each) as usize
    }

    /// The step that holds a pane of [`StepPanes::panes`].
    #[inline]
    pub(super) fn of(&self, minute: i64) -> usize {
        ((minute - self.panes.start) / self.each) as usize
    }

    /// As it is answered.
    pub(super) fn answer(&self) -> Steps {
        let start = (!self.panes.is_empty()).then_some(TimeMs(self.panes.start * MINUTE_MS));
        Steps { start, step_seconds: (self.each * MINUTE_MS / 1000) as u64 }
    }
}

impl Window {
    /// The steps of a song's trend: thirty points or more, over at least the window's length.
    pub(super) fn trend_steps(self, panes: Option<&Range<i64>>, newest: Option<i64>) -> StepPanes {
        let (count, each) = match self {
            Window::Minute | Window::Sliding5m => (30, 1),
            Window::Sliding1h | Window::Hour => (30, 2),
            Window::Sliding24h | Window::Day => (48, 30),
        };
        StepPanes::ending(panes, newest, count, each)
    }

    /// The steps that active users are counted in: minutes of an hour, or quarters of a day's hours.
    pub(super) fn series_steps(self, panes: Option<&Range<i64>>, newest: Option<i64>) -> StepPanes {
        let (count, each) = if self.panes() > 60 { (96, 15) } else { (60, 1) };
        StepPanes::ending(panes, newest, count, each)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Window {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Window::ALL.into_iter().find(|window| window.name() == name).ok_or(())
    }
}

/// What active users can be split by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupBy {
    /// `level`: free or paid. A user who changed within the window is in both groups.
    Level,
    /// `gender`
    Gender,
    /// `state`: US state of the event.
    State,
}

impl GroupBy {
    /// Every grouping, in a fixed order.
    pub const ALL: [GroupBy; 3] = [GroupBy::Level, GroupBy::Gender, GroupBy::State];

    /// The name in the API, and of the groups' member.
    pub fn name(self) -> &'static str {
        match self {
            GroupBy::Level => "level",
            GroupBy::Gender => "gender",
            GroupBy::State => "state",
        }
    }

    /// Place in a profile, see [`super::intern::Profile`].
    pub(super) fn index(self) -> usize {
        match self {
            GroupBy::Level => 0,
            GroupBy::Gender => 1,
            GroupBy::State => 2,
        }
    }
}

impl FromStr for GroupBy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        GroupBy::ALL.into_iter().find(|by| by.name() == name).ok_or(())
    }
}
