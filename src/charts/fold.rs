//! One partition's share of the state: a fold over its offsets, and of nothing else.

use std::ops::Range;

use crate::schemas::batch::Activity;

use super::intern::{NO_TEXT, Remaps, Tables, text_id};
use super::pane::Panes;
use super::settings::ChartSettings;
use super::window::{MINUTE_MS, PLAUSIBLE, minute_of};

/// What a partition's rows came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows folded, of every sort.
    pub rows: u64,
    /// Rows behind their partition's clock by more than the allowed lateness, that still found their pane.
    pub late: u64,
    /// Rows whose pane was no longer kept: not in any answer.
    pub too_old: u64,
    /// Rows whose event time was implausibly far ahead: not in any answer.
    pub future: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct PartitionState {
    /// Offsets `[.., end)` are in.
    pub(super) end: i64,
    /// Highest event time seen, ms.
    pub(super) clock: Option<i64>,
    pub(super) panes: Panes,
    pub(super) counters: Counters,
    /// Wall-clock knowledge from outside: the partition does not hold back the watermark. Not part of the fold.
    pub(super) idle: bool,
    /// Panes before this minute were shrunk: few rows are still to come.
    sealed: i64,
}

/// Remaps of one batch's text columns.
struct Texts<'a> {
    level: &'a [u32],
    gender: &'a [u32],
    state: &'a [u32],
    song: Option<(&'a [u32], &'a [u32])>,
}

impl PartitionState {
    pub(super) fn starting_at(end: i64) -> Self {
        Self { end, sealed: i64::MIN, ..Self::default() }
    }

    /// The oldest minute whose pane is kept; none before the clock's first row.
    pub(super) fn first_kept(&self, settings: &ChartSettings) -> Option<i64> {
        self.clock.map(|clock| minute_of(clock - settings.span()))
    }

    /// Folds `rows` of a batch in. They must be the next ones by offset.
    pub(super) fn fold(
        &mut self,
        settings: &ChartSettings,
        tables: &mut Tables,
        remaps: &mut Remaps,
        activity: &Activity<'_>,
        rows: Range<usize>,
    ) {
        let places = [activity.level, activity.gender, activity.state]
            .map(|column| remaps.prepare(&mut tables.texts, column, rows.clone()));
        let song = activity.song.map(|(artist, song)| {
            let artist = remaps.prepare(&mut tables.texts, artist, rows.clone());
            (artist, remaps.prepare(&mut tables.texts, song, rows.clone()))
        });
        let texts = Texts {
            level: remaps.texts(places[0]),
            gender: remaps.texts(places[1]),
            state: remaps.texts(places[2]),
            song: song.map(|(artist, song)| (remaps.texts(artist), remaps.texts(song))),
        };
        self.counters.rows += rows.len() as u64;
        let mut first_kept = self.first_kept(settings).unwrap_or(i64::MIN);
        for row in rows {
            let ts = activity.ts[row];
            if is_future(settings, ts, activity.timestamps[row]) {
                self.counters.future += 1;
                continue;
            }
            let clock = match self.clock {
                Some(clock) if ts <= clock => clock,
                before => {
                    if before.is_none_or(|before| minute_of(before) != minute_of(ts)) {
                        first_kept = self.enter_minute(settings, ts);
                    }
                    self.clock = Some(ts);
                    ts
                }
            };
            if minute_of(ts) < first_kept {
                self.counters.too_old += 1;
                continue;
            }
            let late = ts < clock - settings.lateness;
            self.counters.late += u64::from(late);
            self.count(tables, &texts, activity, row, late);
        }
    }

    /// The clock enters the minute of `ts`: drops and shrinks what falls behind; returns the first minute kept.
    fn enter_minute(&mut self, settings: &ChartSettings, ts: i64) -> i64 {
        let first_kept = minute_of(ts - settings.span());
        self.panes.drop_before(first_kept);
        let seal = minute_of(ts - settings.lateness);
        for pane in self.panes.between_mut(&(self.sealed..seal)) {
            pane.shrink();
        }
        self.sealed = self.sealed.max(seal);
        first_kept
    }

    #[inline]
    fn count(
        &mut self,
        tables: &mut Tables,
        texts: &Texts<'_>,
        activity: &Activity<'_>,
        row: usize,
        late: bool,
    ) {
        let ts = activity.ts[row];
        let pane = self.panes.at(minute_of(ts));
        pane.late += u64::from(late);
        let user = activity.user_id.get(row).map(|id| tables.user(id));
        if let Some(user) = user {
            let profile = [
                text_id(texts.level, activity.level.keys[row]),
                text_id(texts.gender, activity.gender.keys[row]),
                text_id(texts.state, activity.state.keys[row]),
            ];
            pane.active.push(tables.combination(user, profile));
        }
        let (Some((artist, song)), Some((artists, songs))) = (activity.song, texts.song) else { return };
        let (artist, song) = (text_id(artists, artist.keys[row]), text_id(songs, song.keys[row]));
        if artist == NO_TEXT || song == NO_TEXT {
            return;
        }
        let song = tables.song(artist, song);
        pane.plays.push(song, ts.rem_euclid(MINUTE_MS) as u16);
        if let Some(user) = user {
            pane.listeners.push(u64::from(song) << 32 | u64::from(user));
        }
    }
}

/// Whether `ts` is too far ahead of the record's Kafka timestamp (negative: there is none) or no time at all.
#[inline]
fn is_future(settings: &ChartSettings, ts: i64, timestamp: i64) -> bool {
    !PLAUSIBLE.contains(&ts) || timestamp >= 0 && ts > timestamp.saturating_add(settings.future_limit)
}
