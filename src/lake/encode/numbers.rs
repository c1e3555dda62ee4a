//! Dictionaries of fixed-width values: whether few enough differ, and which.

/// More distinct values than this are not worth a dictionary.
const MAX_DISTINCT: usize = 1 << 15;

/// Longest walk through the table: values made to collide give up the dictionary instead of time.
const MAX_PROBES: usize = 32;

/// Values looked at before building, spread over the column.
const SAMPLE: usize = 512;

const EMPTY: u32 = u32::MAX;

/// Finds the distinct values of a column of 64-bit patterns. Buffers are reused.
#[derive(Debug, Default)]
pub(super) struct NumberDictionary {
    values: Vec<u64>,
    slots: Vec<u32>,
    sample: Vec<u64>,
}

impl NumberDictionary {
    /// The distinct values in order of first use, as of the last [`NumberDictionary::build`].
    pub(super) fn values(&self) -> &[u64] {
        &self.values
    }

    /// Fills `indices` and [`NumberDictionary::values`], and says whether that is smaller than the plain values.
    /// The answer depends on `words` only.
    pub(super) fn build(&mut self, words: &[u64], indices: &mut Vec<u32>) -> bool {
        self.values.clear();
        indices.clear();
        // A column as short as a sample is built from at once, which takes no longer and gives up at fewer distinct values.
        if words.len() < 2 || (words.len() > SAMPLE && !self.sample_repeats(words)) {
            return false;
        }
        let limit = MAX_DISTINCT.min(words.len() / 3 + 1);
        self.slots.clear();
        self.slots.resize((limit * 2).next_power_of_two().max(64), EMPTY);
        indices.reserve(words.len() + 8);
        for &word in words {
            match self.index_of(word) {
                Some(index) if self.values.len() <= limit => indices.push(index),
                _ => return false,
            }
        }
        true
    }

    #[inline]
    fn index_of(&mut self, word: u64) -> Option<u32> {
        // Fibonacci hashing: the upper bits of the product; the table's length is a power of two.
        let shift = u64::BITS - self.slots.len().trailing_zeros();
        let mut at = (word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift) as usize;
        for _ in 0..MAX_PROBES {
            let slot = self.slots.get_mut(at)?;
            if *slot == EMPTY {
                let index = self.values.len() as u32;
                *slot = index;
                self.values.push(word);
                return Some(index);
            }
            if self.values.get(*slot as usize) == Some(&word) {
                return Some(*slot);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        None
    }

    /// Whether a sample repeats enough for a dictionary to be worth trying.
    fn sample_repeats(&mut self, words: &[u64]) -> bool {
        let step = words.len().div_ceil(SAMPLE);
        self.sample.clear();
        self.sample.extend(words.iter().step_by(step));
        let sampled = self.sample.len();
        self.sample.sort_unstable();
        self.sample.dedup();
        // Few repetitions in a sample of a long column still mean few values: n draws out of d values repeat n²/2d times.
        let repeats = sampled - self.sample.len();
        let expected_at_limit = sampled * sampled / (2 * MAX_DISTINCT.min(words.len() / 3 + 1));
        repeats > 0 && repeats >= expected_at_limit.min(sampled / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_made_where_each_value_comes_about_three_times() {
        for rows in [0, 1, 2, 3, 10, SAMPLE, SAMPLE + 1, 3 * SAMPLE] {
            for distinct in [1, 2, rows / 4, rows / 2, rows].into_iter().filter(|&distinct| distinct > 0) {
                let words: Vec<u64> = (0..rows).map(|row| (row % distinct) as u64 * 977).collect();
                let mut indices = Vec::new();
                let made = NumberDictionary::default().build(&words, &mut indices);
                assert_eq!(made, rows > 1 && distinct <= rows / 3 + 1, "{distinct} values in {rows} rows");
                if made {
                    assert!(
                        indices.iter().zip(0..rows).all(|(&index, row)| index as usize == row % distinct)
                    );
                }
            }
        }
    }
}
