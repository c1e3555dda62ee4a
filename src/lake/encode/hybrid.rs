//! The RLE and bit-packing hybrid. parquet2's own splitter panics at damaged input, and its packing of indices takes 2 ns a
//! value.

use parquet2::encoding::{bitpacked, uleb128};

use super::error::EncodeError;

/// Splits hybrid-encoded values of `bits` bits (1 to 32) into runs.
pub(super) struct Runs<'a> {
    rest: &'a [u8],
    bits: usize,
}

/// Consecutive values.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Run<'a> {
    /// One value, this many times.
    Repeated(u32, usize),
    /// Values laid bit by bit, a multiple of eight of them, the last ones padding.
    Packed(&'a [u8]),
}

impl<'a> Runs<'a> {
    /// # Errors
    /// A width that no page has.
    pub(super) fn new(bytes: &'a [u8], bits: u8) -> Result<Self, EncodeError> {
        match bits {
            1..=32 => Ok(Self { rest: bytes, bits: bits.into() }),
            _ => Err(EncodeError::read("a page's index width is out of range")),
        }
    }

    /// The next run; none at the end, and where the rest is not a whole run.
    fn next_run(&mut self) -> Option<Run<'a>> {
        let (header, rest) = split_varint(self.rest)?;
        let count = usize::try_from(header >> 1).ok()?;
        let size = match header & 1 {
            1 => count.checked_mul(self.bits)?.min(rest.len()),
            _ => self.bits.div_ceil(8),
        };
        let (bytes, rest) = rest.split_at_checked(size)?;
        self.rest = rest;
        Some(match header & 1 {
            1 => Run::Packed(bytes),
            _ => {
                let value = bytes.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
                Run::Repeated(value, count)
            }
        })
    }

    /// Hands the first `count` values to `push`: repeated ones together.
    ///
    /// # Errors
    /// There are fewer, or `push` refuses one.
    pub(super) fn each(
        mut self,
        count: usize,
        mut push: impl FnMut(u32, usize) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let mut missing = count;
        while missing > 0 {
            let run = self.next_run().ok_or_else(|| EncodeError::read("a page has too few values"))?;
            missing -= match run {
                Run::Repeated(value, times) => {
                    let times = times.min(missing);
                    push(value, times)?;
                    times
                }
                Run::Packed(bytes) => {
                    let length = missing.min(bytes.len().saturating_mul(8) / self.bits);
                    let values = bitpacked::Decoder::<u32>::try_new(bytes, self.bits, length);
                    values.map_err(EncodeError::read)?.try_for_each(|value| push(value, 1))?;
                    length
                }
            };
        }
        Ok(())
    }
}

/// Values that are packed together.
const GROUP: usize = 8;

/// Appends `values`, each below 2^`bits` (1 to 32), as one run of packed ones; the last group is filled up with zeros.
pub(super) fn append_packed(values: &mut Vec<u32>, bits: u32, page: &mut Vec<u8>) {
    values.resize(values.len().next_multiple_of(GROUP), 0);
    let (groups, _) = values.as_chunks::<GROUP>();
    let mut header = [0; 10];
    let used = uleb128::encode((groups.len() as u64) << 1 | 1, &mut header);
    page.extend(header.iter().take(used));
    // Eight values of so many bits are so many bytes. Each group is written as the 32 bytes that it takes at most; the next
    // one covers what was too much.
    let (start, size) = (page.len(), bits as usize);
    let end = start + groups.len() * size;
    page.resize(end + 32, 0);
    for (group, at) in groups.iter().zip((start..).step_by(size)) {
        let (low, high) = pack_group(group, bits);
        if let Some(to) = page.get_mut(at..at + 16) {
            to.copy_from_slice(&low.to_le_bytes());
        }
        if bits > 16
            && let Some(to) = page.get_mut(at + 16..at + 32)
        {
            to.copy_from_slice(&high.to_le_bytes());
        }
    }
    page.truncate(end);
}

/// The values bit by bit, the lower 128 bits first; all are there if `bits` are at most 16.
#[inline(always)]
fn pack_group(values: &[u32; GROUP], bits: u32) -> (u128, u128) {
    let [a, b, c, d, e, f, g, h] = values.map(u64::from);
    let pairs = [a | b << bits, c | d << bits, e | f << bits, g | h << bits];
    if bits <= 16 {
        let [low, high] = [pairs[0] | pairs[1] << (2 * bits), pairs[2] | pairs[3] << (2 * bits)];
        return (u128::from(low) | u128::from(high) << (4 * bits), 0);
    }
    let [a, b, c, d] = pairs.map(u128::from);
    let [low, high] = [a | b << (2 * bits), c | d << (2 * bits)];
    (low | high.checked_shl(4 * bits).unwrap_or_default(), high >> (128 - 4 * bits))
}

/// A little-endian base-128 number and what follows it.
fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(bytes: &[u8], bits: u8, count: usize) -> Result<Vec<u32>, EncodeError> {
        let mut values = Vec::new();
        Runs::new(bytes, bits)?.each(count, |value, times| {
            values.resize(values.len() + times, value);
            Ok(())
        })?;
        Ok(values)
    }

    #[test]
    fn runs_of_both_sorts_are_read() {
        // Four times 300 in nine bits, then eight values packed in nine bits each.
        let mut bytes = vec![4 << 1, 0x2c, 0x01];
        let packed: Vec<u32> = (0..8).map(|value| value * 60).collect();
        parquet2::encoding::hybrid_rle::encode_u32(&mut bytes, packed.iter().copied(), 9).unwrap();
        let expected: Vec<u32> = [300; 4].into_iter().chain(packed).collect();
        assert_eq!(values(&bytes, 9, 12).unwrap(), expected);
        assert_eq!(values(&bytes, 9, 6).unwrap(), expected[..6]);
        assert!(values(&bytes, 9, 13).is_err());
    }

    proptest! {
        #[test]
        fn packed_as_parquet2_does(values: Vec<u32>, bits in 1u32..=32) {
            let mut values: Vec<u32> = values.iter().map(|value| value >> (32 - bits)).collect();
            let (mut page, mut expected) = (vec![9; 3], vec![9; 3]);
            append_packed(&mut values, bits, &mut page);
            parquet2::encoding::hybrid_rle::encode_u32(&mut expected, values.iter().copied(), bits).unwrap();
            prop_assert_eq!(page, expected);
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes: Vec<u8>, bits: u8, count in 0usize..10_000) {
            if let Ok(values) = values(&bytes, bits, count) {
                prop_assert_eq!(values.len(), count);
            }
        }
    }
}
