//! The ledger's names in order, turned into chains.

use super::damage::Damage;
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{Decision, EntryKind, EpochRecord};
use crate::lake::store::ObjectMeta;

/// Which of the ledger's names have to be read, given in ascending order.
#[derive(Debug, Default)]
pub struct Selection {
    /// Entries that were receipted before this are left out, ms since 1970 UTC.
    since_ms: Option<i64>,
    /// Whose receipt came last, if that is too old.
    old: Option<(ChainKey, i64)>,
}

impl Selection {
    /// All entries, or those without a receipt from before `since_ms`.
    pub fn since(since_ms: Option<i64>) -> Self {
        Selection { since_ms, old: None }
    }

    /// Whether the content of `object` is to be read.
    pub fn wants(&mut self, object: &ObjectMeta) -> bool {
        match object.name.parse() {
            Ok(Name::Epoch { .. }) => true,
            Ok(Name::Receipt { chain, start }) => {
                self.old = is_before(object, self.since_ms).then_some((chain, start));
                false
            }
            // A receipt comes just before its entry.
            Ok(Name::Entry { chain, start }) => self.old.take() != Some((chain, start)),
            _ => false,
        }
    }
}

/// Whether `object` was created before `since_ms`, as far as the store tells.
pub fn is_before(object: &ObjectMeta, since_ms: Option<i64>) -> bool {
    since_ms.is_some_and(|since| object.created_ms.is_some_and(|created| created < since))
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Not wanted, see [`Selection`].
    Unread,
    /// Listed, and never deleted: if it is gone now, that is damage too.
    Gone,
    /// This.
    Read(&'a [u8]),
}

/// What a name led to.
#[derive(Debug)]
pub enum Found {
    /// A chain begins.
    Chain,
    /// Something is wrong.
    Damage(Damage),
    /// An entry that was not to be read.
    Skipped,
    /// An entry whose objects are to be checked.
    Entry {
        /// The entry.
        decision: Decision,
        /// Whether it is the last of its chain.
        is_last: bool,
    },
}

/// Follows the ledger's names, which must come in ascending order.
#[derive(Debug, Default)]
pub struct Walk {
    epoch: Option<(String, u32)>,
    chain: Option<ChainKey>,
    /// Where the next entry has to begin; none after an entry that cannot be read, or was not.
    expected: Option<i64>,
    /// The entry before, handed on once it is known whether it is the last.
    pending: Option<Decision>,
    /// Start of the entry before, also of one that cannot be read.
    previous_start: Option<i64>,
    closed: bool,
    /// A receipt, which comes just before its entry.
    receipt: Option<(String, i64)>,
}

impl Walk {
    /// Takes the next name and what stands there.
    pub fn name(&mut self, name: &str, content: Content<'_>, found: &mut Vec<Found>) {
        match name.parse() {
            Ok(Name::Epoch { topic, epoch }) => {
                self.end(found);
                self.epoch = Some((topic, epoch));
                let damage = match content {
                    Content::Read(body) => match EpochRecord::parse(name, body) {
                        Ok(_) => None,
                        Err(error) => Some(Damage::Ledger { cause: error.to_string() }),
                    },
                    _ => Some(Damage::EpochMissing { name: name.to_owned() }),
                };
                found.extend(damage.map(Found::Damage));
            }
            Ok(Name::Receipt { chain, start }) => {
                self.enter(&chain, found);
                self.lone_receipt(None, found);
                self.receipt = Some((name.to_owned(), start));
            }
            Ok(Name::Entry { chain, start }) => {
                self.enter(&chain, found);
                self.lone_receipt(Some(start), found);
                self.before(found);
                match content {
                    Content::Unread => self.skip(start, found),
                    Content::Gone => self.entry(name, start, &[], found),
                    Content::Read(body) => self.entry(name, start, body, found),
                }
            }
            _ => found.push(Found::Damage(Damage::ObjectUnnamed { name: name.to_owned() })),
        }
    }

    /// Ends the chain that was being followed.
    pub fn end(&mut self, found: &mut Vec<Found>) {
        self.lone_receipt(None, found);
        self.chain = None;
        if let Some(decision) = self.pending.take() {
            found.push(Found::Entry { decision, is_last: true });
        }
    }

    fn enter(&mut self, chain: &ChainKey, found: &mut Vec<Found>) {
        if self.chain.as_ref() == Some(chain) {
            return;
        }
        self.end(found);
        let epoch = (chain.topic.clone(), chain.epoch);
        if self.epoch.as_ref() != Some(&epoch) {
            let name = Name::Epoch { topic: chain.topic.clone(), epoch: chain.epoch }.to_string();
            found.push(Found::Damage(Damage::EpochMissing { name }));
            self.epoch = Some(epoch);
        }
        *self = Walk {
            epoch: self.epoch.take(),
            chain: Some(chain.clone()),
            expected: Some(0),
            ..Walk::default()
        };
        found.push(Found::Chain);
    }

    /// A receipt that was not followed by the entry of its start.
    fn lone_receipt(&mut self, entry: Option<i64>, found: &mut Vec<Found>) {
        if let Some((name, start)) = self.receipt.take()
            && entry != Some(start)
        {
            found.push(Found::Damage(Damage::ReceiptAlone { name }));
        }
    }

    /// The entry before is not the last.
    fn before(&mut self, found: &mut Vec<Found>) {
        if let Some(decision) = self.pending.take() {
            found.push(Found::Entry { decision, is_last: false });
        }
    }

    /// An entry of which no more than the name is known: its end is not.
    fn skip(&mut self, start: i64, found: &mut Vec<Found>) {
        self.previous_start = Some(start);
        self.expected = None;
        found.push(Found::Skipped);
    }

    fn entry(&mut self, name: &str, start: i64, body: &[u8], found: &mut Vec<Found>) {
        let decision = Decision::parse(name, body);
        found.extend(self.misplaced(name, start, decision.as_ref().ok()).map(Found::Damage));
        self.previous_start = Some(start);
        match decision {
            Ok(decision) => {
                self.closed = decision.kind == EntryKind::Close;
                self.expected = Some(self.expected.unwrap_or(0).max(decision.end));
                self.pending = Some(decision);
            }
            Err(error) => {
                self.expected = None;
                found.push(Found::Damage(Damage::Ledger { cause: error.to_string() }));
            }
        }
    }

    /// What is wrong with the place of the entry that begins at `start`.
    fn misplaced(&self, name: &str, start: i64, entry: Option<&Decision>) -> Option<Damage> {
        let name = name.to_owned();
        let linked = entry.is_none_or(|entry| entry.previous_start == self.previous_start);
        match (self.expected, &self.chain) {
            (Some(expected), _) if start < expected || self.closed => {
                Some(Damage::EntryOverlaps { name, expected })
            }
            (Some(expected), Some(chain)) if start > expected => {
                Some(Damage::EntryMissing { chain: chain.to_string(), from: expected, to: start })
            }
            _ if !linked => Some(Damage::EntryUnlinked { name }),
            _ => None,
        }
    }
}
