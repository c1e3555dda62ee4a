//! Interning of small tuples of text ids: a number for each distinct tuple.

use hashbrown::HashMap;

/// No tuple has this number.
const NONE: u32 = u32::MAX;

/// Places of profiles: more than there are states.
const PROFILE_PLACES: usize = 256;

/// Tuples of text ids, numbered from 0 as they come.
#[derive(Debug)]
pub struct Tuples<const N: usize> {
    numbers: HashMap<[u32; N], u32, foldhash::fast::RandomState>,
    tuples: Vec<[u32; N]>,
    /// By place: the tuple met there last and its number, which spares most look-ups in `numbers`.
    last: Vec<([u32; N], u32)>,
}

impl<const N: usize> Default for Tuples<N> {
    fn default() -> Self {
        Self { numbers: HashMap::default(), tuples: Vec::new(), last: Vec::new() }
    }
}

impl<const N: usize> Tuples<N> {
    /// The tuple's number. `place` may be any small number that equal tuples have in common and few others.
    #[inline]
    pub fn number(&mut self, tuple: [u32; N], place: usize) -> u32 {
        match self.last.get(place) {
            Some((last, number)) if *last == tuple && *number != NONE => *number,
            _ => self.find(tuple, place),
        }
    }

    fn find(&mut self, tuple: [u32; N], place: usize) -> u32 {
        let Self { numbers, tuples, last } = self;
        let number = *numbers.entry(tuple).or_insert_with(|| {
            tuples.push(tuple);
            (tuples.len() - 1) as u32
        });
        if place >= last.len() {
            last.resize((place + 1).next_power_of_two(), ([NONE; N], NONE));
        }
        if let Some(slot) = last.get_mut(place) {
            *slot = (tuple, number);
        }
        number
    }

    /// The tuple with this number.
    #[inline]
    pub fn get(&self, number: u32) -> Option<[u32; N]> {
        self.tuples.get(number as usize).copied()
    }

    /// All tuples in the order of their numbers.
    pub fn all(&self) -> &[[u32; N]] {
        &self.tuples
    }
}

impl Tuples<3> {
    /// The number of a (level, gender, state). There are few such, so that looking them up stays in the nearest cache.
    #[inline]
    pub fn profile_number(&mut self, profile: [u32; 3]) -> u32 {
        let [level, gender, state] = profile;
        self.number(profile, (level ^ gender << 1 ^ state << 2) as usize % PROFILE_PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equal_tuples_have_one_number_wherever_they_are_looked_up(
            met in prop::collection::vec((prop::array::uniform3(0u32..4), 0usize..3), 1..200),
        ) {
            let mut tuples = Tuples::default();
            for (tuple, place) in &met {
                let number = tuples.number(*tuple, *place);
                prop_assert_eq!(tuples.get(number), Some(*tuple));
            }
            let distinct: std::collections::HashSet<_> = met.iter().map(|(tuple, _)| tuple).collect();
            prop_assert_eq!(tuples.all().len(), distinct.len());
        }
    }

    #[test]
    fn a_tuple_of_nothing_is_one_too() {
        let mut tuples = Tuples::default();
        assert_eq!(tuples.profile_number([u32::MAX; 3]), 0);
        assert_eq!(tuples.profile_number([1, 2, 3]), 1);
        assert_eq!(tuples.profile_number([u32::MAX; 3]), 0);
    }
}
