//! One minute of one partition, and the run of them that a partition keeps.

use std::collections::VecDeque;
use std::ops::Range;

use super::intern::{Live, Renumbering};
use crate::radix::{self, Digits};

/// Tails shorter than this are not worth settling before the pane is sealed.
const MIN_TAIL: usize = 1 << 14;

/// A set that is appended to: a sorted, distinct head and a tail as it came, folded in when as long as the head.
#[derive(Debug, Clone)]
pub(super) struct Runs<T> {
    items: Vec<T>,
    sorted: usize,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Self { items: Vec::new(), sorted: 0 }
    }
}

impl<T: Digits> Runs<T> {
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
        if self.items.len() - self.sorted >= self.sorted.max(MIN_TAIL) {
            self.settle();
        }
    }

    /// Folds the tail in.
    pub(super) fn settle(&mut self) {
        if sort_tail(&mut self.items, self.sorted) {
            self.items.dedup();
            self.sorted = self.items.len();
        }
    }

    fn shrink(&mut self) {
        self.settle();
        self.items.shrink_to_fit();
    }

    /// All members; those of the tail may repeat.
    #[inline]
    pub(super) fn items(&self) -> &[T] {
        &self.items
    }

    /// Members within `range` of the head, and the whole tail.
    pub(super) fn head_between_and_tail(&self, range: Range<T>) -> (&[T], &[T]) {
        let (head, tail) = self.items.split_at(self.sorted);
        let from = head.partition_point(|item| *item < range.start);
        let len = head[from..].partition_point(|item| *item < range.end);
        (&head[from..from + len], tail)
    }

    fn map(&mut self, to: impl Fn(T) -> T) {
        self.items.iter_mut().for_each(|item| *item = to(*item));
    }
}

/// Plays of one song within one pane, packed so that order is by song: `song << 32 | last << 16 | plays`, where `last` is
/// the event time of the last play, ms since the pane's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SongPlays(u64);

impl Digits for SongPlays {
    #[inline(always)]
    fn differing(self, other: Self) -> u128 {
        self.0.differing(other.0)
    }

    #[inline(always)]
    fn shifted(self, shift: u32) -> usize {
        self.0.shifted(shift)
    }
}

impl SongPlays {
    pub(super) fn new(song: u32, last: u16, plays: u16) -> Self {
        Self(u64::from(song) << 32 | u64::from(last) << 16 | u64::from(plays))
    }

    #[inline]
    pub(super) fn song(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    pub(super) fn last(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline]
    pub(super) fn plays(self) -> u16 {
        self.0 as u16
    }

    /// Both together, if they are of one song and their plays still fit.
    fn join(self, other: Self) -> Option<Self> {
        let plays = self.plays().checked_add(other.plays())?;
        (self.song() == other.song()).then(|| Self::new(self.song(), self.last().max(other.last()), plays))
    }
}

/// Plays of all songs of a pane: joined ones in order of song, and a tail as it came. A song may have several entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Plays {
    entries: Vec<SongPlays>,
    sorted: usize,
}

impl Plays {
    #[inline]
    pub(super) fn push(&mut self, entry: SongPlays) {
        self.entries.push(entry);
        if self.entries.len() - self.sorted >= self.sorted.max(MIN_TAIL) {
            self.settle();
        }
    }

    /// Folds the tail in.
    pub(super) fn settle(&mut self) {
        if sort_tail(&mut self.entries, self.sorted) {
            self.entries.dedup_by(|next, kept| match kept.join(*next) {
                Some(joined) => {
                    *kept = joined;
                    true
                }
                None => false,
            });
            self.sorted = self.entries.len();
        }
    }

    fn shrink(&mut self) {
        self.settle();
        self.entries.shrink_to_fit();
    }

    /// Every entry; a song may come more than once.
    #[inline]
    pub(super) fn entries(&self) -> &[SongPlays] {
        &self.entries
    }

    /// Rewrites the songs; `to` must be monotone.
    fn map(&mut self, to: impl Fn(u32) -> u32) {
        for entry in &mut self.entries {
            *entry = SongPlays::new(to(entry.song()), entry.last(), entry.plays());
        }
    }
}

/// Sorts `items`, whose first `sorted` are in order; says whether there was anything to do.
fn sort_tail<T: Digits>(items: &mut [T], sorted: usize) -> bool {
    if sorted >= items.len() {
        return false;
    }
    radix::sort(&mut items[sorted..]);
    if sorted > 0 {
        // The stable sort finds the two sorted runs and merges them.
        items.sort();
    }
    true
}

/// One minute of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Pane {
    /// Unique within the tables; 0 until rows are counted. See [`super::intern::Tables::enters_pane`].
    pub(super) number: u32,
    /// Late records folded in.
    pub(super) late: u64,
    pub(super) plays: Plays,
    /// `song << 32 | user`
    pub(super) listeners: Runs<u64>,
    /// Combination ids, see [`super::intern::Combination`].
    pub(super) active: Runs<u32>,
}

impl Pane {
    /// Folds all tails in, keeping the room for more.
    pub(super) fn settle(&mut self) {
        self.plays.settle();
        self.listeners.settle();
        self.active.settle();
    }

    /// Folds all tails in and gives back the room.
    pub(super) fn shrink(&mut self) {
        self.plays.shrink();
        self.listeners.shrink();
        self.active.shrink();
    }

    /// Marks what the pane refers to.
    pub(super) fn mark(&self, live: &mut Live) {
        for plays in self.plays.entries() {
            live.songs.insert(plays.song());
        }
        for &id in self.active.items() {
            live.combinations.insert(id);
        }
    }

    /// Rewrites all ids. The renumbering is monotone, so order is kept.
    pub(super) fn renumber(&mut self, new: &Renumbering) {
        let to = |ids: &[u32], id: u32| ids.get(id as usize).copied().unwrap_or(u32::MAX);
        self.plays.map(|song| to(&new.songs, song));
        self.listeners.map(|pair| {
            let (song, user) = (to(&new.songs, (pair >> 32) as u32), to(&new.users, pair as u32));
            u64::from(song) << 32 | u64::from(user)
        });
        self.active.map(|id| to(&new.combinations, id));
    }
}

/// A run of panes, dense in time: slot `i` is minute `base + i`.
#[derive(Debug, Clone, Default)]
pub(super) struct Panes {
    base: i64,
    slots: VecDeque<Option<Box<Pane>>>,
}

impl Panes {
    /// The pane of `minute`, made if absent. The caller bounds the distance to the other panes.
    #[inline]
    pub(super) fn at(&mut self, minute: i64) -> &mut Pane {
        if self.slots.is_empty() {
            self.base = minute;
        }
        while minute < self.base {
            self.slots.push_front(None);
            self.base -= 1;
        }
        let slot = (minute - self.base) as usize;
        if slot >= self.slots.len() {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot].get_or_insert_default()
    }

    /// Drops the panes before `minute`.
    pub(super) fn drop_before(&mut self, minute: i64) {
        let gone = minute.saturating_sub(self.base).clamp(0, self.slots.len() as i64);
        self.slots.drain(..gone as usize);
        self.base += gone;
    }

    fn slots_between(&self, minutes: &Range<i64>) -> Range<usize> {
        let slot = |minute: i64| minute.saturating_sub(self.base).clamp(0, self.slots.len() as i64) as usize;
        let from = slot(minutes.start);
        from..slot(minutes.end).max(from)
    }

    /// The panes of `minutes` that hold anything, in order.
    pub(super) fn between(&self, minutes: &Range<i64>) -> impl Iterator<Item = (i64, &Pane)> {
        let slots = self.slots_between(minutes);
        let first = self.base + slots.start as i64;
        (first..).zip(self.slots.range(slots)).filter_map(|(at, slot)| Some((at, slot.as_deref()?)))
    }

    /// The same, to change them.
    pub(super) fn between_mut(&mut self, minutes: &Range<i64>) -> impl Iterator<Item = &mut Pane> {
        let slots = self.slots_between(minutes);
        self.slots.range_mut(slots).filter_map(|slot| slot.as_deref_mut())
    }

    /// All panes that hold anything, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Pane)> {
        self.between(&(i64::MIN..i64::MAX))
    }

    /// The same, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pane> {
        self.between_mut(&(i64::MIN..i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn runs_are_a_set_through_all_settling(items in prop::collection::vec(0..900_u64, 0..40_000)) {
            let mut runs = Runs::default();
            items.iter().for_each(|&item| runs.push(item));
            let expected: BTreeSet<u64> = items.iter().copied().collect();
            prop_assert_eq!(runs.items().iter().copied().collect::<BTreeSet<_>>(), expected.clone());
            let (head, tail) = runs.head_between_and_tail(100..200);
            let between: BTreeSet<u64> = head.iter().chain(tail).copied().filter(|item| (100..200).contains(item)).collect();
            prop_assert!(head.iter().all(|item| (100..200).contains(item)));
            prop_assert_eq!(between, expected.range(100..200).copied().collect::<BTreeSet<_>>());
            runs.shrink();
            prop_assert_eq!(runs.items(), expected.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn plays_add_up_through_all_settling(items in prop::collection::vec((0..400_u32, 0..60_000_u16), 0..40_000)) {
            let mut plays = Plays::default();
            let mut expected: BTreeMap<u32, (u32, u16)> = BTreeMap::new();
            for &(song, ms) in &items {
                plays.push(SongPlays::new(song, ms, 1));
                let entry = expected.entry(song).or_default();
                *entry = (entry.0 + 1, entry.1.max(ms));
            }
            let total: u64 = plays.entries().iter().map(|entry| u64::from(entry.plays())).sum();
            prop_assert_eq!(total, items.len() as u64);
            plays.shrink();
            let got: Vec<_> =
                plays.entries().iter().map(|entry| (entry.song(), (u32::from(entry.plays()), entry.last()))).collect();
            prop_assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn more_plays_than_an_entry_holds_take_several() {
        let mut plays = Plays::default();
        (0..200_000_u32).for_each(|number| plays.push(SongPlays::new(number % 2, (number % 7) as u16, 1)));
        plays.shrink();
        for song in [0, 1] {
            let of_song = plays.entries().iter().filter(|entry| entry.song() == song);
            assert_eq!(of_song.clone().map(|entry| u32::from(entry.plays())).sum::<u32>(), 100_000);
            assert_eq!(of_song.map(|entry| entry.last()).max(), Some(6));
        }
        assert!(plays.entries().len() < 10);
    }
}
