//! What decoders know of texts, kept between batches and shared by those that work on one thread.
//!
//! Partitions of a topic carry the same songs, places and browsers. If each had a dictionary of its own, every text would be
//! met, checked and kept once for each of them, and their tables would push each other out of the processor's caches.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::intern::TextInterner;
use super::plan::Plan;
use super::privacy::Privacy;
use super::share::{DictionaryBudget, DictionaryShare};
use super::{Decoder, Interners};
use crate::schemas::{EventKind, Source};

/// Interners, and which they are.
#[derive(Default)]
pub(super) struct Known {
    pub(super) interners: Interners,
    /// Changes whenever a dictionary is started anew: keys that were remembered before then mean nothing.
    pub(super) generation: u64,
}

impl Known {
    fn new(plan: &Plan) -> Self {
        Self { interners: plan.interners(), generation: new_generation() }
    }

    /// Starts the largest dictionaries anew until the rest takes at most `limit` bytes.
    pub(super) fn keep_to(&mut self, plan: &Plan, limit: usize) {
        let size = |interner: &Option<TextInterner>| interner.as_ref().map_or(0, TextInterner::heap_bytes);
        while self.interners.iter().map(size).sum::<usize>() > limit {
            let largest = self.interners.iter_mut().enumerate().max_by_key(|(_, interner)| size(interner));
            let Some((index, interner)) = largest else { return };
            *interner = plan.interner(index);
            self.generation = new_generation();
        }
    }
}

/// One that no interners had before; 0 is never given.
fn new_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Interners that decoders with the same plan use in turn, each for one batch.
///
/// Whoever decodes a batch takes them, so there is no lock to hold and nobody waits: should another need them at the
/// same time, it begins with new ones, and those that are given back last stay.
pub(super) struct Vocabulary {
    resting: Mutex<Option<Known>>,
    share: DictionaryShare,
}

impl Vocabulary {
    pub(super) fn new(budget: &Arc<DictionaryBudget>) -> Self {
        Self { resting: Mutex::new(None), share: budget.join() }
    }

    /// The interners, or new ones where there are none at rest.
    pub(super) fn take(&self, plan: &Plan) -> Known {
        let resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner).take();
        resting.unwrap_or_else(|| Known::new(plan))
    }

    /// Gives back what was taken, after a batch.
    pub(super) fn put(&self, known: Known) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Bytes that the interners may take, at present.
    pub(super) fn limit(&self) -> usize {
        self.share.bytes()
    }
}

/// Makes decoders that share what they know of texts.
pub struct Vocabularies {
    repair: bool,
    privacy: Privacy,
    budget: Arc<DictionaryBudget>,
    /// By thread and event type; gone with the last decoder.
    shared: Mutex<BTreeMap<(usize, EventKind), Weak<Vocabulary>>>,
}

impl Vocabularies {
    /// `limit`: bytes that the dictionaries of all decoders may hold, with the tables that texts are looked up in. For
    /// `repair` see [`Decoder::new`], for `privacy` [`Decoder::with_privacy`].
    pub fn new(limit: usize, repair: bool, privacy: Privacy) -> Self {
        Self { repair, privacy, budget: DictionaryBudget::new(limit), shared: Mutex::default() }
    }

    /// A decoder for `source` that shares with the others made for its event type and the same `thread`, where all of them
    /// should work: one after another.
    pub fn decoder(&self, source: Arc<Source>, thread: usize) -> Decoder {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let place = shared.entry((thread, source.kind)).or_default();
        let vocabulary = place.upgrade().unwrap_or_else(|| {
            let vocabulary = Arc::new(Vocabulary::new(&self.budget));
            *place = Arc::downgrade(&vocabulary);
            vocabulary
        });
        Decoder::new(source, self.repair).with_privacy(self.privacy.clone()).with_vocabulary(vocabulary)
    }
}
