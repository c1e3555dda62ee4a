//! Sorting many numbers that differ in few of their bits, as packed ids do: digit by digit, which compares nothing.

/// Bits of a digit: its counts then stay in the first-level cache.
const DIGIT_BITS: u32 = 11;
const DIGITS: usize = 1 << DIGIT_BITS;

/// Fewer items are sorted sooner by comparing them.
const MIN_ITEMS: usize = 1 << 11;

/// With more digits than this, comparing is quicker again.
const MAX_PASSES: usize = 6;

/// A number whose order is that of its bits.
pub trait Digits: Copy + Ord {
    /// The bits in which it differs from `other`.
    fn differing(self, other: Self) -> u128;

    /// The lowest bits after `shift` of them; what is above a digit does not matter.
    fn shifted(self, shift: u32) -> usize;
}

macro_rules! number {
    ($($number:ty)*) => { $(
        impl Digits for $number {
            #[inline(always)]
            fn differing(self, other: Self) -> u128 {
                u128::from(self ^ other)
            }

            #[inline(always)]
            fn shifted(self, shift: u32) -> usize {
                (self >> shift) as usize
            }
        }
    )* };
}

number!(u32 u64 u128);

/// Sorts `items`.
pub fn sort<T: Digits>(items: &mut [T]) {
    let shifts = match items.first() {
        Some(&first) if items.len() >= MIN_ITEMS => {
            shifts(items.iter().fold(0, |all, item| all | item.differing(first)))
        }
        _ => None,
    };
    let Some(shifts) = shifts else { return items.sort_unstable() };
    let mut scratch = items.to_vec();
    let odd = shifts.len() % 2 == 1;
    let (mut from, mut to) = (&mut *items, &mut *scratch);
    for shift in shifts {
        distribute(from, to, shift);
        (from, to) = (to, from);
    }
    if odd {
        items.copy_from_slice(&scratch);
    }
}

/// Where the digits begin that together hold all bits of `differing`; none if they are too many.
fn shifts(mut differing: u128) -> Option<Vec<u32>> {
    let mut shifts = Vec::with_capacity(MAX_PASSES);
    while differing != 0 {
        let shift = differing.trailing_zeros();
        shifts.push(shift);
        differing &= !((DIGITS as u128 - 1) << shift);
    }
    (shifts.len() <= MAX_PASSES).then_some(shifts)
}

/// Copies `from` to `to` in order of one digit; what is equal in it stays in order.
fn distribute<T: Digits>(from: &[T], to: &mut [T], shift: u32) {
    let mut places = [0u32; DIGITS];
    for item in from {
        places[item.shifted(shift) % DIGITS] += 1;
    }
    let mut next = 0;
    for place in &mut places {
        next += std::mem::replace(place, next);
    }
    for item in from {
        let place = &mut places[item.shifted(shift) % DIGITS];
        if let Some(slot) = to.get_mut(*place as usize) {
            *slot = *item;
        }
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sorts<T: Digits + std::fmt::Debug>(mut items: Vec<T>) {
        let mut expected = items.clone();
        expected.sort_unstable();
        sort(&mut items);
        assert_eq!(items, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn as_the_standard_library_does(
            seeds in prop::collection::vec(any::<u128>(), 0..6_000), mask: u128, bits in 0u32..128,
        ) {
            sorts(seeds.iter().map(|seed| seed & mask).collect());
            sorts(seeds.iter().map(|seed| (seed & (1 << 20 | 3)) << bits | 7).collect::<Vec<u128>>());
            sorts(seeds.iter().map(|seed| *seed as u64 & 0xffff_0000_00ff).collect());
            sorts(seeds.iter().map(|seed| *seed as u32).collect());
        }
    }

    #[test]
    fn as_many_digits_as_are_worth_it() {
        assert_eq!(shifts(0), Some(vec![]));
        assert_eq!(shifts(0b1000_0000_0001), Some(vec![0, 11]));
        assert_eq!(shifts(1 << 100 | 1 << 40), Some(vec![40, 100]));
        assert_eq!(shifts(u128::from(u64::MAX)).map(|shifts| shifts.len()), Some(6));
        assert_eq!(shifts(u128::MAX), None);
    }
}
