//! The hash of a raw record. It is written into the lake's ledger: it must never change.

use twox_hash::XxHash3_64;

/// Stands for an absent key or value; no length of bytes can be this.
const ABSENT: u64 = u64::MAX;

/// Hash of a raw record, of everything that Kafka's log fixes but its headers: XXH3-64 of six little-endian 64-bit
/// words, being offset, timestamp, key length, XXH3-64 of the key, value length and XXH3-64 of the value (an absent
/// one has length 2^64 - 1 and hash 0, so that it differs from an empty one).
///
/// The offset is in it, so the wrapping sum over a range neither depends on order nor cancels out, and the sum over
/// `[a, c)` is that over `[a, b)` plus that over `[b, c)`.
#[inline]
pub fn record_hash(offset: i64, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    let (key_len, key_hash) = part(key);
    let (value_len, value_hash) = part(value);
    let words = [offset as u64, timestamp as u64, key_len, key_hash, value_len, value_hash];
    let mut bytes = [0u8; 48];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    XxHash3_64::oneshot(&bytes)
}

#[inline]
fn part(bytes: Option<&[u8]>) -> (u64, u64) {
    match bytes {
        Some(bytes) => (bytes.len() as u64, XxHash3_64::oneshot(bytes)),
        None => (ABSENT, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::record_hash;
    use proptest::prelude::*;

    #[test]
    fn absent_and_empty_differ() {
        let hashes = [
            record_hash(1, 2, None, None),
            record_hash(1, 2, None, Some(b"")),
            record_hash(1, 2, Some(b""), None),
            record_hash(1, 2, Some(b""), Some(b"")),
            record_hash(1, 2, Some(b"a"), Some(b"b")),
            record_hash(1, 2, Some(b"b"), Some(b"a")),
            record_hash(1, 2, Some(b"ab"), Some(b"")),
            record_hash(1, 2, Some(b""), Some(b"ab")),
            record_hash(2, 1, Some(b""), Some(b"ab")),
        ];
        let distinct: std::collections::HashSet<u64> = hashes.into_iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }

    #[test]
    fn the_hash_that_ledgers_hold_does_not_change() {
        assert_eq!(record_hash(7, 1_714_953_612_000, None, Some(b"{\"ts\":1}\n")), GOLDEN);
    }
    const GOLDEN: u64 = 16_560_971_992_427_674_193;

    proptest! {
        #[test]
        fn each_part_counts(
            offset in any::<i64>(), timestamp in any::<i64>(),
            value in prop::collection::vec(any::<u8>(), 1..600), at in any::<prop::sample::Index>(),
        ) {
            let hash = record_hash(offset, timestamp, None, Some(&value));
            let mut other = value.clone();
            let at = at.index(other.len());
            other[at] ^= 1;
            prop_assert_ne!(hash, record_hash(offset, timestamp, None, Some(&other)));
            prop_assert_ne!(hash, record_hash(offset.wrapping_add(1), timestamp, None, Some(&value)));
            prop_assert_ne!(hash, record_hash(offset, timestamp.wrapping_add(1), None, Some(&value)));
            prop_assert_ne!(hash, record_hash(offset, timestamp, Some(&value), None));
        }
    }
}
