//! One partition's share of the state: a fold over its offsets, and of nothing else.

use std::ops::Range;

use crate::schemas::batch::Activity;

use super::intern::{NO_TEXT, Tables};
use super::pane::{Panes, SongPlays};
use super::remap::{Remaps, text_id};
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

impl Counters {
    /// What has come since they stood at `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self {
            rows: self.rows.saturating_sub(before.rows),
            late: self.late.saturating_sub(before.late),
            too_old: self.too_old.saturating_sub(before.too_old),
            future: self.future.saturating_sub(before.future),
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct PartitionState {
    /// Offsets `[.., end)` are in.
    pub(super) end: i64,
    /// Highest event time seen, ms.
    pub(super) clock: Option<i64>,
    /// The same of times that had come when their records were appended, as far as Kafka's timestamps tell: panes are dropped by
    /// this one, for one event of a wrong clock ahead must cost its partition no pane that answers are made of.
    pub(super) reached: Option<i64>,
    pub(super) panes: Panes,
    pub(super) counters: Counters,
    /// Wall-clock knowledge from outside: the partition does not hold back the watermark. Not part of the fold.
    pub(super) idle: bool,
    /// From outside, too: partitions that are ahead of it wait. Not part of the fold.
    pub(super) awaited: bool,
    /// Answers lack a part of it, for it is being rebuilt. Not part of the fold.
    pub(super) partial: bool,
    /// Panes before this minute were shrunk: few rows are still to come.
    sealed: i64,
}

/// Text ids by key, of one batch's text columns.
struct Texts<'a> {
    /// Level, gender, state.
    profile: [&'a [u32]; 3],
    song: Option<(&'a [u32], &'a [u32])>,
}

/// Rows that are worked on at a time: few enough to stay in the first-level cache.
const CHUNK: usize = 512;
const NOBODY: u32 = u32::MAX;
const NO_SONG: u32 = u32::MAX;
/// No time: before every plausible one.
const NEVER: i64 = i64::MIN;

/// A row that counts.
struct Row {
    /// Place in the batch.
    row: usize,
    ts: i64,
    late: bool,
    /// What [`PartitionState::reached`] is, where it enters a minute with this row; else [`NEVER`].
    enters: i64,
    user: u32,
    combination: u32,
    song: u32,
}

impl PartitionState {
    pub(super) fn starting_at(end: i64) -> Self {
        Self { end, awaited: true, sealed: i64::MIN, ..Self::default() }
    }

    /// The oldest minute whose pane is kept; none before the first row.
    pub(super) fn first_kept(&self, settings: &ChartSettings) -> Option<i64> {
        self.reached.map(|reached| minute_of(reached - settings.span()))
    }

    /// Folds `rows` of a batch in. They must be the next ones by offset.
    ///
    /// Goes over a few hundred rows at a time, column by column: the look-ups of a pass do not wait for each other's
    /// cache misses.
    pub(super) fn fold(
        &mut self,
        settings: &ChartSettings,
        tables: &mut Tables,
        remaps: &mut Remaps,
        activity: &Activity<'_>,
        rows: Range<usize>,
    ) {
        remaps.begin();
        let places = [activity.level, activity.gender, activity.state]
            .map(|column| remaps.prepare(&mut tables.texts, column, rows.clone()));
        let song = activity.song.map(|(artist, song)| {
            let artist = remaps.prepare(&mut tables.texts, artist, rows.clone());
            (artist, remaps.prepare(&mut tables.texts, song, rows.clone()))
        });
        let texts = Texts {
            profile: places.map(|place| remaps.texts(place)),
            song: song.map(|(artist, song)| (remaps.texts(artist), remaps.texts(song))),
        };
        self.counters.rows += rows.len() as u64;
        let mut chunk = Vec::with_capacity(CHUNK.min(rows.len()));
        let mut from = rows.start;
        while from < rows.end {
            let to = rows.end.min(from + CHUNK);
            chunk.clear();
            self.judge(settings, activity, from..to, &mut chunk);
            look_up(tables, &texts, activity, &mut chunk);
            for row in &chunk {
                self.count(settings, tables, row);
            }
            from = to;
        }
    }

    /// Moves the clock along `rows`, and lists the rows that count.
    fn judge(
        &mut self,
        settings: &ChartSettings,
        activity: &Activity<'_>,
        rows: Range<usize>,
        counted: &mut Vec<Row>,
    ) {
        let mut first_kept = self.first_kept(settings).unwrap_or(i64::MIN);
        let (mut clock, mut reached) = (self.clock.unwrap_or(NEVER), self.reached.unwrap_or(NEVER));
        for row in rows {
            let (ts, appended) = (activity.ts[row], activity.timestamps[row]);
            if is_future(settings, ts, appended) {
                self.counters.future += 1;
                continue;
            }
            clock = clock.max(ts);
            let had_come = if appended >= 0 { ts.min(appended) } else { ts };
            let mut enters = NEVER;
            if had_come > reached {
                if reached == NEVER || minute_of(reached) != minute_of(had_come) {
                    (enters, first_kept) = (had_come, minute_of(had_come - settings.span()));
                }
                reached = had_come;
            }
            if minute_of(ts) < first_kept {
                self.counters.too_old += 1;
                continue;
            }
            let late = ts < clock - settings.lateness;
            self.counters.late += u64::from(late);
            counted.push(Row { row, ts, late, enters, user: NOBODY, combination: 0, song: NO_SONG });
        }
        if reached != NEVER {
            (self.clock, self.reached) = (Some(clock), Some(reached));
        }
    }

    /// [`PartitionState::reached`] enters a minute: drops and shrinks what falls behind.
    fn enter_minute(&mut self, settings: &ChartSettings, reached: i64) {
        self.panes.drop_before(minute_of(reached - settings.span()));
        let seal = minute_of(reached - settings.lateness);
        for pane in self.panes.between_mut(&(self.sealed..seal)) {
            pane.shrink();
        }
        self.sealed = self.sealed.max(seal);
    }

    #[inline]
    fn count(&mut self, settings: &ChartSettings, tables: &mut Tables, row: &Row) {
        if row.enters != NEVER {
            self.enter_minute(settings, row.enters);
        }
        let minute = minute_of(row.ts);
        let pane = self.panes.at(minute);
        pane.late += u64::from(row.late);
        if pane.number == 0 {
            pane.number = tables.pane_number();
        }
        if row.user != NOBODY && tables.enters_pane(row.user, row.combination, pane.number) {
            pane.active.push(row.combination);
        }
        if row.song != NO_SONG {
            pane.plays.push(SongPlays::new(row.song, (row.ts - minute * MINUTE_MS) as u16, 1));
            if row.user != NOBODY {
                pane.listeners.push(u64::from(row.song) << 32 | u64::from(row.user));
            }
        }
    }
}

/// Fills in the ids of the rows that count, one column at a time.
fn look_up(tables: &mut Tables, texts: &Texts<'_>, activity: &Activity<'_>, rows: &mut [Row]) {
    for row in rows.iter_mut() {
        if let Some(id) = activity.user_id.get(row.row) {
            row.user = tables.user(id);
        }
    }
    let columns = [activity.level, activity.gender, activity.state];
    for row in rows.iter_mut().filter(|row| row.user != NOBODY) {
        let profile = std::array::from_fn(|at| text_id(texts.profile[at], columns[at].keys[row.row]));
        let profile = tables.profile_number(profile);
        row.combination = tables.combination(row.user, profile);
    }
    let (Some((artist, song)), Some((artists, songs))) = (activity.song, texts.song) else { return };
    for row in rows.iter_mut() {
        let (artist, song) = (text_id(artists, artist.keys[row.row]), text_id(songs, song.keys[row.row]));
        if artist != NO_TEXT && song != NO_TEXT {
            row.song = tables.song(artist, song);
        }
    }
}

/// Whether `ts` is too far ahead of the record's Kafka timestamp (negative: there is none) or no time at all.
#[inline]
fn is_future(settings: &ChartSettings, ts: i64, timestamp: i64) -> bool {
    !PLAUSIBLE.contains(&ts) || timestamp >= 0 && ts > timestamp.saturating_add(settings.future_limit)
}
