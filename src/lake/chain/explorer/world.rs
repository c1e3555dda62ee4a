//! The world that writers run in: an in-memory store with faults, and a simulated log.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use async_trait::async_trait;
use bytes::Bytes;

use super::Mutant;
use super::writer::{Ground, OutOfRange, Row};
use crate::lake::chain::Hint;
use crate::lake::ledger::{LogView, ObservedRecord};
use crate::lake::store::{Created, ObjectMeta, Page, Store, StoreError};

/// A small seeded generator (splitmix64): schedules must be reproducible.
#[derive(Debug, Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// One creation of the topic.
#[derive(Debug, Clone, Default)]
pub struct Generation {
    /// One element an offset; none is a hole.
    pub records: Vec<Option<u64>>,
    /// First retained offset.
    pub start: i64,
}

impl Generation {
    pub fn end(&self) -> i64 {
        self.records.len() as i64
    }

    pub fn record(&self, offset: i64) -> Option<u64> {
        self.records.get(usize::try_from(offset).ok()?).copied().flatten()
    }
}

#[derive(Debug)]
pub struct World {
    pub rng: Rng,
    pub mutant: Mutant,
    /// Percent of creates that fail in one of the ways; 0 in the quiet phase.
    pub fault_percent: u64,
    pub objects: BTreeMap<String, Bytes>,
    /// Creates under way whose sender is gone: they may take effect at any time, or never.
    pub late: Vec<(String, Bytes)>,
    /// All creations of the topic, the last being the present one.
    pub log: Vec<Generation>,
    pub violations: Vec<String>,
    /// A writer was told to ask for a new epoch.
    pub wants_epoch: bool,
    /// Partitions of the topic.
    pub partitions: i32,
}

pub type Shared = Arc<Mutex<World>>;

pub fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

impl World {
    pub fn topic_id(&self) -> String {
        format!("topic-{}", self.log.len())
    }

    pub fn current(&self) -> &Generation {
        self.log.last().expect("a topic")
    }

    pub fn append(&mut self, count: u64) {
        let generation = self.log.len() as u64;
        for _ in 0..count {
            let offset = self.current().records.len() as u64;
            let record = (!self.rng.chance(15)).then(|| Rng(generation << 32 | offset).next());
            self.log.last_mut().expect("a topic").records.push(record);
        }
    }

    pub fn expire(&mut self, count: u64) {
        let log = self.log.last_mut().expect("a topic");
        log.start = log.end().min(log.start + count as i64);
    }

    fn apply(&mut self, name: String, body: Bytes) -> Created {
        let exists = self.objects.contains_key(&name);
        if exists && self.mutant != Mutant::OverwriteObjects {
            return Created::Exists;
        }
        super::check::before_create(self, &name, &body);
        self.objects.insert(name, body);
        Created::New
    }

    pub fn apply_late(&mut self) {
        if !self.late.is_empty() {
            let at = self.rng.below(self.late.len() as u64) as usize;
            let (name, body) = self.late.swap_remove(at);
            self.apply(name, body);
        }
    }
}

/// Lets the scheduler choose what happens next; the place where crashes strike.
pub async fn turn() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A create under way: if its sender dies, it may still take effect.
struct InFlight {
    world: Shared,
    request: Option<(String, Bytes)>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            lock(&self.world).late.push(request);
        }
    }
}

#[derive(Clone)]
pub struct MemoryStore(pub Shared);

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

pub fn transient(name: &str) -> StoreError {
    StoreError::Transient { op: "create", name: name.to_owned(), cause: "connection broken".into() }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        let mut flight = InFlight { world: self.0.clone(), request: Some((name.to_owned(), body)) };
        turn().await;
        let Some((name, body)) = flight.request.take() else {
            return Err(transient(name));
        };
        let mut world = lock(&self.0);
        let percent = world.fault_percent;
        if !world.rng.chance(percent) {
            return Ok(world.apply(name, body));
        }
        let error = transient(&name);
        match world.rng.below(3) {
            0 => drop(world.apply(name, body)),
            1 => world.late.push((name, body)),
            _ => {}
        }
        Err(error)
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        turn().await;
        Ok(lock(&self.0).objects.get(name).cloned())
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        turn().await;
        Ok(lock(&self.0).objects.get(name).map(|body| meta(name, body)))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        const PAGE: usize = 3;
        turn().await;
        let world = lock(&self.0);
        let after = page.as_deref().or(after).unwrap_or("");
        let objects = world.objects.range(prefix.to_owned()..).filter(|(name, _)| name.as_str() > after);
        let mut objects: Vec<_> = objects
            .take_while(|(name, _)| name.starts_with(prefix))
            .take(PAGE + 1)
            .map(|(name, body)| meta(name, body))
            .collect();
        let more = objects.len() > PAGE;
        objects.truncate(PAGE);
        let next = objects.last().filter(|_| more).map(|last| last.name.clone());
        Ok(Page { objects, next })
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

pub fn meta(name: &str, body: &Bytes) -> ObjectMeta {
    ObjectMeta {
        name: name.to_owned(),
        size: body.len() as u64,
        crc32c: Some(crc32c::crc32c(body)),
        created_ms: None,
    }
}

#[async_trait]
impl Ground for Shared {
    async fn view(&self) -> LogView {
        turn().await;
        let (start, end) = {
            let world = lock(self);
            (world.current().start, world.current().end())
        };
        turn().await;
        let topic_id = Some(lock(self).topic_id());
        LogView { start, end, cluster_id: None, topic_id }
    }

    async fn topic_id(&self) -> String {
        turn().await;
        lock(self).topic_id()
    }

    async fn read(&self, start: i64, end: i64) -> Result<Vec<Row>, OutOfRange> {
        let mut rows = Vec::new();
        for offset in start..end {
            if self.chance(20).await {
                turn().await;
            }
            let world = lock(self);
            if offset < world.current().start || offset >= world.current().end() {
                return Err(OutOfRange);
            }
            rows.extend(world.current().record(offset).map(|hash| Row { offset, hash }));
        }
        Ok(rows)
    }

    async fn observe(&self, offset: i64) -> ObservedRecord {
        turn().await;
        let world = lock(self);
        match world.current().record(offset) {
            _ if offset < world.current().start => ObservedRecord::Expired,
            Some(hash) => ObservedRecord::Hash(hash),
            None => ObservedRecord::Absent,
        }
    }

    async fn hint(&self) -> Option<Hint> {
        let rng = &mut lock(self).rng;
        rng.chance(60).then(|| Hint { offset: rng.below(30) as i64, start: rng.below(25) as i64 - 1 })
    }

    async fn cut(&self, at: i64) -> Option<i64> {
        let mut holes = 0;
        loop {
            {
                let mut world = lock(self);
                let length = 1 + world.rng.below(6) as i64;
                let end = world.current().end().min(at + length + holes);
                if (at..end).any(|offset| world.current().record(offset).is_some()) {
                    return Some(end);
                }
                // Nothing is cut without a record: the position passes any run of holes first.
                holes += length;
            }
            turn().await;
            if lock(self).rng.chance(20) {
                return None;
            }
        }
    }

    async fn chance(&self, percent: u64) -> bool {
        lock(self).rng.chance(percent)
    }
}
