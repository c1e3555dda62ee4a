//! Append-only text dictionaries, shared between the decoders that fill one and every batch that refers to it.

use std::sync::RwLock;

/// Append-only list of distinct strings. A key, once given, always names the same string.
///
/// The decoders of a thread append, one at a time; any number of batches (held by the aggregator and the uploader) read.
/// Readers take the lock once a batch, never once a row.
#[derive(Debug, Default)]
pub struct Dictionary {
    values: RwLock<Values>,
}

/// The strings of a [`Dictionary`], laid end to end.
#[derive(Debug, Default)]
pub struct Values {
    bytes: String,
    ends: Vec<usize>,
}

impl Values {
    /// The string with this key, if it was ever given out.
    pub fn get(&self, key: u32) -> Option<&str> {
        let key = key as usize;
        let end = *self.ends.get(key)?;
        let start = match key.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
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
        let mut values = self.values.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        values.bytes.push_str(text);
        let end = values.bytes.len();
        values.ends.push(end);
        (values.ends.len() - 1) as u32
    }

    /// Read access to the strings, for the length of one batch's work.
    pub fn read(&self) -> std::sync::RwLockReadGuard<'_, Values> {
        self.values.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
