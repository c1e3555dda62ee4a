//! Primitives of the fast path: eight or sixteen bytes at a time, no allocation, no panic.

/// Asks the processor to bring the cache line of `what` near; does nothing where it cannot be asked.
#[inline(always)]
pub(super) fn prefetch<T>(what: &T) {
    #[cfg(all(target_arch = "x86_64", target_feature = "sse"))]
    // SAFETY: a prefetch reads nothing and cannot fault; all it needs is SSE, which the cfg above makes certain.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(what).cast());
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "sse")))]
    let _ = what;
}

/// Sixteen bytes from `at`, little-endian; zeros past the end.
#[inline(always)]
pub(super) fn load16(bytes: &[u8], at: usize) -> u128 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => load16_tail(bytes, at),
    }
}

#[cold]
#[inline(never)]
fn load16_tail(bytes: &[u8], at: usize) -> u128 {
    let mut chunk = [0; 16];
    for (to, from) in chunk.iter_mut().zip(bytes.get(at..).unwrap_or_default()) {
        *to = *from;
    }
    u128::from_le_bytes(chunk)
}

/// Index of the first `"` among the sixteen bytes of `word`; 16 if there is none.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
#[inline(always)]
pub(super) fn first_quote(word: u128) -> usize {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};
    // SAFETY: these take and give values, not pointers; all they need is SSE2, which the cfg above makes certain.
    let found = unsafe {
        let bytes = _mm_set_epi64x((word >> 64) as i64, word as i64);
        _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8)))
    };
    (found as u32 | 1 << 16).trailing_zeros() as usize
}

/// Index of the first `"` among the sixteen bytes of `word`; 16 if there is none.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2")))]
#[inline(always)]
pub(super) fn first_quote(word: u128) -> usize {
    first_quote_portable(word)
}

/// [`first_quote`] without SIMD: a byte that is zero after the xor borrows its high bit from the subtraction. Bytes
/// above the first such may be marked wrongly, the first never is.
#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "sse2"))))]
fn first_quote_portable(word: u128) -> usize {
    const ONES: u128 = u128::MAX / 255;
    let differs = word ^ (ONES * b'"' as u128);
    let found = differs.wrapping_sub(ONES) & !differs & (ONES << 7);
    (found.trailing_zeros() / 8) as usize
}

/// Index of the quote that ends the string whose first byte is at `start`; none if there is no such.
#[inline]
pub(super) fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += memchr::memchr(b'"', bytes.get(at..)?)?;
        if !is_escaped(bytes, start, at) {
            return Some(at);
        }
        at += 1;
    }
}

/// Whether an odd number of backslashes stands before `at`, not looking before `start`.
#[inline]
fn is_escaped(bytes: &[u8], start: usize, at: usize) -> bool {
    let before = bytes.get(start..at).unwrap_or_default();
    before.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}

const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The decimal digits at `at`, sixteen at most: value and how many.
#[inline(always)]
#[allow(
    clippy::indexing_slicing,
    reason = "eight bytes hold eight digits at most, of which there are nine powers"
)]
pub(super) fn digits(bytes: &[u8], at: usize) -> (u64, usize) {
    let word = load16(bytes, at);
    let (high, count) = eight_digits(word as u64);
    if count < 8 {
        return (high, count);
    }
    let (low, more) = eight_digits((word >> 64) as u64);
    (high * POWERS[more] + low, 8 + more)
}

/// The digits that the eight bytes of `word` begin with: value and how many.
#[inline(always)]
fn eight_digits(word: u64) -> (u64, usize) {
    const ONES: u64 = u64::MAX / 255;
    let values = word ^ (ONES * b'0' as u64);
    // A byte above 9 sets its high bit; a carry can only spoil bytes behind the first such.
    let other = (values.wrapping_add(ONES * 0x76) | values) & (ONES << 7);
    let count = (other.trailing_zeros() / 8) as usize;
    if count == 0 {
        return (0, 0);
    }
    let values = values << (64 - 8 * count);
    let pairs = (values.wrapping_mul(10 << 8 | 1) >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_FFFF_0000_FFFF;
    (fours.wrapping_mul(10_000 << 32 | 1) >> 32, count)
}

/// The integer at `at` and where it ends. None where it is not a JSON integer of at most sixteen digits; the caller
/// sees to what follows it.
#[inline(always)]
pub(super) fn integer(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let negative = *bytes.get(at)? == b'-';
    let start = at + usize::from(negative);
    let (value, count) = digits(bytes, start);
    if count == 0 || (count > 1 && bytes.get(start) == Some(&b'0')) {
        return None;
    }
    let value = value as i64;
    Some((if negative { -value } else { value }, start + count))
}

/// The number at `at` and where it ends. None where it is not a JSON number without exponent, its whole part of at
/// most sixteen digits, its fraction too; the caller sees to what follows it.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the index is masked to the array's length")]
pub(super) fn float(bytes: &[u8], at: usize) -> Option<(f64, usize)> {
    const POWERS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let negative = *bytes.get(at)? == b'-';
    let start = at + usize::from(negative);
    let (whole, count) = digits(bytes, start);
    if count == 0 || (count > 1 && bytes.get(start) == Some(&b'0')) {
        return None;
    }
    let point = start + count;
    let (fraction, places) = match bytes.get(point) {
        Some(b'.') => match digits(bytes, point + 1) {
            (_, 0) => return None,
            found => found,
        },
        _ => (0, 0),
    };
    let end = if places == 0 { point } else { point + 1 + places };
    if count + places > 15 {
        return Some((super::number::float(bytes.get(at..end)?).ok()?, end));
    }
    // Both are below 2^53 and the power is exact, so one division rounds correctly.
    let power = POWERS[places & 15];
    let value = (whole as f64 * power + fraction as f64) / power;
    Some((if negative { -value } else { value }, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn oracle_end(bytes: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        loop {
            match *bytes.get(at)? {
                b'"' => return Some(at),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }

    proptest! {
        #[test]
        fn quotes_are_found(bytes in prop::array::uniform16(prop_oneof![Just(b'"'), Just(b'#'), Just(0xA2), any::<u8>()])) {
            let word = u128::from_le_bytes(bytes);
            let first = bytes.iter().position(|&byte| byte == b'"').unwrap_or(16);
            prop_assert_eq!(first_quote(word), first);
            prop_assert_eq!(first_quote_portable(word), first);
        }

        #[test]
        fn strings_end_at_the_first_unescaped_quote(
            bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(b'a')], 0..80), start in 0usize..4,
        ) {
            prop_assert_eq!(string_end(&bytes, start), oracle_end(&bytes, start));
        }

        #[test]
        fn runs_of_digits(text in "[0-9]{0,20}[^0-9]?[0-9]{0,9}") {
            let run: String = text.chars().take_while(char::is_ascii_digit).take(16).collect();
            prop_assert_eq!(digits(text.as_bytes(), 0), (run.parse().unwrap_or(0), run.len()));
        }

        #[test]
        fn integers_as_the_standard_library_reads_them(text in "-?(0|[1-9][0-9]{0,15})[,}.e]") {
            let number = &text[..text.len() - 1];
            prop_assert_eq!(integer(text.as_bytes(), 0), Some((number.parse().unwrap(), number.len())));
        }

        #[test]
        fn floats_as_the_standard_library_reads_them(text in "-?(0|[1-9][0-9]{0,15})(\\.[0-9]{1,16})?,") {
            let number = &text[..text.len() - 1];
            let (value, end) = float(text.as_bytes(), 0).unwrap();
            prop_assert_eq!(value.to_bits(), number.parse::<f64>().unwrap().to_bits(), "{}", number);
            prop_assert_eq!(end, number.len());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..50) {
            let (_, count) = digits(&bytes, at);
            prop_assert!(at + count <= bytes.len().max(at));
            for end in [integer(&bytes, at).map(|found| found.1), float(&bytes, at).map(|found| found.1)] {
                prop_assert!(end.is_none_or(|end| end <= bytes.len()));
            }
        }
    }

    #[test]
    fn numbers_that_json_does_not_allow() {
        for text in ["", "-", "01", "-01", "x", ".5", "00.5", "1.", "-.5", "1.e5", "+1"] {
            let padded = format!("{text},");
            assert_eq!(float(padded.as_bytes(), 0), None, "{text}");
            if !text.starts_with('1') {
                assert_eq!(integer(padded.as_bytes(), 0), None, "{text}");
            }
        }
    }
}
