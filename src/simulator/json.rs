//! Text as Eventsim's JSON library (Jackson) writes it: escapes and numbers.

/// Appends `text` as a JSON string, quotes included.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04X}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends an integer.
#[inline]
pub fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a number as Java's `Float.toString` does: the shortest digits that read back as the same float, of two equally
/// near ones the even.
pub fn float32(out: &mut Vec<u8>, value: f32) {
    if is_plain(f64::from(value)) {
        out.extend_from_slice(ryu::Buffer::new().format(value).as_bytes());
    } else {
        scientific(out, &format!("{value:e}"));
    }
}

/// Appends a number as Java's `Double.toString` does.
pub fn float64(out: &mut Vec<u8>, value: f64) {
    if is_plain(value) {
        out.extend_from_slice(ryu::Buffer::new().format(value).as_bytes());
    } else {
        scientific(out, &format!("{value:e}"));
    }
}

/// Whether Java writes the number without an exponent.
fn is_plain(value: f64) -> bool {
    (1e-3..1e7).contains(&value.abs()) || value == 0.0
}

/// `1e-5` as Java has it: `1.0E-5`.
fn scientific(out: &mut Vec<u8>, text: &str) {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    out.extend_from_slice(digits.as_bytes());
    if !digits.contains('.') {
        out.extend_from_slice(b".0");
    }
    out.push(b'E');
    out.extend_from_slice(exponent.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("utf-8")
    }

    #[test]
    fn numbers_are_those_of_java() {
        let floats = [
            (180.0, "180.0"),
            (9.09995, "9.09995"),
            (129.828_12, "129.82812"),
            (1e-3, "0.001"),
            (9.5e-4, "9.5E-4"),
            (0.0, "0.0"),
        ];
        for (value, expected) in floats {
            assert_eq!(text(|out| float32(out, value)), expected);
        }
        let doubles = [(-101.2, "-101.2"), (1e7, "1.0E7"), (9_999_999.5, "9999999.5"), (-2.5e-5, "-2.5E-5")];
        for (value, expected) in doubles {
            assert_eq!(text(|out| float64(out, value)), expected);
        }
    }

    #[test]
    fn strings_are_escaped_as_jackson_does() {
        let all = "a\"b\\c/\u{8}\t\n\u{c}\r\u{13}\u{1f}\u{7f}é\u{2028}";
        assert_eq!(
            text(|out| string(out, all)),
            "\"a\\\"b\\\\c/\\b\\t\\n\\f\\r\\u0013\\u001F\u{7f}é\u{2028}\""
        );
    }
}
