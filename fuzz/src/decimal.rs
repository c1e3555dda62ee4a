//! JSON numbers as exact decimals.

/// What a JSON number is as a 64-bit integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integer {
    /// It is this one.
    Is(i64),
    /// It has a fraction, or is beyond 64 bits.
    IsNot,
}

/// The integer that `text`, a valid JSON number, is equal to, by shifting its digits.
pub fn integer(text: &str) -> Integer {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let stripped = digits.trim_start_matches('0').trim_end_matches('0');
    if stripped.is_empty() {
        return Integer::Is(0);
    }
    // Zeros behind the last significant digit; negative where digits stand behind the point.
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let shift = exponent_of(exponent) + trailing as i128 - fraction.len() as i128;
    match shift {
        0..=20 => format!("{sign}{stripped}{}", "0".repeat(shift as usize))
            .parse()
            .map_or(Integer::IsNot, Integer::Is),
        _ => Integer::IsNot,
    }
}

fn exponent_of(text: &str) -> i128 {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.trim_start_matches('0');
    match digits.len() {
        0 => 0,
        1..=30 => sign * digits.parse().unwrap_or(0),
        _ => sign * 10_i128.pow(30),
    }
}
