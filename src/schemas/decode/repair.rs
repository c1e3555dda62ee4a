//! Text repair: undoing what Eventsim does to its catalogue's text.
//!
//! Eventsim reads UTF-8 as Latin-1 and keeps the escapes and wrapping quotes of a CSV file. The remedy is that of
//! streamify's `string_decode`: Latin-1 encode, Python's `unicode-escape` decode, Latin-1 encode, UTF-8 decode, strip
//! `"` from both ends. Where a step fails the text is not of that make, and stays as it is.

use crate::schemas::field::Repair;

/// The repaired text; none where repair changes nothing.
pub(super) fn repair(repair: Repair, text: &str) -> Option<String> {
    match repair {
        Repair::None => None,
        Repair::Unquote => text.strip_prefix('"')?.strip_suffix('"').map(str::to_owned),
        Repair::Decode => string_decode(text),
    }
}

fn string_decode(text: &str) -> Option<String> {
    let changed =
        |decoded: &str| Some(decoded.trim_matches('"')).filter(|&decoded| decoded != text).map(str::to_owned);
    // Plain ASCII decodes to itself.
    if text.is_ascii() && !text.contains('\\') {
        return changed(text);
    }
    changed(&String::from_utf8(unicode_escape(&latin1(text)?)?).ok()?)
}

/// Latin-1 bytes of `text`; none where a character has no such byte.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// Python's `bytes.decode("unicode-escape")` and, at once, Latin-1 encoding of what it gives: a character above
/// U+00FF fails either way. `\N{…}` fails always, although Python knows a few names below U+0100.
fn unicode_escape(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, after) = rest.split_first()?;
        rest = after;
        match escape {
            b'\n' => {}
            b'\\' | b'\'' | b'"' => out.push(escape),
            b'a' => out.push(0x07),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0C),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0B),
            b'0'..=b'7' => out.push(octal(escape, &mut rest)?),
            b'x' => out.push(hex(2, &mut rest)?),
            b'u' => out.push(hex(4, &mut rest)?),
            b'U' => out.push(hex(8, &mut rest)?),
            b'N' => return None,
            other => out.extend([b'\\', other]),
        }
    }
    Some(out)
}

/// An octal escape whose first digit is `first`: up to two more digits.
fn octal(first: u8, rest: &mut &[u8]) -> Option<u8> {
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() else { break };
        value = value * 8 + u32::from(digit - b'0');
        *rest = after;
    }
    u8::try_from(value).ok()
}

/// A hexadecimal escape of exactly `digits` digits.
fn hex(digits: usize, rest: &mut &[u8]) -> Option<u8> {
    let (head, after) = rest.split_at_checked(digits)?;
    *rest = after;
    let value =
        head.iter().try_fold(0u32, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?));
    u8::try_from(value?).ok()
}

#[cfg(test)]
mod tests {
    use super::{Repair, repair};

    fn decoded(text: &str) -> String {
        repair(Repair::Decode, text).unwrap_or_else(|| text.to_owned())
    }

    /// Expected values are those of CPython 3 running streamify's `string_decode`.
    #[test]
    fn decodes_as_python_does() {
        for (text, expected) in [
            ("BeyoncÃ© feat. Slim Thug", "Beyoncé feat. Slim Thug"),
            ("toute mon Ã¢me est lÃ\u{a0}", "toute mon âme est là"),
            (
                r#""Piano Sonata  \"Hammerklavier\" (2005): II.""#,
                r#"Piano Sonata  "Hammerklavier" (2005): II."#,
            ),
            (r#""Ricky Martin Feat. La Mari de \"Chambao""#, r#"Ricky Martin Feat. La Mari de "Chambao"#),
            (r#""Dirty Movies\" (Album Version)""#, r#"Dirty Movies" (Album Version)"#),
            ("I Won\u{13}t", "I Won\u{13}t"),
            (r"\x41\101\u0042\U00000043\7\'", "AABC\u{7}'"),
            (r"\xc3\xa9", "é"),
            (r"\q\8\ ", r"\q\8\ "),
            (r"\\n", r"\n"),
            ("a\\\nb", "ab"),
            ("\"\"\"", ""),
            ("  x  ", "  x  "),
        ] {
            assert_eq!(decoded(text), expected, "{text:?}");
        }
    }

    /// Python fails on each of these but the last, which is [`super::unicode_escape`]'s one departure.
    #[test]
    fn text_that_does_not_decode_stays() {
        for text in [
            "Beyoncé",
            "日本",
            "\"日本\"",
            "x\\",
            r"\x4",
            r"\xg0",
            r"\u00",
            r"\u0100",
            r"\U00110000",
            r"\400",
            r"\xff",
            r"\ud83d\ude00",
            r"\N{DIGIT ONE}",
        ] {
            assert_eq!(repair(Repair::Decode, text), None, "{text:?}");
        }
    }

    #[test]
    fn one_pair_of_quotes_is_dropped() {
        for (text, expected) in [
            ("\"Mozilla\"", Some("Mozilla")),
            ("\"\"Mozilla\"\"", Some("\"Mozilla\"")),
            ("\"\"", Some("")),
            ("\"", None),
            ("\"Mozilla", None),
            ("Mozilla\"", None),
            ("", None),
        ] {
            assert_eq!(repair(Repair::Unquote, text).as_deref(), expected, "{text:?}");
        }
        assert_eq!(repair(Repair::None, "\"Mozilla\""), None);
    }
}
