//! The fast path: a scanner for the usual record. It gives up, saying nothing of why, on any surprise; where it does
//! not, the row is what [`super::fallback`] would have made.

use super::Interners;
use super::build::Row;
use super::fallback::{is_registration, is_ts};
use super::intern::{Keys, SHORT, TextInterner, pack_word};
use super::plan::{KeyPattern, Plan};
use super::scan::{first_quote, float, integer, load16, string_end};
use crate::schemas::field::FieldType;

/// Fills `row` (which must be clear) from the record `json`. None on any surprise: `row` then holds nonsense.
#[inline]
pub(super) fn decode(plan: &Plan, interners: &mut Interners, row: &mut Row, json: &[u8]) -> Option<()> {
    if json.first() != Some(&b'{') {
        return None;
    }
    let mut at = 1;
    let mut next = 0;
    loop {
        let place = find_member(plan, row, load16(json, at), next)?;
        let pattern = plan.patterns.get(place)?;
        at = member(plan, interners, row, pattern, json, at + pattern.len)?;
        next = place + 1;
        match json.get(at)? {
            b',' => at += 1,
            b'}' => break,
            _ => return None,
        }
    }
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let ends_well = json.get(at + 1..)?.iter().all(is_blank);
    (ends_well && is_ts(row.integer(plan.ts)?)).then_some(())
}

/// Place in `plan.patterns` of the member whose name `word` begins with, looking from `next` on, then from the
/// start. None if it is unknown or was there already.
#[inline(always)]
fn find_member(plan: &Plan, row: &Row, word: u128, next: usize) -> Option<usize> {
    let (before, after) = plan.patterns.split_at_checked(next)?;
    let place = match after.iter().position(|pattern| pattern.matches(word)) {
        Some(place) => next + place,
        None => before.iter().position(|pattern| pattern.matches(word))?,
    };
    (!row.has(plan.patterns.get(place)?.index)).then_some(place)
}

/// Takes one member's value, which begins at `at`; returns where it ends.
#[inline(always)]
fn member(
    plan: &Plan,
    interners: &mut Interners,
    row: &mut Row,
    pattern: &KeyPattern,
    json: &[u8],
    at: usize,
) -> Option<usize> {
    let index = pattern.index;
    match pattern.kind {
        FieldType::Text => {
            let interner = interners.get_mut(index)?.as_mut()?;
            let (keys, end) = text(interner, json, at)?;
            row.set_text(index, *plan.raw_of.get(index)?, keys);
            Some(end)
        }
        FieldType::Int64 => {
            let (value, end) = integer(json, at)?;
            row.set_integer(index, value);
            Some(end)
        }
        FieldType::TimestampMs => {
            let (value, end) = integer(json, at)?;
            row.set_integer(index, value);
            is_registration(value).then_some(end)
        }
        FieldType::Float64 => {
            let (value, end) = float(json, at)?;
            row.set_float(index, value);
            Some(end)
        }
        FieldType::Bool => {
            let rest = json.get(at..)?;
            let value = rest.starts_with(b"true");
            if !value && !rest.starts_with(b"false") {
                return None;
            }
            row.set_bool(index, value);
            Some(at + if value { 4 } else { 5 })
        }
    }
}

/// Interns the string whose opening quote stands at `at`; returns its keys and where it ends.
#[inline(always)]
fn text(interner: &mut TextInterner, json: &[u8], at: usize) -> Option<(Keys, usize)> {
    if *json.get(at)? != b'"' {
        return None;
    }
    let start = at + 1;
    let word = load16(json, start);
    let len = first_quote(word);
    if len <= SHORT && *json.get(at + len)? != b'\\' {
        let end = start + len + 1;
        let keys = match interner.find_short(pack_word(word, len)) {
            Some(keys) => keys,
            None => interner.insert_quoted(json.get(at..end)?)?,
        };
        return Some((keys, end));
    }
    long_text(interner, json, at)
}

/// [`text`] for a string that is longer than [`SHORT`] or may hold an escaped quote.
#[inline]
fn long_text(interner: &mut TextInterner, json: &[u8], at: usize) -> Option<(Keys, usize)> {
    let start = at + 1;
    let quote = string_end(json, start)?;
    let spelling = json.get(start..quote)?;
    let known = if spelling.len() <= SHORT {
        interner.find_short(super::intern::pack(spelling))
    } else {
        interner.find_long(spelling)
    };
    let keys = match known {
        Some(keys) => keys,
        None => interner.insert_quoted(json.get(at..=quote)?)?,
    };
    Some((keys, quote + 1))
}
