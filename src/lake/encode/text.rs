//! From batch-wide dictionary keys to a column chunk's own dictionary, without hashing a row.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::page::{ByteValues, ColumnBuffers};
use crate::schemas::column::NULL_KEY;

/// Renumbers keys in order of first use, so that a file's bytes depend on its rows only, never on the order in
/// which a decoder met the strings.
#[derive(Debug, Default)]
pub(super) struct KeyRemap {
    /// For each key of the current dictionary: the epoch in which it was met (upper half) and its index (lower half).
    slots: Vec<u64>,
    epoch: u32,
    /// Indices by text, for columns whose keys come from more than one dictionary.
    by_text: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

/// A key that its dictionary never gave out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnknownKey(pub u32);

impl KeyRemap {
    /// Forgets the column before.
    pub(super) fn begin_column(&mut self) {
        self.by_text.clear();
    }

    /// Keys that follow refer to another dictionary, of `len` strings.
    pub(super) fn begin_dictionary(&mut self, len: usize) {
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.slots.clear();
            self.epoch = 1;
        }
        if self.slots.len() < len {
            self.slots.resize(len, 0);
        }
    }

    /// Appends `keys` to the column in `buffers`. `merge` looks strings up by text too: needed where the column
    /// draws on more than one dictionary.
    pub(super) fn append<'t>(
        &mut self,
        buffers: &mut ColumnBuffers,
        keys: &[u32],
        merge: bool,
        text: impl Fn(u32) -> Option<&'t str>,
    ) -> Result<(), UnknownKey> {
        if keys.iter().all(|&key| key == NULL_KEY) {
            buffers.levels.push_nulls(keys.len());
            return Ok(());
        }
        let nulls = keys.contains(&NULL_KEY);
        if !nulls {
            buffers.levels.push_valid(keys.len());
        }
        buffers.indices.reserve(keys.len());
        for &key in keys {
            if nulls {
                buffers.levels.push(key != NULL_KEY);
                if key == NULL_KEY {
                    continue;
                }
            }
            let slot = self.slots.get(key as usize).copied().ok_or(UnknownKey(key))?;
            let index = if (slot >> 32) as u32 == self.epoch {
                slot as u32
            } else {
                let text = text(key).ok_or(UnknownKey(key))?.as_bytes();
                let index =
                    if merge { self.intern(&mut buffers.texts, text) } else { buffers.texts.push(text) };
                if let Some(slot) = self.slots.get_mut(key as usize) {
                    *slot = u64::from(self.epoch) << 32 | u64::from(index);
                }
                index
            };
            buffers.indices.push(index);
        }
        Ok(())
    }

    /// The index of `text` in `texts`, where it is added if need be.
    pub(super) fn intern(&mut self, texts: &mut ByteValues, text: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(text);
        if let Some(&index) = self.by_text.find(hash, |&index| texts.get(index) == text) {
            return index;
        }
        let index = texts.push(text);
        let hasher = &self.hasher;
        self.by_text.insert_unique(hash, index, |&index| hasher.hash_one(texts.get(index)));
        index
    }
}
