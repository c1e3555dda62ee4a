//! Back-pressure by bytes: the memory budget that all partitions share and the gate of each one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::status::Wait;

/// Wakes the poll loop when there may be something to do.
#[derive(Debug, Default)]
pub struct Waker {
    signalled: Mutex<bool>,
    condvar: Condvar,
}

impl Waker {
    /// Makes the next (or the present) [`Waker::wait`] return at once.
    pub fn wake(&self) {
        *self.signalled.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }

    /// Waits for a [`Waker::wake`], at most `timeout`.
    pub fn wait(&self, timeout: Duration) {
        let guard = self.signalled.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut guard, _) = self
            .condvar
            .wait_timeout_while(guard, timeout, |signalled| !*signalled)
            .unwrap_or_else(PoisonError::into_inner);
        *guard = false;
    }
}

/// Bytes of decoded records that may wait for their upload, over all partitions.
#[derive(Debug)]
pub struct MemoryBudget {
    used: AtomicUsize,
    limit: usize,
    waker: Arc<Waker>,
    open: Mutex<OpenShares>,
}

/// Bytes that could be freed by an upload, by holder.
#[derive(Debug, Default)]
struct OpenShares {
    made: u64,
    bytes: BTreeMap<u64, usize>,
}

impl MemoryBudget {
    /// A budget of `limit` bytes; `waker` is woken when it is no longer exhausted.
    pub fn new(limit: usize, waker: Arc<Waker>) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), limit, waker, open: Mutex::default() })
    }

    /// Takes `bytes` from the budget until the charge is dropped. Never refuses: what is decoded must be held.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Charge { budget: Arc::clone(self), bytes }
    }

    /// A holder's share of what is open, that is, could be freed by an upload.
    pub fn share(self: &Arc<Self>) -> OpenShare {
        let mut open = self.open();
        open.made += 1;
        OpenShare { budget: Arc::clone(self), holder: open.made }
    }

    fn open(&self) -> MutexGuard<'_, OpenShares> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Whether reading must stop until uploads have freed memory.
    pub fn is_full(&self) -> bool {
        self.used() >= self.limit
    }
}

/// Bytes taken from a [`MemoryBudget`], given back on drop.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl Charge {
    /// Bytes held by this charge.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let before = self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        if before >= self.budget.limit && before - self.bytes < self.budget.limit {
            self.budget.waker.wake();
        }
    }
}

/// One holder's part of the budget that is open; given up on drop.
#[derive(Debug)]
pub struct OpenShare {
    budget: Arc<MemoryBudget>,
    holder: u64,
}

impl OpenShare {
    /// Says that an upload by this holder would free `bytes`.
    pub fn set(&self, bytes: usize) {
        self.budget.open().bytes.insert(self.holder, bytes);
    }

    /// Whether this holder's upload is the one to begin, because memory is getting scarce and none would free more.
    ///
    /// What is being uploaded does not count unless it fills the budget: so one upload begins after another, and records
    /// are read into what one frees while the next is encoded. If all began at once, reading and encoding would take
    /// turns in waiting for each other.
    pub fn is_due(&self) -> bool {
        let open = self.budget.open();
        // Most of many partitions hold nothing most of the time: they need not look at all the others.
        let Some(own) = open.bytes.get(&self.holder).filter(|own| **own > 0) else { return false };
        let all: usize = open.bytes.values().sum();
        let scarce = all * 5 >= self.budget.limit * 3 || self.budget.is_full();
        scarce && open.bytes.values().all(|other| other <= own)
    }
}

impl Drop for OpenShare {
    fn drop(&mut self) {
        self.budget.open().bytes.remove(&self.holder);
    }
}

/// Decides whether the poll loop may take more records of one partition.
#[derive(Debug)]
pub struct Gate {
    in_flight: AtomicUsize,
    limit: usize,
    held: AtomicBool,
    urgent: AtomicBool,
    budget: Arc<MemoryBudget>,
    waker: Arc<Waker>,
}

impl Gate {
    /// A gate that lets at most about `limit` bytes of undecoded records pass at a time.
    pub fn new(limit: usize, budget: Arc<MemoryBudget>, waker: Arc<Waker>) -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            limit,
            held: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            budget,
            waker,
        })
    }

    /// The budget that decoded records are charged to.
    pub fn budget(&self) -> &Arc<MemoryBudget> {
        &self.budget
    }

    /// Whether records may be taken now.
    pub fn is_open(&self) -> bool {
        self.closed_by().is_none()
    }

    /// What keeps records from being taken now.
    pub fn closed_by(&self) -> Option<Wait> {
        if self.in_flight() >= self.limit {
            return Some(Wait::Consumer);
        }
        // A range that was decided earlier must be read whole before anything of it can be freed.
        if self.urgent.load(Ordering::Relaxed) {
            return None;
        }
        let held = self.is_held().then_some(Wait::EventTime);
        held.or_else(|| self.budget.is_full().then_some(Wait::Memory))
    }

    /// Bytes taken and not decoded yet.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Bytes in flight at which the gate closes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Holds the partition back (it is too far ahead in event time), or lets it go on.
    pub fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::Relaxed) && !held {
            self.waker.wake();
        }
    }

    /// Whether [`Gate::hold`] is in force.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Lets the partition pass whatever else holds it, while a decided range is being read again.
    pub fn set_urgent(&self, urgent: bool) {
        if !self.urgent.swap(urgent, Ordering::Relaxed) && urgent {
            self.waker.wake();
        }
    }

    /// Whether [`Gate::set_urgent`] is in force.
    #[cfg(test)]
    pub fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Relaxed)
    }

    pub(super) fn enter(&self, bytes: usize) {
        self.in_flight.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn leave(&self, bytes: usize) {
        let before = self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
        if before >= self.limit && before - bytes < self.limit {
            self.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(limit: usize, budget: usize) -> Arc<Gate> {
        let waker = Arc::new(Waker::default());
        Gate::new(limit, MemoryBudget::new(budget, Arc::clone(&waker)), waker)
    }

    #[test]
    fn a_full_budget_closes_every_gate_but_an_urgent_one() {
        let gate = gate(100, 10);
        assert!(gate.is_open());
        let charge = gate.budget().charge(10);
        assert!(!gate.is_open());
        gate.set_urgent(true);
        assert!(gate.is_open());
        gate.set_urgent(false);
        drop(charge);
        assert!(gate.is_open());
    }

    #[test]
    fn the_largest_is_due_once_three_fifths_are_open_or_all_is_used() {
        let budget = MemoryBudget::new(100, Arc::new(Waker::default()));
        let (small, large) = (budget.share(), budget.share());
        small.set(25);
        large.set(34);
        let held = budget.charge(59);
        assert!(!small.is_due() && !large.is_due());
        large.set(35);
        assert!(!small.is_due() && large.is_due());
        // Its upload is under way.
        large.set(0);
        assert!(!small.is_due() && !large.is_due());
        let more = budget.charge(41);
        assert!(small.is_due() && !large.is_due());
        large.set(26);
        assert!(!small.is_due());
        drop(large);
        assert!(small.is_due());
        drop((held, more));
        assert!(!small.is_due());
    }

    #[test]
    fn bytes_in_flight_close_even_an_urgent_gate() {
        let gate = gate(100, 10);
        gate.set_urgent(true);
        gate.enter(100);
        assert!(!gate.is_open());
        gate.leave(1);
        assert!(gate.is_open());
    }

    #[test]
    fn a_held_partition_waits() {
        let gate = gate(100, 10);
        gate.hold(true);
        assert!(!gate.is_open() && gate.is_held());
        gate.hold(false);
        assert!(gate.is_open());
    }
}
