//! Which entry names an object.

use std::collections::{HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};

use super::READ_AHEAD;
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::Decision;
use crate::lake::store::{ObjectMeta, Store, StoreError};

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

    /// Those of `objects` that no entry names (and that are not of other topics than those asked for).
    pub async fn unnamed(
        &mut self,
        store: &dyn Store,
        objects: Vec<ObjectMeta>,
    ) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let mut to_find = Vec::new();
        for ObjectMeta { name, .. } in objects {
            let parsed: Option<Name> = name.parse().ok();
            match parsed.as_ref().and_then(Name::range) {
                None => found.push(name),
                Some(range) if self.topics.is_empty() || self.topics.contains(&range.chain.topic) => {
                    to_find.push((name, (range.chain.clone(), range.start)));
                }
                Some(_) => {}
            }
        }
        self.learn(store, to_find.iter().map(|(_, key)| key)).await?;
        found.extend(to_find.into_iter().filter(|(name, key)| !self.names(key, name)).map(|(name, _)| name));
        Ok(found)
    }

    fn names(&self, key: &(ChainKey, i64), name: &str) -> bool {
        match self.entries.get(key) {
            Some(Some(names)) => names.contains(name),
            _ => true,
        }
    }

    /// Reads those of the entries that are not remembered.
    async fn learn(
        &mut self,
        store: &dyn Store,
        wanted: impl Iterator<Item = &(ChainKey, i64)>,
    ) -> Result<(), StoreError> {
        let wanted: HashSet<_> = wanted.cloned().collect();
        if self.entries.len() + wanted.len() > REMEMBERED {
            self.entries.clear();
        }
        let unknown: Vec<_> = wanted.into_iter().filter(|key| !self.entries.contains_key(key)).collect();
        let mut read = stream::iter(unknown)
            .map(|key| async {
                let entry = key.0.entry(key.1);
                let names = match store.read(&entry).await? {
                    None => Some(HashSet::new()),
                    Some(body) => Decision::parse(&entry, &body)
                        .ok()
                        .map(|decision| decision.objects.into_iter().collect()),
                };
                Ok::<_, StoreError>((key, names))
            })
            .buffer_unordered(READ_AHEAD);
        while let Some((key, names)) = read.try_next().await? {
            self.entries.insert(key, names);
        }
        Ok(())
    }
}
