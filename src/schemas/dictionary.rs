//! Append-only text dictionaries, shared between the decoders that fill one and every batch that refers to it.

use std::ops::Range;
use std::sync::RwLock;

/// Append-only list of distinct strings. A key, once given, always names the same string.
///
/// The decoders of a thread append, one at a time; any number of batches (held by the aggregator and the uploader) read.
/// Readers take the lock once a batch, never once a row.
#[derive(Debug, Default)]
pub struct Dictionary {
    values: RwLock<Values>,
}

/// Strings laid end to end, as those of a [`Dictionary`]. Keys are dense from 0; four billion strings do not fit into
/// memory, so `u32` does not overflow.
#[derive(Debug, Default)]
pub struct Values {
    bytes: String,
    ends: Vec<usize>,
}

impl Values {
    /// Adds a string and returns its key.
    pub fn push(&mut self, text: &str) -> u32 {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        (self.ends.len() - 1) as u32
    }

    /// The string with this key, if it was ever given out.
    pub fn get(&self, key: u32) -> Option<&str> {
        self.slice(self.span(key)?)
    }

    /// Where the string with this key lies, for [`Values::slice`]: looking that up is one cache miss, the string another.
    pub fn span(&self, key: u32) -> Option<Range<usize>> {
        let key = key as usize;
        let end = *self.ends.get(key)?;
        let start = match key.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        Some(start..end)
    }

    /// The string that lies at `span`.
    pub fn slice(&self, span: Range<usize>) -> Option<&str> {
        self.bytes.get(span)
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no string was added yet.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes that the strings take, their ends included. They only become more.
    pub fn text_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(self.ends.as_slice())
    }

    /// Bytes of memory held besides the struct itself.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

impl Dictionary {
    /// Adds a string that is not there yet (the caller's interner knows) and returns its key.
    pub fn push(&self, text: &str) -> u32 {
        self.values.write().unwrap_or_else(|poisoned| poisoned.into_inner()).push(text)
    }

    /// Read access to the strings, for the length of one batch's work.
    pub fn read(&self) -> std::sync::RwLockReadGuard<'_, Values> {
        self.values.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
