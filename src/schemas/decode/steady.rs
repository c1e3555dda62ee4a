//! What repeats from record to record of a session: its bytes are compared with those that came last, and where they
//! are the same the values are taken from there.
//!
//! A session's records carry the same listener, place and browser, more than half of their bytes, in one stretch.
//! This pays where fewer sessions than there are slots are met at a time: in services of up to some hundreds of
//! listeners at once for each partition, and when the history of such a one is read again. Where it does not pay it
//! stops itself.

use super::build::Row;
use super::table::GOLDEN;

/// Sessions that are remembered, a power of two.
const SLOTS: usize = 256;

/// Longest stretch that is remembered, bytes.
const MAX_BYTES: usize = 384;

/// Most members in a stretch.
const MEMBERS: usize = 11;

/// Columns whose values do not change within a session, as they stand next to each other in a record.
const COLUMNS: [&str; MEMBERS] = [
    "city",
    "zip",
    "state",
    "user_agent",
    "lon",
    "lat",
    "user_id",
    "last_name",
    "first_name",
    "gender",
    "registration",
];

/// After so many looks it is judged whether they pay.
const TRIAL: u32 = 4_096;

/// So many records go by without a look where it does not pay.
const REST: u32 = 16 * TRIAL;

/// Which members may be part of a stretch; worked out once for an event type.
#[derive(Debug)]
pub(super) struct SteadyPlan {
    /// Index of the field that names the session.
    session: Option<usize>,
    /// Bit of the member that a stretch begins with.
    first: u32,
    /// Bits of all members that may be part of it.
    bits: u32,
    /// Their indices.
    indices: Vec<usize>,
}

impl SteadyPlan {
    /// `index_of` gives the index of a field by its column's name.
    pub(super) fn new(index_of: impl Fn(&str) -> Option<usize>) -> Self {
        let indices: Vec<usize> = COLUMNS.iter().filter_map(|column| index_of(column)).collect();
        let bit = |index: &usize| 1 << index;
        Self {
            session: index_of("session_id"),
            first: indices.first().map_or(0, bit),
            bits: indices.iter().map(bit).fold(0, |bits, bit| bits | bit),
            indices,
        }
    }

    #[cfg(test)]
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }
}

#[derive(Debug, Clone)]
struct Slot {
    session: i64,
    /// Where it lay in the record that it was learnt from. Empty while the slot holds none.
    stretch: Stretch,
    values: [u64; MEMBERS],
    bytes: [u8; MAX_BYTES],
}

const FREE: Slot = Slot { session: 0, stretch: NOWHERE, values: [0; MEMBERS], bytes: [0; MAX_BYTES] };

/// Members next to each other.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    start: usize,
    end: usize,
    /// Their bits.
    bits: u32,
    /// Place in the plan of the member that is expected to come next.
    next: usize,
}

const NOWHERE: Stretch = Stretch { start: 0, end: 0, bits: 0, next: 0 };

/// The sessions that came last.
#[derive(Debug)]
pub(super) struct Steady {
    slots: Vec<Slot>,
    /// The one that is being scanned, to be remembered if the record proves good.
    stretch: Stretch,
    looks: u32,
    hits: u32,
    resting: u32,
}

impl Default for Steady {
    fn default() -> Self {
        Self { slots: Vec::new(), stretch: NOWHERE, looks: 0, hits: 0, resting: 0 }
    }
}

impl Steady {
    /// Forgets everything; to be called when dictionary keys lose their meaning.
    pub(super) fn forget(&mut self) {
        self.slots.clear();
    }

    /// To be called before each record.
    #[inline(always)]
    pub(super) fn begin(&mut self) {
        self.stretch = NOWHERE;
    }

    /// To be called when the member with this bit, which begins at `at`, is marked in `row`. If a stretch begins here
    /// that is known, its values go to `row`; returns where it ends and the place of the member to expect then.
    #[inline(always)]
    pub(super) fn replay(
        &mut self,
        plan: &SteadyPlan,
        row: &mut Row,
        bit: u32,
        json: &[u8],
        at: usize,
    ) -> Option<(usize, usize)> {
        if bit != plan.first {
            return None;
        }
        if self.resting > 0 {
            self.resting -= 1;
            return None;
        }
        self.stretch = Stretch { start: at, end: at, ..NOWHERE };
        self.judge();
        let session = row.integer(plan.session?)?;
        let Slot { session: owner, stretch, values, bytes } = self.slots.get(slot_of(session))?;
        let bytes = bytes.get(..stretch.end - stretch.start)?;
        let known = *owner == session && !bytes.is_empty() && json.get(at..)?.starts_with(bytes);
        // Any member of it, other than the first, that is there already comes twice.
        if !known || row.has_bit(stretch.bits & !plan.first) {
            return None;
        }
        row.mark(stretch.bits);
        for (&index, &value) in plan.indices.iter().zip(values) {
            if stretch.bits >> index & 1 == 1 {
                row.put(index, value);
            }
        }
        self.hits += 1;
        self.stretch = NOWHERE;
        Some((at + bytes.len(), stretch.next))
    }

    #[cfg(test)]
    pub(super) fn hits(&self) -> u32 {
        self.hits
    }

    #[cfg(test)]
    pub(super) fn rests(&self) -> bool {
        self.resting > 0
    }

    #[inline(always)]
    fn judge(&mut self) {
        self.looks += 1;
        if self.looks == TRIAL {
            self.resting = if self.hits < TRIAL / 4 { REST } else { 0 };
            (self.looks, self.hits) = (0, 0);
        }
    }

    /// To be called after each member that was scanned; its place in the plan is `next - 1`.
    #[inline(always)]
    pub(super) fn scanned(&mut self, plan: &SteadyPlan, bit: u32, (start, end): (usize, usize), next: usize) {
        // A comma stands between a member and the one before it.
        let follows = self.stretch.end == start || self.stretch.end + 1 == start;
        if bit & plan.bits != 0 && self.stretch.start > 0 && follows {
            self.stretch = Stretch { end, bits: self.stretch.bits | bit, next, ..self.stretch };
        }
    }

    /// To be called once `row` is decoded from `json`: remembers its stretch, if it has a new one.
    #[inline(always)]
    pub(super) fn learn(&mut self, plan: &SteadyPlan, row: &Row, json: &[u8]) {
        if self.stretch.bits != 0 {
            self.remember(plan, row, json);
        }
    }

    #[inline(never)]
    fn remember(&mut self, plan: &SteadyPlan, row: &Row, json: &[u8]) {
        let Stretch { start, end, .. } = self.stretch;
        let session = plan.session.and_then(|index| row.integer(index));
        let (Some(session), Some(bytes)) = (session, json.get(start..end)) else { return };
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, FREE);
        }
        let Some(slot) = self.slots.get_mut(slot_of(session)) else { return };
        let Some(to) = slot.bytes.get_mut(..bytes.len()) else { return };
        to.copy_from_slice(bytes);
        (slot.session, slot.stretch) = (session, self.stretch);
        for (value, &index) in slot.values.iter_mut().zip(&plan.indices) {
            *value = row.bits_of(index);
        }
    }
}

/// The session's slot: the upper bits of a product, so that it does not matter how sessions are numbered.
#[inline(always)]
fn slot_of(session: i64) -> usize {
    ((session as u64).wrapping_mul(GOLDEN) >> (u64::BITS - SLOTS.trailing_zeros())) as usize
}
