//! The memory that the dictionaries of all decoders share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that the dictionaries of all decoders together may hold, with the tables that texts are looked up in. Each
/// vocabulary has an equal share; one that is past it at the end of a batch starts its largest dictionaries anew.
#[derive(Debug)]
pub(super) struct DictionaryBudget {
    limit: usize,
    sharers: AtomicUsize,
}

impl DictionaryBudget {
    /// A budget of `limit` bytes.
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, sharers: AtomicUsize::new(0) })
    }

    /// One more share; those of the others become smaller.
    pub(super) fn join(self: &Arc<Self>) -> DictionaryShare {
        self.sharers.fetch_add(1, Ordering::Relaxed);
        DictionaryShare(Arc::clone(self))
    }
}

/// One vocabulary's share of a [`DictionaryBudget`]; the others' become larger on drop.
#[derive(Debug)]
pub(super) struct DictionaryShare(Arc<DictionaryBudget>);

impl DictionaryShare {
    /// Bytes, at present.
    pub(super) fn bytes(&self) -> usize {
        self.0.limit / self.0.sharers.load(Ordering::Relaxed).max(1)
    }
}

impl Drop for DictionaryShare {
    fn drop(&mut self) {
        self.0.sharers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_alike() {
        let budget = DictionaryBudget::new(90);
        let (one, two) = (budget.join(), budget.join());
        assert_eq!((one.bytes(), two.bytes()), (45, 45));
        let three = budget.join();
        assert_eq!(one.bytes(), 30);
        drop((two, three));
        assert_eq!(one.bytes(), 90);
    }
}
