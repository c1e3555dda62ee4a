//! Who is next: a timing wheel of one-second slots over lists that run through the listeners themselves.
//!
//! Within a second the order is that of insertion, so the order of all events is the same on every machine.
//! Filing and taking are O(1), where a heap of a million listeners needs twenty random accesses.

/// End of a list.
const NONE: u32 = u32::MAX;

/// Slots of a level, as a power of two.
const BITS: u32 = 12;
const SLOTS: usize = 1 << BITS;
const MASK: u64 = SLOTS as u64 - 1;

#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    last: u32,
}

const EMPTY: List = List { first: NONE, last: NONE };

/// One bit for each slot of a wheel: whether it holds anyone.
#[derive(Debug)]
struct Filled([u64; SLOTS / 64]);

impl Filled {
    fn set(&mut self, slot: usize, filled: bool) {
        if let Some(word) = self.0.get_mut(slot / 64) {
            let bit = 1 << (slot % 64);
            *word = if filled { *word | bit } else { *word & !bit };
        }
    }

    /// The first filled slot from `slot` on.
    fn from(&self, slot: usize) -> Option<usize> {
        let first = self.0.get(slot / 64)? & (u64::MAX << (slot % 64));
        let later = self.0.iter().enumerate().skip(slot / 64 + 1).map(|(index, &word)| (index, word));
        let (index, word) = std::iter::once((slot / 64, first)).chain(later).find(|(_, word)| *word != 0)?;
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}

/// Two wheels, of seconds and of 4,096 seconds, and a list of what lies beyond their 194 days.
#[derive(Debug)]
pub(super) struct Queue {
    /// No event is before this second.
    now: u64,
    seconds: Vec<List>,
    seconds_filled: Filled,
    spans: Vec<List>,
    spans_filled: Filled,
    beyond: Vec<(u64, u32)>,
    /// Next in its list, and the second, by listener.
    next: Vec<u32>,
    when: Vec<u64>,
    len: usize,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            now: 0,
            seconds: vec![EMPTY; SLOTS],
            seconds_filled: Filled([0; SLOTS / 64]),
            spans: vec![EMPTY; SLOTS],
            spans_filled: Filled([0; SLOTS / 64]),
            beyond: Vec::new(),
            next: Vec::new(),
            when: Vec::new(),
            len: 0,
        }
    }

    /// Files `user` under `second`; a second already past counts as now.
    pub(super) fn push(&mut self, user: u32, second: u64) {
        let needed = user as usize + 1;
        if self.next.len() < needed {
            self.next.resize(needed, NONE);
            self.when.resize(needed, 0);
        }
        self.len += 1;
        self.file(user, second.max(self.now));
    }

    fn file(&mut self, user: u32, second: u64) {
        if let Some(when) = self.when.get_mut(user as usize) {
            *when = second;
        }
        let (wheel, filled, slot) = if second >> BITS == self.now >> BITS {
            (&mut self.seconds, &mut self.seconds_filled, second & MASK)
        } else if second >> (2 * BITS) == self.now >> (2 * BITS) {
            (&mut self.spans, &mut self.spans_filled, (second >> BITS) & MASK)
        } else {
            self.beyond.push((second, user));
            return;
        };
        filled.set(slot as usize, true);
        let Some(list) = wheel.get_mut(slot as usize) else { return };
        let before = std::mem::replace(&mut list.last, user);
        if before == NONE {
            list.first = user;
        } else if let Some(next) = self.next.get_mut(before as usize) {
            *next = user;
        }
        if let Some(next) = self.next.get_mut(user as usize) {
            *next = NONE;
        }
    }

    /// The first listener and its second, if that is before `limit`.
    pub(super) fn pop(&mut self, limit: u64) -> Option<(u32, u64)> {
        let second = self.peek(limit)?;
        let list = self.seconds.get_mut((second & MASK) as usize)?;
        let user = list.first;
        list.first = *self.next.get(user as usize)?;
        if list.first == NONE {
            list.last = NONE;
            self.seconds_filled.set((second & MASK) as usize, false);
        }
        self.len -= 1;
        Some((user, second))
    }

    /// The second of the first listener, if that is before `limit`. Moves on to it, else to `limit` at most.
    pub(super) fn peek(&mut self, limit: u64) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        while self.now < limit {
            let filled = self.seconds_filled.from((self.now & MASK) as usize);
            let next = match filled {
                Some(slot) => (self.now & !MASK) + slot as u64,
                None => self.next_span(),
            };
            if next > limit || (next == limit && filled.is_some()) {
                // Not further: what is filed later may lie between.
                self.now = limit;
                return None;
            }
            self.now = next;
            if filled.is_some() {
                return Some(next);
            }
            self.enter_span();
        }
        None
    }

    /// First second of the next span that may hold anyone.
    fn next_span(&self) -> u64 {
        let span = self.now >> BITS;
        let next = (span & MASK) as usize + 1;
        match self.spans_filled.from(next).filter(|_| next < SLOTS) {
            Some(slot) => ((span & !MASK) + slot as u64) << BITS,
            // Into the next turn of the wheel, where those beyond may be.
            None => ((span | MASK) + 1) << BITS,
        }
    }

    /// Spreads what lies in the span that begins now over its seconds.
    fn enter_span(&mut self) {
        if self.now & ((1 << (2 * BITS)) - 1) == 0 {
            let beyond = std::mem::take(&mut self.beyond);
            for (second, user) in beyond {
                self.file(user, second);
            }
        }
        let slot = ((self.now >> BITS) & MASK) as usize;
        self.spans_filled.set(slot, false);
        let Some(list) = self.spans.get_mut(slot) else { return };
        let mut user = std::mem::replace(list, EMPTY).first;
        while let (Some(&next), Some(&when)) = (self.next.get(user as usize), self.when.get(user as usize)) {
            self.file(user, when);
            user = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The same order as a map from second to listeners in order of insertion.
        #[test]
        fn order_is_that_of_time_and_insertion(
            steps in prop::collection::vec((0u64..40_000_000, prop::bool::weighted(0.6), 0u32..3), 1..200),
        ) {
            let (mut queue, mut oracle) = (Queue::new(), BTreeMap::<(u64, usize), u32>::new());
            let mut free: Vec<u32> = (0..200).collect();
            let mut now = 0;
            for (turn, (ahead, insert, shrink)) in steps.into_iter().enumerate() {
                if insert {
                    let Some(user) = free.pop() else { continue };
                    let second = now + (ahead >> (shrink * 10));
                    queue.push(user, second);
                    oracle.insert((second, turn), user);
                } else {
                    let expected = oracle.pop_first();
                    let found = queue.pop(u64::MAX);
                    prop_assert_eq!(found, expected.map(|((second, _), user)| (user, second)));
                    if let Some((user, second)) = found {
                        now = second;
                        free.push(user);
                    }
                }
            }
        }

        /// A limit gives nothing at or after it, and nothing is lost by it.
        #[test]
        fn limits_hold_back(seconds in prop::collection::vec(0u64..20_000_000, 1..50), step in 1u64..9_000_000) {
            let mut queue = Queue::new();
            for (user, &second) in seconds.iter().enumerate() {
                queue.push(user as u32, second);
            }
            let (mut limit, mut got) = (0, Vec::new());
            while got.len() < seconds.len() {
                limit += step;
                while let Some((_, second)) = queue.pop(limit) {
                    prop_assert!(second < limit);
                    got.push(second);
                }
                prop_assert_eq!(got.len(), seconds.iter().filter(|&&second| second < limit).count());
            }
        }
    }
}
