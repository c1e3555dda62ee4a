//! Decoding: raw Kafka payloads become the columns of an [`EventBatch`].
//!
//! A hand-written scanner takes the usual record, member by member in the order in which Eventsim writes them.
//! On any surprise it gives the record to a validating parser (simd-json), whose answer stands. Both give the
//! same columns; the scanner is only quicker.
//!
//! What becomes of a record that is not quite as expected:
//!
//! | what arrives | what it becomes |
//! |---|---|
//! | a member is absent, or `null` | null (for `ts`: rejected, `missing_ts`) |
//! | an integer where a float is expected | the float |
//! | `1.0` or `1e3` where an integer is expected | the integer, exactly |
//! | `1.5` where an integer is expected | rejected, `type` |
//! | a number beyond 64 bits where an integer is expected | rejected, `range` |
//! | a number beyond the range of a float | rejected, `range` or (simd-json refuses it first) `json` |
//! | a string of digits where an integer is expected (`"userId":"42"`) | the integer, if it is written as JSON writes integers; `""` (Interana's logged-out user) is null; anything else is rejected, `type` |
//! | a string where a timestamp, a float or a boolean is expected | rejected, `type` |
//! | `0`, `1` or `"true"` where a boolean is expected | rejected, `type` |
//! | a number or a boolean where text is expected | its JSON text as it stands; `"zip":1234` is `1234`, not padded, for it may be no US code |
//! | an object or an array where anything else is expected | rejected, `type` |
//! | a member that the schema does not know | kept in `extra`: one JSON object with the members in arriving order, values as written less white space, a repeated name repeated |
//! | the same known member twice (also spelt with escapes) | the last one counts |
//! | members in another order | the same columns |
//! | white space round the record and in it (Eventsim ends each with `\n`) | taken no notice of |
//! | anything else after the object, a truncated object, unpaired surrogates, nesting deeper than 1,024 | rejected, `json` |
//! | bytes that are not UTF-8 | rejected, `utf8` |
//! | a JSON value that is not an object | rejected, `not_object` |
//! | no bytes, or only white space | rejected, `empty` |
//! | no value at all | rejected, `tombstone` |
//! | `ts` outside the years 1970 to 9999 | rejected, `ts_range` |
//! | `registration` outside the years 1 to 9999 (BigQuery's timestamps) | rejected, `range` |
//!
//! Text is unescaped, checked and repaired once for each distinct spelling and column, not once an event: a column
//! interns the bytes between the quotes. What is interned is shared and has a budget, see [`Vocabularies`].

mod build;
mod fallback;
mod fast;
mod hash;
mod intern;
mod members;
mod number;
mod plan;
mod privacy;
mod reject;
mod repair;
mod scan;
mod share;
mod steady;
mod table;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::sync::Arc;

pub use hash::record_hash;
pub use privacy::{PERSONAL, Privacy, decoding_id};
pub use reject::REASONS;
pub use vocabulary::Vocabularies;

use super::batch::{EventBatch, Rejected, Source};
use build::{Builder, Rows};
use fallback::Fallback;
use intern::TextInterner;
use plan::Plan;
use reject::Rejection;
use share::DictionaryBudget;
use vocabulary::{Known, Vocabulary};

/// A Kafka record as it arrived, borrowed from the client.
#[derive(Debug, Clone, Copy)]
pub struct RawRecord<'a> {
    /// Kafka offset.
    pub offset: i64,
    /// Kafka timestamp, milliseconds since 1970 UTC; -1 where the broker gave none.
    pub timestamp: i64,
    /// Record key, if there is one.
    pub key: Option<&'a [u8]>,
    /// Record value; none for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Turns one partition's records into batches, one after another.
///
/// What can be is kept from batch to batch: parser scratch, interners and dictionaries, the size of the last batch.
pub struct Decoder {
    source: Arc<Source>,
    plan: Plan,
    vocabulary: Arc<Vocabulary>,
    /// Taken from `vocabulary` while a batch is under way.
    known: Known,
    /// The generation that `scratch` remembers keys of.
    generation: u64,
    scratch: fast::Scratch,
    fallback: Fallback,
    rows: Rows,
    /// The batch under way.
    builder: Builder,
    /// Whether there is one.
    begun: bool,
    /// Where the next batch begins, if nobody says otherwise.
    next: i64,
    /// Rows of the batch before.
    last_rows: usize,
    fast_path: bool,
}

/// Bytes for the dictionaries of a decoder that shares with none.
const OWN_DICTIONARIES: usize = 64 << 20;

fn own_vocabulary() -> Arc<Vocabulary> {
    Arc::new(Vocabulary::new(&DictionaryBudget::new(OWN_DICTIONARIES)))
}

/// One interner for each text field that JSON carries, by field index.
type Interners = Vec<Option<TextInterner>>;

impl Decoder {
    /// A decoder for `source` that shares with none (see [`Vocabularies`] for those that do); its first batch begins at
    /// offset 0. `repair` undoes what Eventsim did to its text (song, artist, user agent); it would harm the text of other
    /// producers.
    pub fn new(source: Arc<Source>, repair: bool) -> Self {
        let plan = Plan::new(source.kind, repair);
        Self::over(source, plan, own_vocabulary())
    }

    /// One that shares `vocabulary` with other decoders of the same repair and privacy.
    fn over(source: Arc<Source>, plan: Plan, vocabulary: Arc<Vocabulary>) -> Self {
        Self {
            source,
            plan,
            vocabulary,
            known: Known::default(),
            generation: 0,
            scratch: fast::Scratch::default(),
            fallback: Fallback::default(),
            rows: Rows::default(),
            builder: Builder::default(),
            begun: false,
            next: 0,
            last_rows: 0,
            fast_path: true,
        }
    }

    /// Where its records come from.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// Hides what is personal; to be called before the first record.
    pub fn with_privacy(mut self, privacy: Privacy) -> Self {
        self.plan.privacy = privacy;
        // What is known so far is not hidden.
        Self { vocabulary: own_vocabulary(), begun: false, ..self }
    }

    /// Whether the scanner is tried first (the default). Without it every record goes through the validating
    /// parser: same columns, slower; for comparison in tests and benchmarks.
    pub fn fast_path(mut self, on: bool) -> Self {
        self.fast_path = on;
        self
    }

    /// Begins a batch at offset `start`, dropping one that was not finished; `expected` rows is a capacity hint
    /// (0: as many as the last batch had).
    pub fn begin(&mut self, start: i64, expected: usize) {
        if !self.begun {
            self.known = self.vocabulary.take(&self.plan);
            if self.generation != self.known.generation() {
                self.generation = self.known.generation();
                self.scratch.forget();
            }
            self.begun = true;
        }
        self.rows.clear();
        let rows = if expected == 0 { self.last_rows } else { expected };
        self.builder = Builder::new(&self.plan, &self.known.interners, start, rows);
    }

    /// Decodes one record into the batch: as a row, or as a rejected record. Records come in offset order;
    /// `headers` is called only if the record is rejected.
    #[inline]
    pub fn push(&mut self, record: RawRecord<'_>, headers: impl FnOnce() -> Vec<(String, Option<Vec<u8>>)>) {
        if !self.begun {
            self.begin(self.next, 0);
        }
        let hash = record_hash(record.offset, record.timestamp, record.key, record.value);
        let decoded = match record.value {
            Some(value) => self.decode(value),
            None => Err(Rejection::Tombstone),
        };
        match decoded {
            Ok(extra) => {
                self.builder.push(&mut self.rows, record.offset, record.timestamp, hash, extra);
            }
            // Nobody can tell what in a record that does not decode is personal.
            Err(rejection) => self.builder.reject(Rejected {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.filter(|_| !self.plan.privacy.hides()).map(<[u8]>::to_vec),
                headers: if self.plan.privacy.hides() { Vec::new() } else { headers() },
                reason: rejection.reason(),
                detail: rejection.to_string(),
                hash,
            }),
        }
    }

    /// Ends the batch: its range is `[start, end)`. Where none was begun, an empty one begins where the last ended.
    pub fn finish(&mut self, end: i64) -> EventBatch {
        if !self.begun {
            self.begin(self.next, 0);
        }
        let builder = std::mem::take(&mut self.builder);
        let batch = builder.finish(&mut self.rows, Arc::clone(&self.source), end);
        self.vocabulary.put(&self.plan, std::mem::take(&mut self.known));
        self.begun = false;
        self.next = end;
        self.last_rows = batch.rows();
        batch
    }

    /// Fills the next row; what is returned is the text of `extra`.
    #[inline]
    fn decode(&mut self, value: &[u8]) -> Result<Option<String>, Rejection> {
        if self.fast_path && self.scan(value).is_some() {
            return Ok(None);
        }
        let row = self.rows.next();
        row.clear();
        self.fallback.decode(&self.plan, &mut self.known.interners, row, value)
    }

    /// The fast path alone.
    #[inline]
    fn scan(&mut self, value: &[u8]) -> Option<()> {
        let row = self.rows.next();
        row.clear();
        fast::decode(&self.plan, &mut self.known.interners, &mut self.scratch, row, value)
    }
}
