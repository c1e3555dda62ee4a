//! From the dictionary keys that batches come with to the charts' own text ids.

use std::sync::{Arc, Weak};

use super::intern::{NO_TEXT, Renumbering, Texts};
use crate::schemas::{Dictionary, TextColumn};

const UNSEEN: u32 = u32::MAX - 1;

/// For each dictionary that batches came with: its keys as text ids, so that a row costs no hash.
#[derive(Debug, Default)]
pub(super) struct Remaps {
    known: Vec<Remap>,
    /// Purged once there are so many.
    purge_at: usize,
}

/// Fewer remaps than this are not worth a purge.
const MIN_PURGE: usize = 8;

#[derive(Debug)]
struct Remap {
    /// The weak reference keeps the address from being given to another dictionary.
    dictionary: Weak<Dictionary>,
    texts: Vec<u32>,
    /// Some keys have no text id: a compaction dropped theirs.
    has_unseen: bool,
}

impl Remaps {
    /// Follows a compaction.
    pub(super) fn renumber(&mut self, new: &Renumbering) {
        for id in self.known.iter_mut().flat_map(|remap| &mut remap.texts) {
            *id = new.texts.get(*id as usize).copied().filter(|&id| id != NO_TEXT).unwrap_or(UNSEEN);
        }
        self.known.iter_mut().for_each(|remap| remap.has_unseen = remap.texts.contains(&UNSEEN));
    }

    /// To be called before the first [`Remaps::prepare`] of a batch: drops what is gone once there are twice as many as
    /// were left the last time, for decoders start dictionaries anew. A remap may be as large as a catalogue.
    pub(super) fn begin(&mut self) {
        if self.known.len() >= self.purge_at.max(MIN_PURGE) {
            self.purge();
        }
    }

    /// Makes sure that every key of `rows` has its text id; returns the place of the column's remap.
    pub(super) fn prepare(
        &mut self,
        texts: &mut Texts,
        column: &TextColumn,
        rows: std::ops::Range<usize>,
    ) -> usize {
        let place = self.place_of(&column.dictionary);
        let (Some(remap), Some(keys)) = (self.known.get_mut(place), column.keys.get(rows)) else {
            return place;
        };
        let values = column.dictionary.read();
        let new = (remap.texts.len()..values.len()).map(|key| values.get(key as u32).unwrap_or_default());
        texts.intern_all(new, &mut remap.texts);
        if remap.has_unseen {
            for &key in keys {
                if let (Some(&UNSEEN), Some(text)) = (remap.texts.get(key as usize), values.get(key)) {
                    remap.texts[key as usize] = texts.intern(text);
                }
            }
        }
        place
    }

    /// The text ids by key, of a place that [`Remaps::prepare`] returned.
    pub(super) fn texts(&self, place: usize) -> &[u32] {
        self.known.get(place).map_or(&[], |remap| &remap.texts)
    }

    fn place_of(&mut self, dictionary: &Arc<Dictionary>) -> usize {
        let address = Arc::as_ptr(dictionary);
        if let Some(place) = self.known.iter().position(|remap| remap.dictionary.as_ptr() == address) {
            return place;
        }
        self.known.push(Remap {
            dictionary: Arc::downgrade(dictionary),
            texts: Vec::new(),
            has_unseen: false,
        });
        self.known.len() - 1
    }

    /// Drops the remaps of dictionaries that nobody else holds any more.
    pub(super) fn purge(&mut self) {
        self.known.retain(|remap| remap.dictionary.strong_count() > 0);
        self.purge_at = 2 * self.known.len();
    }
}

/// The text id of `key`; [`NO_TEXT`] for null and for keys that the dictionary does not have.
#[inline]
pub(super) fn text_id(texts: &[u32], key: u32) -> u32 {
    match texts.get(key as usize) {
        Some(&id) if id != UNSEEN => id,
        _ => NO_TEXT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(dictionary: &Arc<Dictionary>) -> TextColumn {
        TextColumn { keys: vec![0], dictionary: Arc::clone(dictionary) }
    }

    #[test]
    fn dictionaries_that_are_gone_are_forgotten_under_way() {
        let (mut remaps, mut texts) = (Remaps::default(), Texts::default());
        let lasting = Arc::new(Dictionary::default());
        lasting.push("lasting");
        for number in 0..1000 {
            let passing = Arc::new(Dictionary::default());
            passing.push(&number.to_string());
            remaps.begin();
            let place = remaps.prepare(&mut texts, &column(&lasting), 0..1);
            assert_eq!(text_id(remaps.texts(place), 0), texts.intern("lasting"));
            let place = remaps.prepare(&mut texts, &column(&passing), 0..1);
            assert_eq!(text_id(remaps.texts(place), 0), texts.intern(&number.to_string()));
            assert!(remaps.known.len() <= MIN_PURGE + 1, "{}", remaps.known.len());
        }
    }
}
