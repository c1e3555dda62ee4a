//! Answers, as they are serialised in the API.

use std::str::FromStr;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::window::{GroupBy, MINUTE_MS, Window};

/// An instant, milliseconds since 1970 UTC; serialised as RFC 3339 in UTC, with `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeMs(pub i64);

impl TimeMs {
    /// RFC 3339 in UTC; none outside of the years 0 to 9999, which that form cannot express.
    pub fn rfc3339(self) -> Option<String> {
        let nanos = i128::from(self.0) * 1_000_000;
        OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok()
    }
}

impl Serialize for TimeMs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.rfc3339().serialize(serializer)
    }
}

/// Which window of a kind is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum At {
    /// The one that ends with (sliding) or holds (tumbling) the pane of the newest event time.
    #[default]
    Live,
    /// The last one that is wholly behind the watermark.
    Closed,
}

impl At {
    /// Both, in a fixed order.
    pub const ALL: [At; 2] = [At::Live, At::Closed];

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            At::Live => "live",
            At::Closed => "closed",
        }
    }
}

impl FromStr for At {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        At::ALL.into_iter().find(|at| at.name() == name).ok_or(())
    }
}

/// The span of a window: `start <= ts < end`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowSpan {
    /// Name, see [`Window::name`].
    pub name: &'static str,
    /// First instant; none while no event (or, for a closed window, no watermark) was seen.
    pub start: Option<TimeMs>,
    /// First instant after the window.
    pub end: Option<TimeMs>,
}

impl WindowSpan {
    pub(super) fn new(window: Window, panes: Option<&std::ops::Range<i64>>) -> Self {
        Self {
            name: window.name(),
            start: panes.map(|panes| TimeMs(panes.start * MINUTE_MS)),
            end: panes.map(|panes| TimeMs(panes.end * MINUTE_MS)),
        }
    }
}

/// How many partitions an answer speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Partitions that this instance holds and counts whole: not those whose windows are being rebuilt.
    pub covered: usize,
    /// Partitions that there are, of all topics.
    pub total: usize,
}

/// The most played songs of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SongsAnswer {
    /// The window.
    pub window: WindowSpan,
    /// Live or closed.
    pub at: At,
    /// Up to which event time the data is expected to be whole; none while that is unknown.
    pub watermark: Option<TimeMs>,
    /// Late listens folded into the window.
    pub revision: u64,
    /// Partitions covered.
    pub partitions: Coverage,
    /// Plays within the window, of all songs.
    pub plays: u64,
    /// The window before; none where its panes are no longer kept whole, or there is no window.
    pub previous: Option<PreviousWindow>,
    /// Which steps of time [`SongRow::trend`] counts.
    pub trend: Steps,
    /// Best first.
    pub songs: Vec<SongRow>,
}

/// The window of the same length that ends where another one starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousWindow {
    /// First instant.
    pub start: TimeMs,
    /// First instant after it.
    pub end: TimeMs,
    /// Plays within it, of all songs.
    pub plays: u64,
}

/// Steps of equal length, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// First instant of the first step; none while there is no window.
    pub start: Option<TimeMs>,
    /// Length of each, seconds.
    pub step_seconds: u64,
}

/// One line of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SongRow {
    /// From 1; no two songs share a rank. None for a song that was searched and is behind the first 1000.
    pub rank: Option<usize>,
    /// Rank in the window before; none where it was not played or was behind the first 1000.
    pub previous_rank: Option<usize>,
    /// Artist's name.
    pub artist: String,
    /// Song's title.
    pub song: String,
    /// Plays within the window.
    pub plays: u64,
    /// Distinct users among them.
    pub listeners: u64,
    /// Event time of the window's last play.
    pub last_played: TimeMs,
    /// Plays in each of the answer's [`SongsAnswer::trend`] steps.
    pub trend: Vec<u32>,
}

/// The active users of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersAnswer {
    /// The window.
    pub window: WindowSpan,
    /// Live or closed.
    pub at: At,
    /// Up to which event time the data is expected to be whole; none while that is unknown.
    pub watermark: Option<TimeMs>,
    /// Late records of any topic folded into the window.
    pub revision: u64,
    /// Partitions covered.
    pub partitions: Coverage,
    /// Distinct users with an event in the window.
    pub users: u64,
    /// The same, split; absent where no split was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<Group>>,
    /// Every split and the course of time; absent where no details were asked for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub details: Option<UsersDetails>,
}

/// What an answer about active users tells on request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersDetails {
    /// The window's users, split in every way.
    pub splits: Splits,
    /// Active users step by step.
    pub series: UsersSeries,
}

/// Users by each of the groupings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Splits {
    /// By level.
    pub level: Vec<Group>,
    /// By gender.
    pub gender: Vec<Group>,
    /// By state.
    pub state: Vec<Group>,
}

/// Distinct users in each of some steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsersSeries {
    /// The steps.
    #[serde(flatten)]
    pub steps: Steps,
    /// Users in each step.
    pub users: Vec<u64>,
}

/// Bytes of a text in an answer.
const LONGEST_TEXT: usize = 500;

/// A text as it is answered: one that is longer than any name is cut short, or a few records could fill every answer.
pub(super) fn brief(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(LONGEST_TEXT)])
}

/// The users of one value: `{"level":"paid","users":45}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What the split is by; the member's name.
    pub by: GroupBy,
    /// The value; none for users none of whose events in the window has one.
    pub value: Option<String>,
    /// Distinct users.
    pub users: u64,
}

impl Serialize for Group {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(self.by.name(), &self.value)?;
        map.serialize_entry("users", &self.users)?;
        map.end()
    }
}
