//! A reference writer over the real protocol, and a codec whose rows are lines of text.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Mutant;
use super::world::{MemoryStore, Shared, lock, turn};
use crate::lake::chain::{Chain, ChainError, Decided, Hint, open_epoch, open_next_epoch, ready};
use crate::lake::codec::{CodecError, NewObject, ObjectCodec, StandingObject};
use crate::lake::layout::{ChainKey, Day, Hour, Name, RangeKey};
use crate::lake::ledger::{
    Decision, EntryKind, EpochRecord, Fingerprint, Hex64, LogView, ObservedRecord, check_fingerprint,
    check_finished,
};
use crate::lake::store::Store;
use crate::schemas::EventKind;

pub const TOPIC: &str = "listens";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub offset: i64,
    pub hash: u64,
}

/// One line a row; a count object holds one line with the sum of the rows' hashes.
pub struct LineCodec;

pub fn body_of(rows: &[Row]) -> Bytes {
    rows.iter().map(|row| format!("{} {}\n", row.offset, row.hash)).collect::<String>().into()
}

pub fn rows_of(body: &[u8]) -> Vec<Row> {
    let line = |line: &str| {
        let (offset, hash) = line.split_once(' ')?;
        Some(Row { offset: offset.parse().ok()?, hash: hash.parse().ok()? })
    };
    String::from_utf8_lossy(body).lines().filter_map(line).collect()
}

pub fn counts_of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Bytes {
    rows.into_iter().fold(0u64, |sum, row| sum.wrapping_add(row.hash)).to_string().into()
}

fn object(name: String, body: Bytes, rows: u64) -> NewObject {
    NewObject { name, crc32c: crc32c::crc32c(&body), body, rows }
}

impl ObjectCodec for LineCodec {
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError> {
        Ok(if name.contains("song_counts") { 1 } else { rows_of(body).len() as u64 })
    }

    fn empty(&self, _: &Decision, name: &str) -> Result<NewObject, CodecError> {
        Ok(object(name.to_owned(), Bytes::new(), 0))
    }

    fn counts(&self, decision: &Decision, standing: &[StandingObject]) -> Result<Vec<NewObject>, CodecError> {
        let data = standing.iter().filter(|object| !object.name.contains("_rejected"));
        let rows: Vec<Row> = data.flat_map(|object| rows_of(&object.body)).collect();
        Ok(decision.count_objects().map(|name| object(name.to_owned(), counts_of(&rows), 1)).collect())
    }
}

/// A function of the record alone, as event hours and rejections are.
pub fn home(range: &RangeKey, row: Row) -> String {
    match row.hash % 5 {
        0 => range.rejected(Day(0)),
        class => range.data(Hour((class % 2) as i64)),
    }
}

fn group(range: &RangeKey, rows: &[Row]) -> BTreeMap<String, Vec<Row>> {
    let mut groups: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for &row in rows {
        groups.entry(home(range, row)).or_default().push(row);
    }
    groups
}

/// What a writer sees of the world beside its store, and the choices that are not its own.
#[async_trait]
pub trait Ground: Send + Sync {
    /// The log as the broker describes it: offsets first, the topic id after them.
    async fn view(&self) -> LogView;
    /// The topic's id now.
    async fn topic_id(&self) -> String;
    /// The records of `[start, end)` as they are at each moment: a topic created anew meanwhile goes unnoticed here.
    async fn read(&self, start: i64, end: i64) -> Result<Vec<Row>, OutOfRange>;
    /// What the log holds at `offset`.
    async fn observe(&self, offset: i64) -> ObservedRecord;
    /// What was committed, or anything else.
    async fn hint(&self) -> Option<Hint>;
    /// Where to cut the batch that begins at `at`, so that it holds a record; none to recover again.
    async fn cut(&self, at: i64) -> Option<i64>;
    /// True `percent` times of a hundred.
    async fn chance(&self, percent: u64) -> bool;
}

/// A reference writer over the real protocol.
pub struct Writer {
    pub ground: Arc<dyn Ground>,
    pub store: Arc<dyn Store>,
    pub id: u64,
    pub mutant: Mutant,
}

/// Retention passed the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutOfRange;

pub type Step = Result<(), ChainError>;

/// Runs a writer for ever in the random world; the scheduler kills it.
pub async fn run(world: Shared, id: u64, mutant: Mutant) {
    let store = Arc::new(MemoryStore(world.clone()));
    let writer = Writer { ground: Arc::new(world.clone()), store, id, mutant };
    loop {
        if let Err(ChainError::Refused(refusal)) = writer.session().await
            && refusal.asks_for_new_epoch()
        {
            lock(&world).wants_epoch = true;
        }
        turn().await;
    }
}

impl Writer {
    /// From the epoch's record on, until an error or for ever.
    pub async fn session(&self) -> Step {
        let topic_id = self.ground.topic_id().await;
        let (epoch, identity) = open_epoch(self.store.as_ref(), TOPIC, None, Some(&topic_id)).await?;
        self.write(epoch, identity).await
    }

    /// Recovers and writes, in an epoch that is open.
    pub async fn write(&self, epoch: u32, identity: EpochRecord) -> Step {
        let key = ChainKey { topic: TOPIC.into(), epoch, partition: 0 };
        let chain = Chain::new(
            Arc::clone(&self.store),
            key,
            EventKind::Listen,
            identity,
            format!("writer-{}", self.id),
        );
        let mut hint = self.ground.hint().await;
        loop {
            if let Some(believed) = hint.filter(|hint| self.mutant == Mutant::BelieveHint && hint.start >= 0)
            {
                let head = chain.draft(EntryKind::Data, believed.start, believed.offset, None);
                return self.work(&chain, Some(head), believed.offset).await;
            }
            let stale = match self.mutant {
                Mutant::LogBeforeHead => Some(self.ground.view().await),
                _ => None,
            };
            let recovered = chain
                .recover(
                    hint.take(),
                    || async {
                        Ok(match &stale {
                            Some(stale) => stale.clone(),
                            None => self.ground.view().await,
                        })
                    },
                    &mut Vec::new(),
                )
                .await?;
            if let Some(fingerprint) = recovered.fingerprint {
                self.compare(&chain, fingerprint).await?;
            }
            if let Some(unfinished) = recovered.unfinished {
                let decision = unfinished.decision;
                if let Ok(rows) = self.ground.read(unfinished.survivors_from, decision.end).await {
                    self.finish(&chain, &decision, &rows, unfinished.survivors_from > decision.start).await?;
                    hint = Some(Hint { offset: decision.end, start: decision.start });
                }
                continue;
            }
            self.work(&chain, recovered.head, recovered.head_end).await?;
        }
    }

    /// Cuts and writes batches until retention passes the reader.
    async fn work(&self, chain: &Chain, mut head: Option<Decision>, mut at: i64) -> Step {
        if self.mutant == Mutant::SkipTo && self.ground.chance(10).await {
            at += 1;
        }
        while let Some(end) = self.ground.cut(at).await {
            let Ok(rows) = self.ground.read(at, end).await else { return Ok(()) };
            let Some(last) = rows.last() else { return Ok(()) };
            let own = self.draft(chain, at, end, &rows, *last, head.as_ref());
            self.check_identity(chain).await?;
            let decision = match chain.decide(&own).await? {
                Decided::Own => own,
                Decided::Adopted(_) if self.mutant == Mutant::IgnoreOthers => own,
                Decided::Adopted(theirs) => *theirs,
            };
            if decision.kind == EntryKind::Gap {
                chain.receipt(&decision, Vec::new()).await?;
            } else if !(self.mutant == Mutant::DecideEarly && self.ground.chance(20).await) {
                let Ok(rows) = self.ground.read(decision.start, decision.end).await else { return Ok(()) };
                self.finish(chain, &decision, &rows, false).await?;
            }
            at = decision.end;
            head = Some(decision);
        }
        Ok(())
    }

    async fn finish(&self, chain: &Chain, decision: &Decision, rows: &[Row], survivors_only: bool) -> Step {
        self.check_identity(chain).await?;
        let checksum = rows.iter().fold(0u64, |sum, row| sum.wrapping_add(row.hash));
        if self.mutant != Mutant::SkipIdentity {
            check_finished(decision, rows.len() as u64, checksum, survivors_only)?;
        }
        let mut groups = group(&decision.range(), rows);
        let names = decision.record_objects();
        let records: Vec<NewObject> = names
            .map(|name| {
                let rows = groups.remove(name).unwrap_or_default();
                object(name.to_owned(), body_of(&rows), rows.len() as u64)
            })
            .collect();
        let own = || {
            let data: Vec<StandingObject> = records
                .iter()
                .map(|new| StandingObject { name: new.name.clone(), body: new.body.clone() })
                .collect();
            LineCodec.counts(decision, &data)
        };
        let own = own()?;
        match self.mutant {
            Mutant::ReceiptFirst => {
                let objects = records.iter().chain(&own).map(NewObject::receipt).collect();
                chain.receipt(decision, objects).await?;
            }
            Mutant::CountsFirst => {
                for counts in &own {
                    self.store.create(&counts.name, counts.body.clone()).await?;
                }
            }
            _ => {}
        }
        let codec: &dyn ObjectCodec = match self.mutant {
            Mutant::CountOwnRows => &OwnCounts(own.clone()),
            _ => &LineCodec,
        };
        chain.finish(decision, ready(records), own, codec).await?;
        Ok(())
    }

    fn draft(
        &self,
        chain: &Chain,
        at: i64,
        end: i64,
        rows: &[Row],
        last: Row,
        head: Option<&Decision>,
    ) -> Decision {
        let range = chain.key().range(at, end);
        let mut objects: Vec<String> = group(&range, rows).into_keys().collect();
        if objects.iter().any(|name| !name.contains("_rejected")) {
            objects.push(range.song_counts(Day(0)));
        }
        Decision {
            objects,
            records: rows.len() as u64,
            checksum: Hex64(rows.iter().fold(0u64, |sum, row| sum.wrapping_add(row.hash))),
            fingerprint: Some(Fingerprint { offset: last.offset, hash: Hex64(last.hash) }),
            ..chain.draft(EntryKind::Data, at, end, head)
        }
    }

    async fn check_identity(&self, chain: &Chain) -> Step {
        if self.mutant != Mutant::SkipIdentity {
            let topic_id = self.ground.topic_id().await;
            chain.check_identity(None, Some(&topic_id))?;
        }
        Ok(())
    }

    async fn compare(&self, chain: &Chain, fingerprint: Fingerprint) -> Step {
        let observed = self.ground.observe(fingerprint.offset).await;
        check_fingerprint(chain.key(), fingerprint, observed)?;
        Ok(())
    }
}

/// A mutant: counts made from one's own rows, whatever stands.
struct OwnCounts(Vec<NewObject>);

impl ObjectCodec for OwnCounts {
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError> {
        LineCodec.rows(name, body)
    }

    fn empty(&self, decision: &Decision, name: &str) -> Result<NewObject, CodecError> {
        LineCodec.empty(decision, name)
    }

    fn counts(&self, _: &Decision, _: &[StandingObject]) -> Result<Vec<NewObject>, CodecError> {
        Ok(self.0.clone())
    }
}

/// The operator's command: opens the next epoch until it is there.
pub async fn operator(world: Shared) {
    let store: Arc<dyn Store> = Arc::new(MemoryStore(world.clone()));
    loop {
        turn().await;
        if !lock(&world).wants_epoch {
            continue;
        }
        let id = lock(&world).topic_id();
        if lock(&world).mutant == Mutant::LeaveOpen {
            let epochs = lock(&world).objects.keys().filter(|name| name.ends_with("epoch.json")).count();
            let name = Name::Epoch { topic: TOPIC.into(), epoch: epochs as u32 + 1 }.to_string();
            if let Ok(body) = EpochRecord::new(None, Some(&id)).to_bytes(&name) {
                let _ = store.create(&name, body).await;
            }
            lock(&world).wants_epoch = false;
            continue;
        }
        let opened =
            open_next_epoch(&store, TOPIC, EventKind::Listen, 2, None, Some(&id), "operator", &LineCodec)
                .await;
        if opened.is_ok() {
            lock(&world).wants_epoch = false;
        }
    }
}
