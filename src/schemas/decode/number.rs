//! JSON numbers as exact integers and as correctly rounded floats.

/// Why a number is not what its field wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberError {
    /// It has a fraction, and an integer is wanted.
    Fraction,
    /// It is beyond the type's range.
    Range,
}

/// The integer that the JSON number `text` is equal to. Exact: never by way of a float.
pub(super) fn integer(text: &[u8]) -> Result<i64, NumberError> {
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = split_exponent(text);
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let digits = mantissa.iter().copied().filter(u8::is_ascii_digit);
    let leading = digits.clone().take_while(|&digit| digit == b'0').count();
    let significant = digits.clone().count() - leading;
    if significant == 0 {
        return Ok(0);
    }
    let trailing = digits.clone().rev().take_while(|&digit| digit == b'0').count();
    // Where the decimal point stands, in digits after the first significant one.
    let whole = (point as i64).saturating_sub(leading as i64).saturating_add(exponent);
    if whole < (significant - trailing) as i64 {
        return Err(NumberError::Fraction);
    }
    if whole > 19 {
        return Err(NumberError::Range);
    }
    let padded = digits.skip(leading).chain(std::iter::repeat(b'0')).take(whole as usize);
    let magnitude = padded.fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| NumberError::Range)
}

/// Mantissa and exponent; an exponent beyond reason becomes a large one, which no integer has.
fn split_exponent(text: &[u8]) -> (&[u8], i64) {
    let Some(at) = text.iter().position(|byte| matches!(byte, b'e' | b'E')) else {
        return (text, 0);
    };
    let (mantissa, rest) = text.split_at(at);
    let (sign, digits) = match rest.get(1..) {
        Some([b'-', digits @ ..]) => (-1, digits),
        Some([b'+', digits @ ..]) => (1, digits),
        Some(digits) => (1, digits),
        None => (1, &[][..]),
    };
    let magnitude = digits.iter().filter(|byte| byte.is_ascii_digit()).fold(0i64, |value, &digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(i64::MAX / 4)
    });
    (mantissa, sign * magnitude)
}

/// The float nearest to the JSON number `text`.
pub(super) fn float(text: &[u8]) -> Result<f64, NumberError> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    parsed.filter(|value| value.is_finite()).ok_or(NumberError::Range)
}

#[cfg(test)]
mod tests {
    use super::{NumberError, float, integer};
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_in_any_spelling() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-0.000", 0),
            ("0e999999999999999999999", 0),
            ("1.0", 1),
            ("1e3", 1000),
            ("1.500E+1", 15),
            ("150e-1", 15),
            ("0.0012e4", 12),
            ("-12.0", -12),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-9.223372036854775808e18", i64::MIN),
        ] {
            assert_eq!(integer(text.as_bytes()), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_no_integer_is() {
        for text in ["1.5", "1e-1", "0.1", "1e-99999999999999999999", "12.000001"] {
            assert_eq!(integer(text.as_bytes()), Err(NumberError::Fraction), "{text}");
        }
        for text in ["9223372036854775808", "-9223372036854775809", "1e19", "1e99999999999999999999", "1e400"]
        {
            assert_eq!(integer(text.as_bytes()), Err(NumberError::Range), "{text}");
        }
        assert_eq!(float(b"1e999"), Err(NumberError::Range));
    }

    proptest! {
        #[test]
        fn every_integer_reads_back(value in any::<i64>(), zeros in 0usize..4) {
            prop_assert_eq!(integer(value.to_string().as_bytes()), Ok(value));
            let spelled = format!("{value}.{}e0", "0".repeat(zeros + 1));
            prop_assert_eq!(integer(spelled.as_bytes()), Ok(value));
        }

        #[test]
        fn shifting_the_point_changes_nothing(value in -1_000_000_000i64..1_000_000_000, by in 1usize..12) {
            let (whole, scale) = (value.abs(), 10i64.pow(by as u32));
            let sign = if value < 0 { "-" } else { "" };
            let spelled = format!("{sign}{}.{:0by$}e{by}", whole / scale, whole % scale);
            prop_assert_eq!(integer(spelled.as_bytes()), Ok(value));
        }
    }
}
