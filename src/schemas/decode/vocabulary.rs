//! What decoders know of texts, kept between batches and shared by those that work on one thread.
//!
//! Partitions and topics carry the same songs, places and browsers. If each partition had dictionaries of its own, every text
//! would be met, checked and kept once for each of them, and their tables would push each other out of the processor's caches.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::intern::TextInterner;
use super::plan::Plan;
use super::privacy::Privacy;
use super::share::{DictionaryBudget, DictionaryShare};
use super::{Decoder, Interners};
use crate::schemas::Source;
use crate::schemas::field::Field;

/// Interners by column: a column of one name is the same in every event type.
#[derive(Default)]
struct Shelf {
    by_column: BTreeMap<&'static str, TextInterner>,
    /// Changes whenever a dictionary is started anew.
    generation: u64,
}

/// What was taken from a [`Vocabulary`] for one batch.
#[derive(Default)]
pub(super) struct Known {
    /// By field index.
    pub(super) interners: Interners,
    /// The shelf without them.
    shelf: Shelf,
}

impl Known {
    /// Keys that were remembered in another generation mean nothing. 0 is none.
    pub(super) fn generation(&self) -> u64 {
        self.shelf.generation
    }
}

impl Shelf {
    /// One of a generation of its own.
    fn empty() -> Self {
        Self { by_column: BTreeMap::new(), generation: new_generation() }
    }

    /// Starts the largest dictionaries anew until the rest takes at most `limit` bytes.
    fn keep_to(&mut self, limit: usize) {
        while self.by_column.values().map(TextInterner::heap_bytes).sum::<usize>() > limit {
            let sizes = self.by_column.iter().map(|(column, interner)| (interner.heap_bytes(), *column));
            let Some((_, largest)) = sizes.max() else { return };
            self.by_column.remove(largest);
            self.generation = new_generation();
        }
    }
}

/// One that no interners had before.
fn new_generation() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Interners that decoders with the same repair and privacy use in turn, each for one batch.
///
/// Whoever decodes a batch takes them, so there is no lock to hold and nobody waits: should another need them at the
/// same time, it begins with new ones, and those that are put back last stay.
pub(super) struct Vocabulary {
    shelf: Mutex<Option<Shelf>>,
    share: DictionaryShare,
}

impl Vocabulary {
    pub(super) fn new(budget: &Arc<DictionaryBudget>) -> Self {
        Self { shelf: Mutex::new(None), share: budget.join() }
    }

    /// The interners for an event type, new ones where there are none.
    pub(super) fn take(&self, plan: &Plan) -> Known {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut shelf = shelf.unwrap_or_else(Shelf::empty);
        let interner = |(index, field): (usize, &Field)| {
            shelf.by_column.remove(field.column).or_else(|| plan.interner(index))
        };
        Known { interners: plan.fields.iter().enumerate().map(interner).collect(), shelf }
    }

    /// Puts back what was taken, after a batch.
    pub(super) fn put(&self, plan: &Plan, known: Known) {
        let Known { interners, mut shelf } = known;
        let columns = plan.fields.iter().map(|field| field.column).zip(interners);
        shelf.by_column.extend(columns.filter_map(|(column, interner)| Some((column, interner?))));
        shelf.keep_to(self.share.bytes());
        *self.shelf.lock().unwrap_or_else(PoisonError::into_inner) = Some(shelf);
    }
}

/// Makes decoders that share what they know of texts.
pub struct Vocabularies {
    repair: bool,
    privacy: Privacy,
    budget: Arc<DictionaryBudget>,
    /// By thread; gone with its last decoder.
    shared: Mutex<BTreeMap<usize, Weak<Vocabulary>>>,
}

impl Vocabularies {
    /// `limit`: bytes that the dictionaries of all decoders may hold, with the tables that texts are looked up in. For
    /// `repair` see [`Decoder::new`], for `privacy` [`Decoder::with_privacy`].
    pub fn new(limit: usize, repair: bool, privacy: Privacy) -> Self {
        Self { repair, privacy, budget: DictionaryBudget::new(limit), shared: Mutex::default() }
    }

    /// A decoder for `source` that shares with the others made for the same `thread`, where all of them should work: one
    /// after another.
    pub fn decoder(&self, source: Arc<Source>, thread: usize) -> Decoder {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let place = shared.entry(thread).or_default();
        let vocabulary = place.upgrade().unwrap_or_else(|| {
            let vocabulary = Arc::new(Vocabulary::new(&self.budget));
            *place = Arc::downgrade(&vocabulary);
            vocabulary
        });
        let mut plan = Plan::new(source.kind, self.repair);
        plan.privacy = self.privacy.clone();
        Decoder::over(source, plan, vocabulary)
    }
}
