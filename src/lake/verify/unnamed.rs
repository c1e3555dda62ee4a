//! Which entry names an object.

use std::collections::{HashMap, HashSet};

use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::Decision;
use crate::lake::store::{Store, StoreError};

/// Entries that are remembered: an entry's objects lie in a few folders, listed one after the other.
const REMEMBERED: usize = 16_384;

/// Looks entries up and remembers some.
#[derive(Debug)]
pub struct Owners<'a> {
    topics: &'a [String],
    /// What an entry names; none where it is there but cannot be read, which is reported elsewhere.
    entries: HashMap<(ChainKey, i64), Option<HashSet<String>>>,
}

impl<'a> Owners<'a> {
    /// Looks only at objects of `topics`, or at all if there are none given.
    pub fn new(topics: &'a [String]) -> Self {
        Owners { topics, entries: HashMap::new() }
    }

    /// Whether an entry names the object (or it is none of the topics asked for).
    pub async fn name(&mut self, store: &dyn Store, name: &str) -> Result<bool, StoreError> {
        let parsed: Option<Name> = name.parse().ok();
        let Some(range) = parsed.as_ref().and_then(Name::range) else {
            return Ok(false);
        };
        if !self.topics.is_empty() && !self.topics.contains(&range.chain.topic) {
            return Ok(true);
        }
        let key = (range.chain.clone(), range.start);
        if !self.entries.contains_key(&key) {
            let entry = range.chain.entry(range.start);
            let names = match store.read(&entry).await? {
                None => Some(HashSet::new()),
                Some(body) => {
                    Decision::parse(&entry, &body).ok().map(|decision| decision.objects.into_iter().collect())
                }
            };
            if self.entries.len() >= REMEMBERED {
                self.entries.clear();
            }
            self.entries.insert(key.clone(), names);
        }
        Ok(match self.entries.get(&key) {
            Some(Some(names)) => names.contains(name),
            _ => true,
        })
    }
}
