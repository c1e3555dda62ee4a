//! Disorder on request, for tests: records late, out of order, twice or broken, at set rates, and the truth of it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::config::ConfigError;
use super::json;
use super::random::Random;
use super::record::{Envelope, Record, RecordBuffer};

/// Shares of the records that are disturbed, each in one way at most.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DisorderRates {
    /// Held back, for `late_by_ms` of event time on average (exponential).
    pub late: f64,
    /// Mean of how late they come, milliseconds of event time.
    pub late_by_ms: i64,
    /// Held back for up to [`NEARBY_MS`], so that neighbours change places.
    pub out_of_order: f64,
    /// Given a second time, within [`NEARBY_MS`].
    pub duplicated: f64,
    /// Given broken instead of whole: cut short, not UTF-8, without `ts`, with `ts` as text, or no object.
    pub malformed: f64,
}

/// How far a record that is out of order, or comes twice, is moved at most: milliseconds of event time.
pub const NEARBY_MS: i64 = 5_000;

impl DisorderRates {
    /// Whether all records stay as they are.
    pub fn is_none(&self) -> bool {
        self.late + self.out_of_order + self.duplicated + self.malformed == 0.0
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Given as it is.
    Untouched,
    /// Given once event time had moved on by so many milliseconds.
    Late(i64),
    /// As late, but little.
    OutOfOrder(i64),
    /// Given, and once more after so many milliseconds of event time.
    Duplicated(i64),
    /// Given broken.
    Malformed,
}

impl Fate {
    /// Name in the file of the truth, and milliseconds.
    fn words(self) -> (&'static str, i64) {
        match self {
            Fate::Untouched => ("untouched", 0),
            Fate::Late(by) => ("late", by),
            Fate::OutOfOrder(by) => ("out_of_order", by),
            Fate::Duplicated(by) => ("duplicated", by),
            Fate::Malformed => ("malformed", 0),
        }
    }
}

/// Disturbs records on their way.
#[derive(Debug)]
pub struct Disorder {
    rates: DisorderRates,
    random: Random,
    held: BinaryHeap<Reverse<Held>>,
    holds: u64,
    fates: Vec<Fate>,
}

/// By the moment of release, then by order of arrival.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    release: i64,
    order: u64,
    record: Kept,
}

#[derive(Debug)]
struct Kept(Envelope, Vec<u8>);

// `order` is unique, so what is kept never decides.
impl PartialEq for Kept {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl Eq for Kept {}
impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Kept {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Stream of chance, besides those of listeners.
const STREAM: u64 = u64::MAX - 1;

impl Disorder {
    /// # Errors
    /// A share is no share, or together they are more than 1.
    pub fn new(rates: DisorderRates, seed: u64) -> Result<Self, ConfigError> {
        let DisorderRates { late, out_of_order, duplicated, malformed, late_by_ms } = rates;
        let shares = [
            ("late", late),
            ("out-of-order", out_of_order),
            ("duplicated", duplicated),
            ("malformed", malformed),
        ];
        for (key, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(ConfigError::new(key, format!("is {share}; it must be a number from 0 to 1")));
            }
        }
        let sum: f64 = shares.iter().map(|(_, share)| share).sum();
        if sum > 1.0 + 1e-9 {
            let problem = format!("add up to {sum} with it; together they may be 1 at most");
            return Err(ConfigError::new(
                "malformed",
                format!("the shares late, out-of-order and duplicated {problem}"),
            ));
        }
        if late > 0.0 && late_by_ms <= 0 {
            return Err(ConfigError::new("late-by", "must be above 0 where records come late"));
        }
        let random = Random::new(seed, STREAM);
        Ok(Self { rates, random, held: BinaryHeap::new(), holds: 0, fates: Vec::new() })
    }

    /// Appends the records of `truth` to `out`, disturbed, with those held back before whose time has come. Gives what
    /// became of each of them.
    pub fn apply(&mut self, truth: &RecordBuffer, out: &mut RecordBuffer) -> &[Fate] {
        self.fates.clear();
        for record in truth.iter() {
            let ts = record.envelope.ts;
            self.release(ts, out);
            let fate = self.fate();
            match fate {
                Fate::Untouched => out.push(record.envelope, record.line),
                Fate::Malformed => {
                    let broken = self.broken(record);
                    out.push(record.envelope, &broken);
                }
                Fate::Duplicated(by) => {
                    out.push(record.envelope, record.line);
                    self.hold(ts.saturating_add(by), record);
                }
                Fate::Late(by) | Fate::OutOfOrder(by) => self.hold(ts.saturating_add(by), record),
            }
            self.fates.push(fate);
        }
        &self.fates
    }

    /// Appends everything that is still held back.
    pub fn finish(&mut self, out: &mut RecordBuffer) {
        self.release(i64::MAX, out);
    }

    fn release(&mut self, until: i64, out: &mut RecordBuffer) {
        while self.held.peek().is_some_and(|Reverse(held)| held.release <= until) {
            if let Some(Reverse(Held { record: Kept(envelope, line), .. })) = self.held.pop() {
                out.push(envelope, &line);
            }
        }
    }

    fn hold(&mut self, release: i64, record: Record<'_>) {
        self.holds += 1;
        let record = Kept(record.envelope, record.line.to_vec());
        self.held.push(Reverse(Held { release, order: self.holds, record }));
    }

    fn fate(&mut self) -> Fate {
        let DisorderRates { late, late_by_ms, out_of_order, duplicated, malformed } = self.rates;
        let mut at = self.random.unit();
        let mut within = |share: f64| {
            let hit = at < share;
            at -= share;
            hit
        };
        if within(late) {
            Fate::Late(1 + self.random.exponential(late_by_ms as f64) as i64)
        } else if within(out_of_order) {
            Fate::OutOfOrder(1 + self.random.below(NEARBY_MS as u64) as i64)
        } else if within(duplicated) {
            Fate::Duplicated(1 + self.random.below(NEARBY_MS as u64) as i64)
        } else if within(malformed) {
            Fate::Malformed
        } else {
            Fate::Untouched
        }
    }

    /// The record as no reader can take it.
    fn broken(&mut self, record: Record<'_>) -> Vec<u8> {
        let json = record.json();
        let mut broken = match self.random.below(5) {
            0 => json
                .get(..1 + self.random.below(json.len().saturating_sub(1) as u64) as usize)
                .unwrap_or(json)
                .to_vec(),
            1 => {
                // 0xFF occurs nowhere in UTF-8.
                let at = self.random.below(json.len() as u64) as usize;
                let (before, after) = json.split_at(at);
                [before, &[0xFF], after].concat()
            }
            2 => replaced(json, b"\"ts\":", b"\"time\":"),
            3 => replaced(json, b"\"ts\":", b"\"ts\":\"soon\",\"was\":"),
            _ => [b"[", json, b"]"].concat(),
        };
        broken.push(b'\n');
        broken
    }
}

/// `text` with its first `from` replaced. No title can hold it: there the quotes are escaped.
fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match text.windows(from.len()).position(|window| window == from) {
        Some(at) => {
            let (before, rest) = text.split_at(at);
            [before, to, rest.get(from.len()..).unwrap_or_default()].concat()
        }
        None => Vec::new(),
    }
}

/// Appends a line of JSON for each record: its topic, what became of it and by how much, and the record as simulated.
pub fn write_truth(records: &RecordBuffer, fates: &[Fate], out: &mut Vec<u8>) {
    for (record, fate) in records.iter().zip(fates) {
        let (name, by) = fate.words();
        out.extend_from_slice(b"{\"table\":\"");
        out.extend_from_slice(record.envelope.kind.table().as_bytes());
        out.extend_from_slice(b"\",\"fate\":\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\",\"by_ms\":");
        json::integer(out, by);
        out.extend_from_slice(b",\"record\":");
        out.extend_from_slice(record.json());
        out.extend_from_slice(b"}\n");
    }
}
