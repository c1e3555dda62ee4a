//! The fast path: a scanner for the usual record. It gives up, saying nothing of why, on any surprise; where it does
//! not, the row is what [`super::fallback`] would have made.
//!
//! Strings are only marked on the way, and the memory that their lookup needs is asked for; they are looked up together
//! at the end. So cache misses overlap with scanning, and a record that is given up after all has put nothing into a
//! dictionary.

use super::Interners;
use super::build::Row;
use super::fallback::{is_registration, is_ts};
use super::intern::{SHORT, TextInterner, pack, pack_word};
use super::plan::{KeyPattern, MAX_FIELDS, Plan};
use super::scan::{first_quote, float, integer, load16, string_end};
use super::steady::Steady;
use crate::schemas::field::FieldType;

/// A string that was met: where it is and, if it is short, what it is.
#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    /// The interner's hash of it.
    hash: u64,
    /// By [`pack`]; nothing where the string is long.
    spelling: [u64; 2],
    /// Index of the field.
    index: usize,
    /// Where its first byte stands, after the opening quote.
    start: usize,
    /// Bytes between the quotes.
    len: usize,
}

impl Mark {
    /// The string with its quotes.
    fn quoted<'a>(&self, json: &'a [u8]) -> Option<&'a [u8]> {
        json.get(self.start.checked_sub(1)?..self.start + self.len + 1)
    }
}

/// The strings of one kind (short or long) that a record holds.
#[derive(Debug, Default)]
struct Marks {
    marks: [Mark; MAX_FIELDS],
    len: usize,
}

impl Marks {
    #[inline(always)]
    fn push(&mut self, mark: Mark) {
        if let Some(place) = self.marks.get_mut(self.len) {
            *place = mark;
            self.len += 1;
        }
    }

    #[inline(always)]
    fn met(&self) -> &[Mark] {
        self.marks.get(..self.len).unwrap_or_default()
    }
}

/// Scratch of the fast path, kept from record to record.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    short: Marks,
    long: Marks,
    steady: Steady,
}

impl Scratch {
    /// To be called when an interner is replaced: the keys that are remembered mean nothing any more.
    pub(super) fn forget(&mut self) {
        self.steady.forget();
    }

    /// Records whose steady members were taken over, since the last trial began.
    #[cfg(test)]
    pub(super) fn repeated(&self) -> u32 {
        self.steady.hits()
    }

    /// Whether it was found not to pay.
    #[cfg(test)]
    pub(super) fn rests(&self) -> bool {
        self.steady.rests()
    }
}

/// Fills `row` (which must be clear) from the record `json`. None on any surprise: `row` then holds nonsense.
#[inline]
pub(super) fn decode(
    plan: &Plan,
    interners: &mut Interners,
    scratch: &mut Scratch,
    row: &mut Row,
    json: &[u8],
) -> Option<()> {
    scratch.short.len = 0;
    scratch.long.len = 0;
    scratch.steady.begin();
    scan(plan, interners, scratch, row, json)?;
    for mark in scratch.long.met() {
        interners.get(mark.index)?.as_ref()?.expect_long_soon(mark.hash);
    }
    for mark in scratch.short.met() {
        let interner = interners.get_mut(mark.index)?.as_mut()?;
        let keys = match interner.find_short(mark.hash, mark.spelling) {
            Some(keys) => keys,
            None => interner.insert_quoted(mark.quoted(json)?)?,
        };
        row.put_text(mark.index, *plan.raw_of.get(mark.index)?, keys);
    }
    for mark in scratch.long.met() {
        let interner = interners.get_mut(mark.index)?.as_mut()?;
        let keys = match interner.find_long(mark.hash, json.get(mark.start..mark.start + mark.len)?) {
            Some(keys) => keys,
            None => interner.insert_quoted(mark.quoted(json)?)?,
        };
        row.put_text(mark.index, *plan.raw_of.get(mark.index)?, keys);
    }
    scratch.steady.learn(&plan.steady, row, json);
    Some(())
}

/// Finds the members: numbers and booleans go to `row`, strings to `scratch`.
#[inline(always)]
fn scan(plan: &Plan, interners: &Interners, scratch: &mut Scratch, row: &mut Row, json: &[u8]) -> Option<()> {
    if json.first() != Some(&b'{') {
        return None;
    }
    let mut at = 1;
    let mut next = 0;
    loop {
        let (place, pattern) = find_member(plan, row, load16(json, at), next)?;
        row.mark(pattern.bit);
        let known = scratch.steady.replay(&plan.steady, row, pattern.bit, json, at);
        (at, next) = match known {
            Some(found) => found,
            None => {
                let end = member(interners, scratch, row, pattern, json, at + pattern.len)?;
                scratch.steady.scanned(&plan.steady, pattern.bit, (at, end), place + 1);
                (end, place + 1)
            }
        };
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

/// Place in `plan.patterns` of the member whose name `word` begins with: the one at `next`, or else the first found
/// from there on, then from the start. None if it is unknown or was there already.
#[inline(always)]
fn find_member<'p>(plan: &'p Plan, row: &Row, word: u128, next: usize) -> Option<(usize, &'p KeyPattern)> {
    match plan.patterns.get(next) {
        Some(pattern) if pattern.matches(word) && !row.has_bit(pattern.bit) => Some((next, pattern)),
        _ => find_other_member(plan, row, word, next),
    }
}

fn find_other_member<'p>(
    plan: &'p Plan,
    row: &Row,
    word: u128,
    next: usize,
) -> Option<(usize, &'p KeyPattern)> {
    let (before, after) = plan.patterns.split_at_checked(next)?;
    let place = match after.iter().position(|pattern| pattern.matches(word)) {
        Some(place) => next + place,
        None => before.iter().position(|pattern| pattern.matches(word))?,
    };
    let pattern = plan.patterns.get(place).filter(|pattern| !row.has_bit(pattern.bit))?;
    Some((place, pattern))
}

/// Takes one member's value, which begins at `at`; returns where it ends.
#[inline(always)]
fn member(
    interners: &Interners,
    scratch: &mut Scratch,
    row: &mut Row,
    pattern: &KeyPattern,
    json: &[u8],
    at: usize,
) -> Option<usize> {
    let index = pattern.index;
    match pattern.kind {
        FieldType::Text => text(interners.get(index)?.as_ref()?, scratch, index, json, at),
        FieldType::Int64 => {
            let (value, end) = integer(json, at)?;
            row.put(index, value as u64);
            Some(end)
        }
        FieldType::TimestampMs => {
            let (value, end) = integer(json, at)?;
            row.put(index, value as u64);
            is_registration(value).then_some(end)
        }
        FieldType::Float64 => {
            let (value, end) = float(json, at)?;
            row.put(index, value.to_bits());
            Some(end)
        }
        FieldType::Bool => {
            let rest = json.get(at..)?;
            let value = rest.starts_with(b"true");
            if !value && !rest.starts_with(b"false") {
                return None;
            }
            row.put(index, u64::from(value));
            Some(at + if value { 4 } else { 5 })
        }
    }
}

/// Marks the string whose first byte, after its quote, is at `start`; returns where it ends.
#[inline(always)]
fn text(
    interner: &TextInterner,
    scratch: &mut Scratch,
    index: usize,
    json: &[u8],
    start: usize,
) -> Option<usize> {
    let word = load16(json, start);
    let len = first_quote(word);
    if len <= SHORT && *json.get(start + len - 1)? != b'\\' {
        let spelling = pack_word(word, len);
        scratch.short.push(Mark { hash: interner.expect_short(spelling), spelling, index, start, len });
        return Some(start + len + 1);
    }
    let quote = string_end(json, start)?;
    let (spelled, len) = (json.get(start..quote)?, quote - start);
    if len > SHORT {
        let hash = interner.expect_long(spelled);
        scratch.long.push(Mark { hash, spelling: [0; 2], index, start, len });
    } else {
        let spelling = pack(spelled);
        scratch.short.push(Mark { hash: interner.expect_short(spelling), spelling, index, start, len });
    }
    Some(quote + 1)
}
