//! The definitions, computed from all rows with maps: slow, and independent of panes, ids and order of arrival.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::charts::{At, ChartSettings, GroupBy, Window};
use crate::schemas::{EventKind, Source};

use super::rows::Row;

const MINUTE: i64 = 60_000;

/// The rows below a partition's end.
pub(crate) type Logs<'a> = BTreeMap<Source, (&'a [Row], bool)>;

/// A row that counts, and whether it was late.
struct Counted<'a> {
    kind: EventKind,
    row: &'a Row,
    late: bool,
}

pub(crate) struct Oracle<'a> {
    rows: Vec<Counted<'a>>,
    pub(crate) newest: Option<i64>,
    /// First minute that every partition still keeps, ms.
    first_kept: i64,
    pub(crate) computed_watermark: Option<i64>,
    pub(crate) too_old: u64,
    pub(crate) future: u64,
}

type SongLine = (String, String, u64, u64, i64);

impl<'a> Oracle<'a> {
    pub(crate) fn new(settings: &ChartSettings, logs: &Logs<'a>) -> Self {
        let mut oracle = Oracle {
            rows: Vec::new(),
            newest: None,
            first_kept: i64::MIN,
            computed_watermark: None,
            too_old: 0,
            future: 0,
        };
        let mut clocks = Vec::new();
        for (source, &(log, idle)) in logs {
            let clock = oracle.add_partition(settings, source, log);
            clocks.push((clock, idle));
        }
        oracle.newest = clocks.iter().filter_map(|&(clock, _)| clock).max();
        let live: Vec<Option<i64>> =
            clocks.iter().filter(|(_, idle)| !idle).map(|&(clock, _)| clock).collect();
        let clock = if live.is_empty() {
            oracle.newest
        } else if live.contains(&None) {
            None
        } else {
            live.into_iter().flatten().min()
        };
        oracle.computed_watermark = clock.map(|clock| clock - settings.lateness);
        oracle
    }

    fn add_partition(&mut self, settings: &ChartSettings, source: &Source, log: &'a [Row]) -> Option<i64> {
        let kept_behind = settings.lateness + settings.retention + settings.max_ahead;
        let is_future = |row: &Row| row.timestamp >= 0 && row.ts - row.timestamp > settings.future_limit;
        let had_come = |row: &Row| if row.timestamp >= 0 { row.ts.min(row.timestamp) } else { row.ts };
        let mut counted = Vec::new();
        let (mut clock, mut reached) = (None, None);
        for row in log {
            if is_future(row) {
                self.future += 1;
                continue;
            }
            clock = clock.max(Some(row.ts));
            reached = reached.max(Some(had_come(row)));
            let now = clock.unwrap();
            if row.ts.div_euclid(MINUTE) < (reached.unwrap() - kept_behind).div_euclid(MINUTE) {
                self.too_old += 1;
                continue;
            }
            counted.push(Counted { kind: source.kind, row, late: row.ts < now - settings.lateness });
        }
        if let Some(reached) = reached {
            let first = (reached - kept_behind).div_euclid(MINUTE);
            counted.retain(|counted| counted.row.ts.div_euclid(MINUTE) >= first);
            self.first_kept = self.first_kept.max(first * MINUTE);
        }
        self.rows.extend(counted);
        clock
    }

    pub(crate) fn span(&self, window: Window, at: At, watermark: Option<i64>) -> Option<(i64, i64)> {
        let (length, tumbling) = match window {
            Window::Sliding5m => (5 * MINUTE, false),
            Window::Sliding1h => (60 * MINUTE, false),
            Window::Sliding24h => (1440 * MINUTE, false),
            Window::Minute => (MINUTE, true),
            Window::Hour => (60 * MINUTE, true),
            Window::Day => (1440 * MINUTE, true),
        };
        let step = if tumbling { length } else { MINUTE };
        // The end after the newest event, or the last end not after the watermark.
        let end = match at {
            At::Live => self.newest? - self.newest?.rem_euclid(step) + step,
            At::Closed => watermark? - watermark?.rem_euclid(step),
        };
        Some((end - length, end))
    }

    fn within(&self, span: Option<(i64, i64)>) -> impl Iterator<Item = &Counted<'a>> {
        self.rows
            .iter()
            .filter(move |counted| span.is_some_and(|(start, end)| (start..end).contains(&counted.row.ts)))
    }

    pub(crate) fn songs(&self, span: Option<(i64, i64)>) -> (u64, Vec<SongLine>) {
        let mut songs: HashMap<(&str, &str), (u64, HashSet<i64>, i64)> = HashMap::new();
        let listens = || self.within(span).filter(|counted| counted.kind == EventKind::Listen);
        for counted in listens() {
            let row = counted.row;
            let (Some(artist), Some(song)) = (&row.artist, &row.song) else { continue };
            let entry = songs.entry((artist, song)).or_insert((0, HashSet::new(), i64::MIN));
            entry.0 += 1;
            entry.1.extend(row.user);
            entry.2 = entry.2.max(row.ts);
        }
        let mut lines: Vec<SongLine> = songs
            .into_iter()
            .map(|((artist, song), (plays, users, last))| {
                (artist.to_owned(), song.to_owned(), plays, users.len() as u64, last)
            })
            .collect();
        lines.sort_by(|a, b| {
            (Reverse(a.2), Reverse(a.3), a.4, &a.0, &a.1).cmp(&(Reverse(b.2), Reverse(b.3), b.4, &b.0, &b.1))
        });
        (listens().filter(|counted| counted.late).count() as u64, lines)
    }

    /// The window of the same length before, where it is kept whole.
    pub(crate) fn span_before(&self, (start, end): (i64, i64)) -> Option<(i64, i64)> {
        let before = start - (end - start);
        (before >= self.first_kept).then_some((before, start))
    }

    /// `count` steps of `minutes`, the last of which ends with the window or the newest event's minute.
    pub(crate) fn steps(&self, span: Option<(i64, i64)>, count: i64, minutes: i64) -> Vec<(i64, i64)> {
        let Some((_, end)) = span else { return Vec::new() };
        let end = self.newest.map_or(end, |newest| end.min(newest - newest.rem_euclid(MINUTE) + MINUTE));
        let length = minutes * MINUTE;
        (0..count).rev().map(|back| (end - (back + 1) * length, end - back * length)).collect()
    }

    /// Plays of a song.
    pub(crate) fn plays(&self, span: (i64, i64), artist: &str, song: &str) -> u32 {
        let (_, lines) = self.songs(Some(span));
        lines
            .iter()
            .find(|line| (line.0.as_str(), line.1.as_str()) == (artist, song))
            .map_or(0, |line| line.2 as u32)
    }

    /// Revision, users, and users by value.
    pub(crate) fn users(
        &self,
        span: Option<(i64, i64)>,
        by: GroupBy,
    ) -> (u64, u64, Vec<(Option<&'static str>, u64)>) {
        let mut values: BTreeMap<i64, BTreeSet<&'static str>> = BTreeMap::new();
        for counted in self.within(span) {
            let Some(user) = counted.row.user else { continue };
            let value = match by {
                GroupBy::Level => counted.row.level,
                GroupBy::Gender => counted.row.gender,
                GroupBy::State => counted.row.state,
            };
            values.entry(user).or_default().extend(value);
        }
        let mut groups: BTreeMap<Option<&'static str>, u64> = BTreeMap::new();
        for of_user in values.values() {
            if of_user.is_empty() {
                *groups.entry(None).or_default() += 1;
            }
            for value in of_user {
                *groups.entry(Some(value)).or_default() += 1;
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|&(value, users)| (Reverse(users), value));
        let late = self.within(span).filter(|counted| counted.late).count() as u64;
        (late, values.len() as u64, groups)
    }
}
