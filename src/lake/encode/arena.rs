//! Interned text: a small number for each distinct string.

use std::hash::BuildHasher;

use hashbrown::HashTable;

/// Distinct strings, laid end to end, found by text.
#[derive(Debug, Default)]
pub(super) struct TextArena {
    text: String,
    ends: Vec<usize>,
    /// Each text's hash, so that growing need not look at the texts again, and its id.
    by_text: HashTable<(u64, u32)>,
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
        let Self { text: all, ends, by_text, .. } = self;
        let is_it = |entry: &(u64, u32)| entry.0 == hash && slice(all, ends, entry.1) == Some(text);
        if let Some(&(_, id)) = by_text.find(hash, is_it) {
            return (id, false);
        }
        all.push_str(text);
        ends.push(all.len());
        let id = (ends.len() - 1) as u32;
        by_text.insert_unique(hash, (hash, id), |entry| entry.0);
        (id, true)
    }
}

fn slice<'t>(text: &'t str, ends: &[usize], id: u32) -> Option<&'t str> {
    let id = id as usize;
    let end = *ends.get(id)?;
    let start = id.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    text.get(start..end)
}
