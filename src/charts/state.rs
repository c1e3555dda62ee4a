//! All partitions of one instance: who holds which offsets, the watermark, and the shared interners.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::schemas::Source;
use crate::schemas::batch::Activity;

use super::answer::Coverage;
use super::fold::{Counters, PartitionState};
use super::intern::{Live, Tables};
use super::remap::Remaps;
use super::search::Search;
use super::settings::ChartSettings;
use super::snapshot::{self, SnapshotError};

/// Interners smaller than this are not worth compacting.
const MIN_ENTRIES: usize = 1 << 16;

/// What [`Charts::apply`] did with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// The rows from the partition's end on were folded in (those before it were in already).
    Folded {
        /// Rows folded.
        rows: usize,
    },
    /// The batch ends at or before the partition's end: nothing new.
    Known,
    /// The batch starts after the partition's end; nothing was folded. The records from `expected` are needed first.
    Hole {
        /// Offset that the partition goes on from.
        expected: i64,
    },
    /// The partition is not assigned here.
    Unassigned,
}

/// One partition, for status and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// Which partition.
    pub source: Source,
    /// Next offset.
    pub end: i64,
    /// Highest event time seen, ms since 1970 UTC.
    pub clock: Option<i64>,
    /// Whether it holds back no watermark.
    pub idle: bool,
    /// Row counts since offset 0 (or since the partition was last assigned without a snapshot).
    pub counters: Counters,
}

/// Live charts and active users of the assigned partitions.
#[derive(Debug)]
pub struct Charts {
    pub(super) settings: ChartSettings,
    pub(super) tables: Tables,
    pub(super) partitions: BTreeMap<Source, PartitionState>,
    pub(super) search: Search,
    remaps: Remaps,
    topics: BTreeMap<Arc<str>, usize>,
    announced: Option<i64>,
    now: i64,
    compact_at: usize,
}

impl Charts {
    /// No partition assigned.
    pub fn new(settings: ChartSettings) -> Self {
        Self {
            settings,
            tables: Tables::default(),
            partitions: BTreeMap::new(),
            search: Search::default(),
            remaps: Remaps::default(),
            topics: BTreeMap::new(),
            announced: None,
            now: i64::MAX,
            compact_at: MIN_ENTRIES,
        }
    }

    /// The settings given to [`Charts::new`].
    pub fn settings(&self) -> &ChartSettings {
        &self.settings
    }

    /// Takes on a partition with no state, at offset `end`. What was held of it before is dropped, so this also
    /// starts a rebuild behind a hole that retention made.
    pub fn assign(&mut self, source: &Source, end: i64) {
        self.partitions.insert(source.clone(), PartitionState::starting_at(end));
        self.partitions_changed();
    }

    /// Drops a partition and its share of every answer; false if it was not assigned.
    pub fn revoke(&mut self, source: &Source) -> bool {
        let was_there = self.partitions.remove(source).is_some();
        if was_there {
            self.partitions_changed();
        }
        was_there
    }

    /// How many partitions a topic has in all, for [`Coverage::total`].
    pub fn set_topic_partitions(&mut self, topic: &str, count: usize) {
        self.topics.insert(Arc::from(topic), count);
    }

    /// Folds in the batch `[start, end)`, whose rows are `activity`, in order of offset.
    ///
    /// Offsets that the partition has already are skipped; a batch behind a hole is refused, see [`Applied`].
    pub fn apply(&mut self, source: &Source, activity: &Activity<'_>, start: i64, end: i64) -> Applied {
        let Some(state) = self.partitions.get_mut(source) else { return Applied::Unassigned };
        if start > state.end {
            return Applied::Hole { expected: state.end };
        }
        if end <= state.end {
            return Applied::Known;
        }
        let from = activity.offsets.partition_point(|&offset| offset < state.end);
        let to = activity.offsets.partition_point(|&offset| offset < end).max(from);
        state.fold(&self.settings, &mut self.tables, &mut self.remaps, activity, from..to);
        state.end = end;
        self.advance();
        self.compact_if_large();
        Applied::Folded { rows: to - from }
    }

    /// Next offset of a partition; none if it is not assigned.
    pub fn end(&self, source: &Source) -> Option<i64> {
        self.partitions.get(source).map(|state| state.end)
    }

    /// Tells whether a partition is idle (the wall clock decides that, outside); an idle one holds back no watermark.
    pub fn set_idle(&mut self, source: &Source, idle: bool) {
        let Some(state) = self.partitions.get_mut(source) else { return };
        if state.idle != idle {
            state.idle = idle;
            self.advance();
        }
    }

    /// Tells whether others are to wait for a partition that is behind them in event time. Waiting for one that has long been counted to
    /// its log's end, or is being rebuilt, gains nothing.
    pub fn set_awaited(&mut self, source: &Source, awaited: bool) {
        if let Some(state) = self.partitions.get_mut(source) {
            state.awaited = awaited;
        }
    }

    /// Tells whether a partition lacks a part of what it should hold; then [`Coverage::covered`] does not count it.
    pub fn set_partial(&mut self, source: &Source, partial: bool) {
        if let Some(state) = self.partitions.get_mut(source) {
            state.partial = partial;
        }
    }

    /// What a partition's rows came to; none if it is not assigned.
    pub fn counters(&self, source: &Source) -> Option<Counters> {
        self.partitions.get(source).map(|state| state.counters)
    }

    /// Event time, ms, before which only late records are expected: the slowest live partition's clock, or now, if that is before
    /// it, less the lateness; with all partitions idle, the fastest one's. None while a live partition has seen nothing.
    /// Never moves back while the set of partitions stays the same.
    pub fn watermark(&self) -> Option<i64> {
        self.announced
    }

    /// Tells the wall clock's time, ms. A producer whose clock is wrong moves its partition's clock ahead of it; without this, live
    /// windows would then be ones in which nobody else has an event yet, and the partition would be paused until that time.
    pub fn set_now(&mut self, now: i64) {
        self.now = now;
        self.advance();
    }

    /// The newest event time seen, ms, or now, if that is before it.
    pub fn newest(&self) -> Option<i64> {
        let clock = self.partitions.values().filter_map(|state| state.clock).max()?;
        Some(clock.min(self.now))
    }

    /// How far, in ms of event time, a partition's clock, or now, if that is before it, is ahead of the slowest live partition that
    /// has one and is awaited (see [`Charts::set_awaited`]); none if it is not assigned or has seen nothing. The slowest is never ahead, so pausing by
    /// this never stops all.
    pub fn ahead_of_slowest(&self, source: &Source) -> Option<i64> {
        let clock = self.partitions.get(source)?.clock?;
        let awaited = self.partitions.values().filter(|state| state.awaited && !state.idle);
        let slowest = awaited.filter_map(|state| state.clock).min().unwrap_or(clock);
        Some((clock.min(self.now) - slowest).max(0))
    }

    /// Each assigned partition, in order.
    pub fn status(&self) -> impl Iterator<Item = PartitionStatus> + '_ {
        self.partitions.iter().map(|(source, state)| PartitionStatus {
            source: source.clone(),
            end: state.end,
            clock: state.clock,
            idle: state.idle,
            counters: state.counters,
        })
    }

    /// A partition's state as bytes, for [`Charts::restore`]; none if it is not assigned, or lacks a part of what it should hold.
    pub fn snapshot(&mut self, source: &Source) -> Option<Vec<u8>> {
        let state = self.partitions.get_mut(source).filter(|state| !state.partial)?;
        snapshot::write(source, &self.settings, &self.tables, state)
    }

    /// Takes on a partition with the state that `bytes` holds, in place of what was held of it; returns its end.
    ///
    /// # Errors
    /// The bytes are no snapshot of this partition under these settings and this format; nothing was changed.
    pub fn restore(&mut self, source: &Source, bytes: &[u8]) -> Result<i64, SnapshotError> {
        let state = snapshot::read(source, &self.settings, &mut self.tables, bytes)?;
        let end = state.end;
        self.partitions.insert(source.clone(), state);
        self.partitions_changed();
        self.compact_if_large();
        Ok(end)
    }

    /// How many partitions an answer over `panes` holds whole: not one that still lacks a part, nor one that keeps no pane so old.
    pub(super) fn coverage(&self, panes: Option<&Range<i64>>) -> Coverage {
        let held = self.partitions.len();
        let keeps = |state: &PartitionState| match (panes, state.first_kept(&self.settings)) {
            (Some(panes), Some(first)) => first <= panes.start,
            _ => true,
        };
        let covered = self.partitions.values().filter(|state| !state.partial && keeps(state)).count();
        Coverage { covered, total: self.topics.values().sum::<usize>().max(held) }
    }

    fn partitions_changed(&mut self) {
        self.remaps.purge();
        self.announced = self.computed_watermark();
    }

    fn advance(&mut self) {
        self.announced = self.announced.max(self.computed_watermark());
    }

    fn computed_watermark(&self) -> Option<i64> {
        let live = || self.partitions.values().filter(|state| !state.idle);
        let clock = if live().next().is_none() {
            self.newest()
        } else {
            live().map(|state| state.clock).min().flatten()
        };
        clock.map(|clock| clock.min(self.now) - self.settings.lateness)
    }

    /// Looks for what no pane refers to in the interners once they have doubled since the last time, so that the
    /// cost stays in proportion to what was added; drops it if it is half of them.
    fn compact_if_large(&mut self) {
        if self.tables.len() < self.compact_at {
            return;
        }
        let live = self.live();
        if 2 * live.len() <= self.tables.len() {
            self.compact(&live);
        }
        self.compact_at = (2 * self.tables.len()).max(MIN_ENTRIES);
    }

    pub(super) fn live(&self) -> Live {
        let mut live = self.tables.no_live();
        for (_, pane) in self.partitions.values().flat_map(|state| state.panes.iter()) {
            pane.mark(&mut live);
        }
        live
    }

    pub(super) fn compact(&mut self, live: &Live) {
        let renumbering = self.tables.compact(live);
        for pane in self.partitions.values_mut().flat_map(|state| state.panes.iter_mut()) {
            pane.renumber(&renumbering);
        }
        self.remaps.renumber(&renumbering);
        self.search.reset();
        self.remaps.purge();
    }
}
