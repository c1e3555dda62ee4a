//! One minute of one partition, and the run of them that a partition keeps.

use std::collections::VecDeque;
use std::ops::Range;

use super::intern::{Live, Renumbering};

/// Tails shorter than this are not worth settling.
const MIN_TAIL: usize = 256;

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

impl<T: Ord + Copy> Runs<T> {
    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
        if self.items.len() - self.sorted >= self.sorted.max(MIN_TAIL) {
            self.settle();
        }
    }

    /// Folds the tail in.
    pub(super) fn settle(&mut self) {
        if self.sorted < self.items.len() {
            self.items[self.sorted..].sort_unstable();
            // The stable sort finds the two sorted runs and merges them.
            self.items.sort();
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

/// Plays of one song within one pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SongPlays {
    pub(super) song: u32,
    pub(super) plays: u32,
    /// Event time of the last play, ms since the pane's start.
    pub(super) last: u16,
}

/// Plays of all songs of a pane: counted ones in order of song, and a tail of single plays.
#[derive(Debug, Clone, Default)]
pub(super) struct Plays {
    counted: Vec<SongPlays>,
    /// `song << 16 | ms`
    tail: Vec<u64>,
}

impl Plays {
    /// One play; `ms` since the pane's start.
    #[inline]
    pub(super) fn push(&mut self, song: u32, ms: u16) {
        self.tail.push(u64::from(song) << 16 | u64::from(ms));
        if self.tail.len() >= self.counted.len().max(MIN_TAIL) {
            self.settle();
        }
    }

    /// Takes plays counted elsewhere, each song once, in place of what is here.
    pub(super) fn set(&mut self, mut counted: Vec<SongPlays>) {
        counted.sort_unstable_by_key(|plays| plays.song);
        self.counted = Vec::with_capacity(counted.len());
        self.tail = Vec::new();
        for plays in counted {
            self.append(plays);
        }
    }

    fn append(&mut self, plays: SongPlays) {
        match self.counted.last_mut() {
            Some(last) if last.song == plays.song => add(last, plays),
            _ => self.counted.push(plays),
        }
    }

    pub(super) fn settle(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        self.tail.sort_unstable();
        let head = std::mem::take(&mut self.counted);
        let tail = std::mem::take(&mut self.tail);
        self.counted.reserve(head.len() + tail.len());
        let mut head = head.into_iter().peekable();
        for single in tail.iter().map(|&packed| single(packed)) {
            while let Some(plays) = head.next_if(|plays| plays.song <= single.song) {
                self.append(plays);
            }
            self.append(single);
        }
        for plays in head {
            self.append(plays);
        }
        self.tail = tail;
        self.tail.clear();
    }

    fn shrink(&mut self) {
        self.settle();
        self.counted.shrink_to_fit();
        self.tail = Vec::new();
    }

    /// Every entry; a song may come more than once.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = SongPlays> + '_ {
        self.counted.iter().copied().chain(self.tail.iter().map(|&packed| single(packed)))
    }
}

fn single(packed: u64) -> SongPlays {
    SongPlays { song: (packed >> 16) as u32, plays: 1, last: packed as u16 }
}

fn add(to: &mut SongPlays, plays: SongPlays) {
    to.plays = to.plays.saturating_add(plays.plays);
    to.last = to.last.max(plays.last);
}

/// One minute of one partition.
#[derive(Debug, Clone, Default)]
pub(super) struct Pane {
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
        for plays in self.plays.iter() {
            live.songs.insert(plays.song);
        }
        for &id in self.active.items() {
            live.combinations.insert(id);
        }
    }

    /// Rewrites all ids. The renumbering is monotone, so order is kept.
    pub(super) fn renumber(&mut self, new: &Renumbering) {
        let to = |ids: &[u32], id: u32| ids.get(id as usize).copied().unwrap_or(u32::MAX);
        self.plays.settle();
        for plays in &mut self.plays.counted {
            plays.song = to(&new.songs, plays.song);
        }
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
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn runs_are_a_set_through_all_settling(items in prop::collection::vec(0..900_u64, 0..3000)) {
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
        fn plays_add_up_through_all_settling(items in prop::collection::vec((0..400_u32, 0..60_000_u16), 0..3000)) {
            let mut plays = Plays::default();
            let mut expected: BTreeMap<u32, (u32, u16)> = BTreeMap::new();
            for &(song, ms) in &items {
                plays.push(song, ms);
                let entry = expected.entry(song).or_default();
                *entry = (entry.0 + 1, entry.1.max(ms));
            }
            let total: u64 = plays.iter().map(|entry| u64::from(entry.plays)).sum();
            prop_assert_eq!(total, items.len() as u64);
            plays.shrink();
            let got: Vec<_> = plays.iter().map(|entry| (entry.song, (entry.plays, entry.last))).collect();
            prop_assert_eq!(got, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
