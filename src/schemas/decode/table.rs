//! Open-addressing tables from spellings to dictionary keys, laid out so that a lookup touches few cache lines and so
//! that those can be asked for ahead of the lookup.
//!
//! A record's strings are looked up once the whole record is scanned. The tables of one partition outgrow the nearer
//! caches, so without asking ahead each lookup waits for memory.

use super::intern::Keys;
use super::scan::prefetch;

/// Slots of a table that holds something.
const MIN_SLOTS: usize = 16;

/// Whether `len` entries are as many as `slots` slots should hold.
fn is_full(len: usize, slots: usize) -> bool {
    4 * (len + 1) > 3 * slots
}

/// Something that can stand in a slot.
trait Slot: Copy {
    const EMPTY: Self;

    fn is_empty(&self) -> bool;
}

/// Slots with linear probing; their number is a power of two, or none at first.
#[derive(Debug)]
struct Slots<S> {
    slots: Vec<S>,
    len: usize,
}

impl<S: Slot> Slots<S> {
    const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    fn heap_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<S>()
    }

    #[inline(always)]
    fn prefetch(&self, hash: u64) {
        if let Some(slot) = self.slots.get(self.first(hash)) {
            prefetch(slot);
        }
    }

    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline(always)]
    fn find(&self, hash: u64, is_it: impl Fn(&S) -> bool) -> Option<&S> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots.get(at)?;
            if is_it(slot) {
                return Some(slot);
            }
            if slot.is_empty() {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds what is not there yet.
    fn insert(&mut self, hash: u64, slot: S, hash_of: impl Fn(&S) -> u64) {
        if is_full(self.len, self.slots.len()) {
            let more = (2 * self.slots.len()).max(MIN_SLOTS);
            let old = std::mem::replace(&mut self.slots, vec![S::EMPTY; more]);
            for slot in old.into_iter().filter(|slot| !slot.is_empty()) {
                self.place(hash_of(&slot), slot);
            }
        }
        self.place(hash, slot);
        self.len += 1;
    }

    fn place(&mut self, hash: u64, slot: S) {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize & mask;
        while let Some(there) = self.slots.get_mut(at) {
            if there.is_empty() {
                *there = slot;
                return;
            }
            at = (at + 1) & mask;
        }
    }
}

/// A spelling of at most [`super::intern::SHORT`] bytes, packed.
#[derive(Debug, Clone, Copy)]
struct ShortSlot {
    spelling: [u64; 2],
    keys: Keys,
}

impl Slot for ShortSlot {
    // The highest byte of a packed spelling is its length, which is never 255.
    const EMPTY: Self = Self { spelling: [u64::MAX; 2], keys: Keys { text: 0, raw: 0 } };

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.spelling == Self::EMPTY.spelling
    }
}

/// Keys of packed spellings.
#[derive(Debug)]
pub(super) struct ShortTable {
    slots: Slots<ShortSlot>,
    seeds: [u64; 2],
}

impl ShortTable {
    /// An empty table; `seeds` must be odd.
    pub(super) fn new(seeds: [u64; 2]) -> Self {
        Self { slots: Slots::new(), seeds }
    }

    /// Bytes of memory held besides the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.heap_bytes()
    }

    /// Asks for the memory that [`ShortTable::find`] will look at; returns the hash to give it.
    #[inline(always)]
    pub(super) fn prefetch(&self, spelling: [u64; 2]) -> u64 {
        let hash = hash_short(self.seeds, spelling);
        self.slots.prefetch(hash);
        hash
    }

    #[inline(always)]
    pub(super) fn find(&self, hash: u64, spelling: [u64; 2]) -> Option<Keys> {
        self.slots.find(hash, |slot| slot.spelling == spelling).map(|slot| slot.keys)
    }

    /// Adds a spelling that is not there yet.
    pub(super) fn insert(&mut self, spelling: [u64; 2], keys: Keys) {
        let seeds = self.seeds;
        let hash_of = |slot: &ShortSlot| hash_short(seeds, slot.spelling);
        self.slots.insert(hash_short(seeds, spelling), ShortSlot { spelling, keys }, hash_of);
    }
}

/// 2⁶⁴ by the golden ratio: the upper bits of a product with it are spread well (Fibonacci hashing).
pub(super) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A multiplication, both halves of whose product count, and another one.
///
/// Spellings of one length have the same `high` if they have at most eight bytes, so one multiplication would be by a
/// constant: with one seed in thirty it sends numbered names ("First1", "First2") to few places.
#[inline(always)]
fn hash_short(seeds: [u64; 2], [low, high]: [u64; 2]) -> u64 {
    let product = u128::from(low ^ seeds[0]) * u128::from(high ^ seeds[1]);
    (product as u64 ^ (product >> 64) as u64).wrapping_mul(GOLDEN) >> 32
}

/// Where a longer spelling stands in the arena.
#[derive(Debug, Clone, Copy)]
struct LongSlot {
    hash: u64,
    start: u32,
    /// No spelling is this short, so 0 says that the slot is empty.
    len: u32,
    keys: Keys,
}

impl Slot for LongSlot {
    const EMPTY: Self = Self { hash: 0, start: 0, len: 0, keys: Keys { text: 0, raw: 0 } };

    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// Keys of longer spellings, and the spellings.
#[derive(Debug)]
pub(super) struct LongTable {
    slots: Slots<LongSlot>,
    arena: Vec<u8>,
}

impl LongTable {
    pub(super) const fn new() -> Self {
        Self { slots: Slots::new(), arena: Vec::new() }
    }

    /// Bytes of memory held besides the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        self.slots.heap_bytes() + self.arena.capacity()
    }

    /// Asks for the slot that [`LongTable::prefetch_spelling`] and [`LongTable::find`] will look at.
    #[inline(always)]
    pub(super) fn prefetch_slot(&self, hash: u64) {
        self.slots.prefetch(hash);
    }

    /// Asks for the beginning of the spelling that [`LongTable::find`] will most likely compare.
    #[inline(always)]
    pub(super) fn prefetch_spelling(&self, hash: u64) {
        if let Some(slot) = self.slots.slots.get(self.slots.first(hash))
            && let Some(byte) = self.arena.get(slot.start as usize)
        {
            prefetch(byte);
        }
    }

    #[inline(always)]
    pub(super) fn find(&self, hash: u64, spelling: &[u8]) -> Option<Keys> {
        let is_it = |slot: &LongSlot| {
            slot.hash == hash && slot.len as usize == spelling.len() && slice(&self.arena, slot) == spelling
        };
        self.slots.find(hash, is_it).map(|slot| slot.keys)
    }

    /// Adds a spelling, not empty, that is not there yet. One past the arena's 4 GiB is not kept: its text gets another key each
    /// time.
    pub(super) fn insert(&mut self, hash: u64, spelling: &[u8], keys: Keys) {
        let (Ok(start), Ok(len)) = (u32::try_from(self.arena.len()), u32::try_from(spelling.len())) else {
            return;
        };
        self.arena.extend_from_slice(spelling);
        self.slots.insert(hash, LongSlot { hash, start, len, keys }, |slot| slot.hash);
    }
}

fn slice<'a>(arena: &'a [u8], slot: &LongSlot) -> &'a [u8] {
    let start = slot.start as usize;
    arena.get(start..start + slot.len as usize).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn mean_probes(seeds: [u64; 2], spellings: &[[u64; 2]]) -> f64 {
        let mut table = ShortTable::new(seeds);
        spellings.iter().for_each(|&spelling| table.insert(spelling, Keys { text: 0, raw: 0 }));
        let places = table.slots.slots.len();
        let probes = |(at, slot): (usize, &ShortSlot)| {
            (!slot.is_empty()).then(|| {
                let first = table.slots.first(hash_short(seeds, slot.spelling));
                1 + (at + places - first) % places
            })
        };
        let all: usize = table.slots.slots.iter().enumerate().filter_map(probes).sum();
        all as f64 / spellings.len() as f64
    }

    #[test]
    fn numbered_names_are_found_in_few_probes_whatever_the_seeds() {
        let mut dice = fastrand::Rng::with_seed(1);
        for name in ["First", "Last", "City ", ""] {
            let spellings: Vec<[u64; 2]> = (0..3000)
                .map(|number| super::super::intern::pack(format!("{name}{number}").as_bytes()))
                .collect();
            for _ in 0..100 {
                let seeds = [dice.u64(..) | 1, dice.u64(..) | 1];
                let probes = mean_probes(seeds, &spellings);
                assert!(probes < 3.5, "{name}: {probes:.2} with {seeds:x?}");
            }
        }
    }

    proptest! {
        #[test]
        fn tables_hold_what_a_map_holds(
            spellings in prop::collection::vec("[ab]{1,15}", 1..200), hash_bits in 0u32..8,
        ) {
            // Few distinct hashes: long runs of probes.
            let hash = |text: &str| text.len() as u64 & ((1 << hash_bits) - 1);
            let (mut short, mut long) = (ShortTable::new([3, 5]), LongTable::new());
            let mut map = HashMap::new();
            for (number, text) in spellings.iter().enumerate() {
                let keys = Keys { text: number as u32, raw: 7 };
                let packed = super::super::intern::pack(text.as_bytes());
                prop_assert_eq!(short.find(short.prefetch(packed), packed), map.get(text).copied());
                prop_assert_eq!(long.find(hash(text), text.as_bytes()), map.get(text).copied());
                if !map.contains_key(text) {
                    short.insert(packed, keys);
                    long.insert(hash(text), text.as_bytes(), keys);
                    map.insert(text.clone(), keys);
                }
                long.prefetch_slot(hash(text));
                long.prefetch_spelling(hash(text));
            }
            prop_assert_eq!((short.slots.len, long.slots.len), (map.len(), map.len()));
            for (text, keys) in &map {
                let packed = super::super::intern::pack(text.as_bytes());
                prop_assert_eq!(short.find(short.prefetch(packed), packed), Some(*keys));
                prop_assert_eq!(long.find(hash(text), text.as_bytes()), Some(*keys));
            }
        }
    }
}
