//! Interned text: a small number for each distinct string.

use std::hash::BuildHasher;

use hashbrown::HashTable;

/// Distinct strings, laid end to end, found by text.
#[derive(Debug, Default)]
pub(super) struct TextArena {
    text: String,
    ends: Vec<usize>,
    by_text: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl TextArena {
    /// Number of strings.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The string with this id.
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        slice(&self.text, &self.ends, id)
    }

    /// The id of `text`, and whether it is new.
    pub(super) fn intern(&mut self, text: &str) -> (u32, bool) {
        let hash = self.hasher.hash_one(text);
        let Self { text: all, ends, by_text, hasher } = self;
        if let Some(&id) = by_text.find(hash, |&id| slice(all, ends, id) == Some(text)) {
            return (id, false);
        }
        all.push_str(text);
        ends.push(all.len());
        let id = (ends.len() - 1) as u32;
        by_text.insert_unique(hash, id, |&id| hasher.hash_one(slice(all, ends, id).unwrap_or("")));
        (id, true)
    }
}

fn slice<'t>(text: &'t str, ends: &[usize], id: u32) -> Option<&'t str> {
    let id = id as usize;
    let end = *ends.get(id)?;
    let start = id.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    text.get(start..end)
}
