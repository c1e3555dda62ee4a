//! Interned text: a small number for each distinct string.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use crate::schemas::dictionary::Values;

/// Distinct strings, found by text.
#[derive(Debug, Default)]
pub(super) struct TextArena {
    texts: Values,
    /// Each text's hash, so that growing need not look at the texts again, and its id.
    by_text: HashTable<(u64, u32)>,
    hasher: foldhash::fast::RandomState,
}

impl TextArena {
    /// Number of strings.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// The string with this id.
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        self.texts.get(id)
    }

    /// The id of `text`, and whether it is new.
    pub(super) fn intern(&mut self, text: &str) -> (u32, bool) {
        let hash = self.hasher.hash_one(text);
        let Self { texts, by_text, .. } = self;
        let is_it = |entry: &(u64, u32)| entry.0 == hash && texts.get(entry.1) == Some(text);
        if let Some(&(_, id)) = by_text.find(hash, is_it) {
            return (id, false);
        }
        let id = texts.push(text);
        by_text.insert_unique(hash, (hash, id), |entry| entry.0);
        (id, true)
    }
}
