//! The ledger's names in order, turned into chains.

use super::damage::Damage;
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{Decision, EntryKind, EpochRecord};
use crate::lake::store::{Store, StoreError};

/// What a name led to.
#[derive(Debug)]
pub enum Found {
    /// A chain begins.
    Chain,
    /// Something is wrong.
    Damage(Damage),
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
    /// Where the next entry has to begin; none after an entry that cannot be read.
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
    /// Takes the next name.
    pub async fn name(
        &mut self,
        store: &dyn Store,
        name: &str,
        found: &mut Vec<Found>,
    ) -> Result<(), StoreError> {
        match name.parse() {
            Ok(Name::Epoch { topic, epoch }) => {
                self.end(found);
                self.epoch = Some((topic, epoch));
                // Listed, and never deleted: if it is gone now, that is damage too.
                let parsed = store.read(name).await?.map(|body| EpochRecord::parse(name, &body));
                match parsed {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        found.push(Found::Damage(Damage::Ledger { cause: error.to_string() }))
                    }
                    None => found.push(Found::Damage(Damage::EpochMissing { name: name.to_owned() })),
                }
            }
            Ok(Name::Receipt { chain, start }) => {
                self.enter(&chain, found);
                self.lone_receipt(None, found);
                self.receipt = Some((name.to_owned(), start));
            }
            Ok(Name::Entry { chain, start }) => {
                self.enter(&chain, found);
                self.lone_receipt(Some(start), found);
                let body = store.read(name).await?;
                self.entry(name, start, body.as_deref().unwrap_or_default(), found);
            }
            _ => found.push(Found::Damage(Damage::ObjectUnnamed { name: name.to_owned() })),
        }
        Ok(())
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

    fn entry(&mut self, name: &str, start: i64, body: &[u8], found: &mut Vec<Found>) {
        if let Some(decision) = self.pending.take() {
            found.push(Found::Entry { decision, is_last: false });
        }
        let decision = Decision::parse(name, body);
        if let (Some(expected), Some(chain)) = (self.expected, &self.chain) {
            if start < expected || self.closed {
                found.push(Found::Damage(Damage::EntryOverlaps { name: name.to_owned(), expected }));
            } else if start > expected {
                let chain = chain.to_string();
                found.push(Found::Damage(Damage::EntryMissing { chain, from: expected, to: start }));
            } else if decision.as_ref().is_ok_and(|entry| entry.previous_start != self.previous_start) {
                found.push(Found::Damage(Damage::EntryUnlinked { name: name.to_owned() }));
            }
        }
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
}
