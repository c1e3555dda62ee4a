//! Object names: the only place that formats or parses them.
//!
//! Offsets have 20 digits and partitions 5, so that the byte order of a chain's entries is the order of offsets.
//! [`Name`] formats with `Display` and parses with `FromStr`; only the canonical spelling parses.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use time::{Date, Month};

use crate::schemas::Source;

/// Below this prefix are decisions, receipts and epoch records.
pub const LEDGER: &str = "ledger/v1/";
/// Below this prefix are the lake's tables.
pub const LAKE: &str = "lake/v1/";
/// Below this prefix are completeness markers.
pub const COMPLETE: &str = "complete/v1/";
/// Below this prefix are snapshots of window state, a cache.
pub const STATE: &str = "state/v1/";

/// Folder of plays counted by pane, artist, song and level.
pub const SONG_COUNTS: &str = "song_counts";
/// Folder of who was active in which pane.
pub const USER_ACTIVITY: &str = "user_activity";
/// Folder of records that do not decode.
pub const REJECTED: &str = "_rejected";

const MS_PER_HOUR: i64 = 3_600_000;
/// Julian day of 1970-01-01.
const UNIX_EPOCH_JULIAN: i32 = 2_440_588;
/// Partition numbers above this would break the order of names; Kafka clusters stay far below.
const MAX_PARTITION: i32 = 99_999;

/// Why a topic cannot have a place in the lake.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicError {
    /// Not a name that Kafka accepts.
    #[error(
        "topic {0:?} is not a legal Kafka topic name: use 1 to 249 of a-z, A-Z, 0-9, dot, underscore and hyphen"
    )]
    Illegal(String),
    /// Would share a folder with a table that the lake makes itself.
    #[error("topic {0:?} has the name of a table that the lake makes itself: rename the topic")]
    Reserved(String),
}

/// Whether `topic` can name a folder of the lake.
///
/// # Errors
/// Illegal and reserved names.
pub fn check_topic(topic: &str) -> Result<(), TopicError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let size = (1..=249).contains(&topic.len());
    if !size || topic == "." || topic == ".." || !topic.bytes().all(legal) {
        return Err(TopicError::Illegal(topic.to_owned()));
    }
    if matches!(topic, SONG_COUNTS | USER_ACTIVITY | REJECTED) {
        return Err(TopicError::Reserved(topic.to_owned()));
    }
    Ok(())
}

/// A calendar day in UTC, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(pub i32);

impl Day {
    /// The day that holds `ms` (milliseconds since 1970 UTC; a missing Kafka timestamp, -1, counts as 1970-01-01).
    pub fn of_ms(ms: i64) -> Self {
        Hour::of_ms(ms.max(0)).day()
    }

    fn date(self) -> Option<Date> {
        Date::from_julian_day(self.0.checked_add(UNIX_EPOCH_JULIAN)?).ok()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date().unwrap_or(Date::MAX);
        write!(f, "{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
    }
}

impl FromStr for Day {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        day(text).filter(|day| day.to_string() == text).ok_or_else(|| NotAName(text.to_owned()))
    }
}

/// An hour in UTC, as hours since 1970-01-01T00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour that holds `ms` (milliseconds since 1970 UTC).
    pub fn of_ms(ms: i64) -> Self {
        Hour(ms.div_euclid(MS_PER_HOUR))
    }

    /// The day that holds it.
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(24)).unwrap_or(i32::MAX))
    }

    /// The hour of the day, 0 to 23.
    pub fn of_day(self) -> u8 {
        u8::try_from(self.0.rem_euclid(24)).unwrap_or(0)
    }

    /// Milliseconds since 1970 UTC at which it ends.
    pub fn end_ms(self) -> i64 {
        self.0.saturating_add(1).saturating_mul(MS_PER_HOUR)
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}T{:02}", self.day(), self.of_day())
    }
}

impl FromStr for Hour {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let parsed = text.split_once('T').and_then(|(day, hour)| self::hour(day, hour));
        parsed.filter(|hour| hour.to_string() == text).ok_or_else(|| NotAName(text.to_owned()))
    }
}

/// One partition of one topic in one epoch: what a chain of ledger entries belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChainKey {
    /// Kafka topic.
    pub topic: String,
    /// 1, and one more each time that the topic was created anew.
    pub epoch: u32,
    /// Kafka partition.
    pub partition: i32,
}

impl From<&Source> for ChainKey {
    fn from(source: &Source) -> Self {
        ChainKey { topic: source.topic.to_string(), epoch: source.epoch, partition: source.partition }
    }
}

impl fmt::Display for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/e{:03}/p{:05}", self.topic, self.epoch, self.partition)
    }
}

impl ChainKey {
    /// Prefix of the chain's entries and receipts.
    pub fn ledger_prefix(&self) -> String {
        format!("{LEDGER}{self}/")
    }

    /// Prefix of the chain's completeness markers.
    pub fn complete_prefix(&self) -> String {
        format!("{COMPLETE}{self}/")
    }

    /// Prefix of the chain's state snapshots.
    pub fn state_prefix(&self) -> String {
        format!("{STATE}{self}/")
    }

    /// Name of the entry that begins at offset `start`.
    pub fn entry(&self, start: i64) -> String {
        Name::Entry { chain: self.clone(), start }.to_string()
    }

    /// Name of the receipt of the entry that begins at offset `start`.
    pub fn receipt(&self, start: i64) -> String {
        Name::Receipt { chain: self.clone(), start }.to_string()
    }

    /// The range `[start, end)` of this chain.
    pub fn range(&self, start: i64, end: i64) -> RangeKey {
        RangeKey { chain: self.clone(), start, end }
    }
}

/// Prefix of everything that an epoch's ledger holds.
pub fn epoch_prefix(topic: &str, epoch: u32) -> String {
    format!("{LEDGER}{topic}/e{epoch:03}/")
}

/// Offsets `[start, end)` of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RangeKey {
    /// Partition, topic and epoch.
    pub chain: ChainKey,
    /// First offset.
    pub start: i64,
    /// End, exclusive.
    pub end: i64,
}

impl RangeKey {
    fn stem(&self) -> String {
        let RangeKey { chain, start, end } = self;
        format!("e{:03}-p{:05}-{start:020}-{end:020}", chain.epoch, chain.partition)
    }

    /// Name of the data object for one event hour.
    pub fn data(&self, hour: Hour) -> String {
        Name::Data { range: self.clone(), hour }.to_string()
    }

    /// Name of the object of rejected records; `day` is that of the first such record's Kafka timestamp.
    pub fn rejected(&self, day: Day) -> String {
        Name::Rejected { range: self.clone(), day }.to_string()
    }

    /// Name of the song counts of one event day.
    pub fn song_counts(&self, day: Day) -> String {
        Name::SongCounts { range: self.clone(), day }.to_string()
    }

    /// Name of the user activity of one event day.
    pub fn user_activity(&self, day: Day) -> String {
        Name::UserActivity { range: self.clone(), day }.to_string()
    }
}

impl fmt::Display for RangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}, {})", self.chain, self.start, self.end)
    }
}

/// A text that is not the canonical name of anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a name that beatlytica gives")]
pub struct NotAName(pub String);

/// Every kind of object that beatlytica writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// Cluster and topic id of an epoch.
    Epoch {
        /// Kafka topic.
        topic: String,
        /// Its epoch.
        epoch: u32,
    },
    /// A decision.
    Entry {
        /// Whose.
        chain: ChainKey,
        /// First offset of the range.
        start: i64,
    },
    /// All that was decided is there.
    Receipt {
        /// Whose.
        chain: ChainKey,
        /// First offset of the range.
        start: i64,
    },
    /// Decoded rows of one event hour.
    Data {
        /// Which offsets.
        range: RangeKey,
        /// Which event hour.
        hour: Hour,
    },
    /// Records that do not decode.
    Rejected {
        /// Which offsets.
        range: RangeKey,
        /// Day of the first such record's Kafka timestamp.
        day: Day,
    },
    /// Plays counted.
    SongCounts {
        /// Which offsets.
        range: RangeKey,
        /// Which event day.
        day: Day,
    },
    /// Users seen.
    UserActivity {
        /// Which offsets.
        range: RangeKey,
        /// Which event day.
        day: Day,
    },
    /// No more records of that hour, nor of one before, are expected.
    Complete {
        /// Of which partition.
        chain: ChainKey,
        /// The newest complete hour.
        hour: Hour,
    },
    /// A snapshot of window state.
    State {
        /// Of which partition.
        chain: ChainKey,
        /// End of the offsets that it holds.
        end: i64,
    },
}

impl Name {
    /// The offsets that the object holds, for objects of the lake.
    pub fn range(&self) -> Option<&RangeKey> {
        match self {
            Name::Data { range, .. }
            | Name::Rejected { range, .. }
            | Name::SongCounts { range, .. }
            | Name::UserActivity { range, .. } => Some(range),
            _ => None,
        }
    }

    /// Whether it is a count table's object, derived from data objects.
    pub fn is_counts(&self) -> bool {
        matches!(self, Name::SongCounts { .. } | Name::UserActivity { .. })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Epoch { topic, epoch } => write!(f, "{LEDGER}{topic}/e{epoch:03}/epoch.json"),
            Name::Entry { chain, start } => write!(f, "{LEDGER}{chain}/{start:020}.json"),
            Name::Receipt { chain, start } => write!(f, "{LEDGER}{chain}/{start:020}.done.json"),
            Name::Data { range, hour } => {
                let (topic, stem) = (&range.chain.topic, range.stem());
                let (day, of_day) = (hour.day(), hour.of_day());
                write!(f, "{LAKE}{topic}/event_date={day}/event_hour={of_day:02}/{stem}.parquet")
            }
            Name::Rejected { range, day } => {
                let (topic, stem) = (&range.chain.topic, range.stem());
                write!(f, "{LAKE}{REJECTED}/{topic}/ingest_date={day}/{stem}.parquet")
            }
            Name::SongCounts { range, day } => {
                let (topic, stem) = (&range.chain.topic, range.stem());
                write!(f, "{LAKE}{SONG_COUNTS}/event_date={day}/{topic}-{stem}.parquet")
            }
            Name::UserActivity { range, day } => {
                let (topic, stem) = (&range.chain.topic, range.stem());
                write!(f, "{LAKE}{USER_ACTIVITY}/event_date={day}/{topic}-{stem}.parquet")
            }
            Name::Complete { chain, hour } => write!(f, "{COMPLETE}{chain}/{hour}.json"),
            Name::State { chain, end } => write!(f, "{STATE}{chain}/{end:020}"),
        }
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let parsed = if let Some(rest) = text.strip_prefix(LEDGER) {
            parse_ledger(rest)
        } else if let Some(rest) = text.strip_prefix(LAKE) {
            parse_lake(rest)
        } else if let Some(rest) = text.strip_prefix(COMPLETE) {
            parse_in_chain(rest).and_then(|(chain, file)| {
                Some(Name::Complete { chain, hour: file.strip_suffix(".json")?.parse().ok()? })
            })
        } else if let Some(rest) = text.strip_prefix(STATE) {
            parse_in_chain(rest).and_then(|(chain, file)| Some(Name::State { chain, end: offset(file)? }))
        } else {
            None
        };
        parsed.filter(|name| name.to_string() == text).ok_or_else(|| NotAName(text.to_owned()))
    }
}

// What follows takes other spellings too, such as a day without its zeros: who calls it writes the whole out again and
// compares.

fn day(text: &str) -> Option<Day> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, parts.next()?.parse().ok()?).ok()?;
    Some(Day(date.to_julian_day() - UNIX_EPOCH_JULIAN))
}

fn hour(day: &str, hour_of_day: &str) -> Option<Hour> {
    let hour_of_day: i64 = hour_of_day.parse().ok()?;
    (i64::from(self::day(day)?.0) * 24).checked_add(hour_of_day).map(Hour)
}

fn offset(text: &str) -> Option<i64> {
    text.parse().ok().filter(|&offset: &i64| offset >= 0)
}

fn epoch(text: &str) -> Option<u32> {
    text.strip_prefix('e')?.parse().ok().filter(|&epoch| epoch > 0)
}

fn partition(text: &str) -> Option<i32> {
    text.strip_prefix('p')?.parse().ok().filter(|partition| (0..=MAX_PARTITION).contains(partition))
}

fn topic(text: &str) -> Option<String> {
    check_topic(text).ok().map(|()| text.to_owned())
}

fn parse_in_chain(rest: &str) -> Option<(ChainKey, &str)> {
    let mut parts = rest.splitn(4, '/');
    let topic = topic(parts.next()?)?;
    let epoch = epoch(parts.next()?)?;
    let partition = partition(parts.next()?)?;
    Some((ChainKey { topic, epoch, partition }, parts.next()?))
}

fn parse_ledger(rest: &str) -> Option<Name> {
    if let Some((chain, file)) = parse_in_chain(rest) {
        let file = file.strip_suffix(".json")?;
        return Some(match file.strip_suffix(".done") {
            Some(start) => Name::Receipt { chain, start: offset(start)? },
            None => Name::Entry { chain, start: offset(file)? },
        });
    }
    let (folder, rest) = rest.split_once('/')?;
    Some(Name::Epoch { topic: topic(folder)?, epoch: epoch(rest.strip_suffix("/epoch.json")?)? })
}

fn parse_lake(rest: &str) -> Option<Name> {
    let (folder, rest) = rest.split_once('/')?;
    match folder {
        REJECTED => {
            let (folder, rest) = rest.split_once('/')?;
            let (day, file) = rest.strip_prefix("ingest_date=")?.split_once('/')?;
            Some(Name::Rejected { range: parse_range(topic(folder)?, file)?, day: self::day(day)? })
        }
        SONG_COUNTS | USER_ACTIVITY => {
            let (day, file) = rest.strip_prefix("event_date=")?.split_once('/')?;
            let day = self::day(day)?;
            // A topic may hold hyphens; the last four parts of the name hold none.
            let at = file.rmatch_indices('-').nth(3)?.0;
            let range = parse_range(topic(file.get(..at)?)?, file.get(at + 1..)?)?;
            Some(match folder {
                SONG_COUNTS => Name::SongCounts { range, day },
                _ => Name::UserActivity { range, day },
            })
        }
        _ => {
            let (day, rest) = rest.strip_prefix("event_date=")?.split_once('/')?;
            let (of_day, file) = rest.strip_prefix("event_hour=")?.split_once('/')?;
            Some(Name::Data { range: parse_range(topic(folder)?, file)?, hour: hour(day, of_day)? })
        }
    }
}

fn parse_range(topic: String, file: &str) -> Option<RangeKey> {
    let mut parts = file.strip_suffix(".parquet")?.splitn(4, '-');
    let epoch = epoch(parts.next()?)?;
    let partition = partition(parts.next()?)?;
    let (start, end) = (offset(parts.next()?)?, offset(parts.next()?)?);
    Some(RangeKey { chain: ChainKey { topic, epoch, partition }, start, end })
}
