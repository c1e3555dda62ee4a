//! A small real lake: Parquet objects written by the real protocol into a map.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::lake::chain::{Chain, Decided, open_epoch, ready};
use crate::lake::codec::{NewObject, ObjectCodec, StandingObject};
use crate::lake::encode::{Counts, Encoder, group_by_hour};
use crate::lake::layout::{ChainKey, Day, Hour};
use crate::lake::ledger::{Decision, EntryKind, EpochRecord, Fingerprint, Hex64};
use crate::lake::store::{Created, ObjectMeta, Page, Store, StoreError};
use crate::lake::{ParquetCodec, Segment};
use crate::schemas::column::PlainTextColumn;
use crate::schemas::{
    BoolColumn, Column, Dictionary, EventBatch, EventKind, FieldType, Float64Column, Int64Column, Rejected,
    Source, TextColumn,
};

pub const TOPIC: &str = "listen_events";
const HOUR_MS: i64 = 3_600_000;

/// Objects in a map, to be damaged at will.
#[derive(Debug, Default)]
pub struct Objects(Mutex<BTreeMap<String, Bytes>>, Mutex<BTreeMap<String, i64>>);

impl Objects {
    /// When objects were created, ms; the store does not tell it of others.
    pub fn times(&self) -> MutexGuard<'_, BTreeMap<String, i64>> {
        self.1.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub fn map(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The first name that holds `part`.
    pub fn find(&self, part: &str) -> String {
        self.map().keys().find(|name| name.contains(part)).cloned().expect("an object of that name")
    }
}

#[async_trait]
impl Store for Objects {
    async fn create(&self, name: &str, body: Bytes) -> Result<Created, StoreError> {
        let mut map = self.map();
        if map.contains_key(name) {
            return Ok(Created::Exists);
        }
        map.insert(name.to_owned(), body);
        Ok(Created::New)
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.map().get(name).cloned())
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectMeta>, StoreError> {
        // As a local folder: no checksum without reading.
        let size = self.map().get(name).map(|body| body.len() as u64);
        Ok(size.map(|size| ObjectMeta { name: name.to_owned(), size, crc32c: None, created_ms: None }))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        page: Option<String>,
    ) -> Result<Page, StoreError> {
        let after = page.as_deref().or(after).unwrap_or("").to_owned();
        let (map, times) = (self.map(), self.times());
        let below = map.iter().filter(|(name, _)| name.starts_with(prefix) && **name > after);
        let mut objects: Vec<ObjectMeta> = below
            .take(5)
            .map(|(name, body)| {
                let created_ms = times.get(name).copied();
                ObjectMeta { name: name.clone(), size: body.len() as u64, crc32c: None, created_ms }
            })
            .collect();
        let next = objects.get(3).map(|last| last.name.clone()).filter(|_| objects.len() == 5);
        objects.truncate(4);
        Ok(Page { objects, next })
    }

    async fn sync(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A chain whose last entry is decided and no more: nothing of it was written.
pub struct Undone {
    pub chain: Chain,
    head: Option<Decision>,
    pub decision: Decision,
    /// The objects with all of its records.
    pub records: Vec<NewObject>,
}

impl Undone {
    /// On partition 0, of the records `[60, 90)`.
    pub async fn on(store: &Arc<Objects>) -> Self {
        let chain = chain(store, 0).await;
        let head = chain.entry(50).await.unwrap();
        let (decision, records) = encode(&chain, 60, 90, 60, head.as_ref());
        assert_eq!(chain.decide(&decision).await.unwrap(), Decided::Own);
        Undone { chain, head, decision, records }
    }

    /// Its objects with the records from `from` on.
    pub fn survivors(&self, from: i64) -> Vec<NewObject> {
        encode(&self.chain, 60, 90, from, self.head.as_ref()).1
    }
}

pub fn rejected_at(offset: i64) -> bool {
    offset % 10 == 7
}

pub fn hole_at(offset: i64) -> bool {
    offset % 10 == 3
}

pub fn hash(offset: i64) -> u64 {
    (offset as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Decoded records of `[start, end)`: holes, rejected records, two event hours around midnight, nulls.
pub fn batch(partition: i32, start: i64, end: i64) -> EventBatch {
    let source = Source { topic: TOPIC.into(), kind: EventKind::Listen, epoch: 1, partition };
    let present: Vec<i64> = (start..end).filter(|&offset| !hole_at(offset)).collect();
    let (bad, rows): (Vec<i64>, Vec<i64>) = present.into_iter().partition(|&offset| rejected_at(offset));
    let columns =
        EventKind::Listen.fields().iter().map(|field| column(field.column, field.kind, &rows)).collect();
    let rejected = bad.iter().map(|&offset| Rejected {
        offset,
        timestamp: 24 * HOUR_MS,
        key: None,
        value: Some(b"{".to_vec()),
        headers: Vec::new(),
        reason: "json",
        detail: "it ends early".into(),
        hash: hash(offset),
    });
    EventBatch {
        new_text_bytes: 0,
        source: Arc::new(source),
        start,
        end,
        timestamps: rows.iter().map(|&offset| 24 * HOUR_MS + offset).collect(),
        hashes: rows.iter().map(|&offset| hash(offset)).collect(),
        columns,
        extra: PlainTextColumn::default(),
        rejected: rejected.collect(),
        offsets: rows,
    }
}

fn column(name: &str, kind: FieldType, rows: &[i64]) -> Column {
    match kind {
        FieldType::Text => {
            let dictionary = Arc::new(Dictionary::default());
            let keys: Vec<u32> = (0..3).map(|at| dictionary.push(&format!("{name} {at}"))).collect();
            let key = |offset: i64| if offset % 5 == 4 { u32::MAX } else { keys[offset as usize % 3] };
            Column::Text(TextColumn { keys: rows.iter().map(|&offset| key(offset)).collect(), dictionary })
        }
        FieldType::Int64 | FieldType::TimestampMs => {
            let mut column = Int64Column::default();
            for &offset in rows {
                column.push(match name {
                    "ts" => Some(24 * HOUR_MS - 30_000 + offset * 2_000),
                    _ => (offset % 6 != 1).then_some(offset % 4),
                });
            }
            Column::Int64(column)
        }
        FieldType::Float64 => {
            let mut column = Float64Column::default();
            rows.iter().for_each(|&offset| column.push(Some(offset as f64)));
            Column::Float64(column)
        }
        FieldType::Bool => {
            let mut column = BoolColumn::default();
            rows.iter().for_each(|_| column.push(Some(true)));
            Column::Bool(column)
        }
    }
}

pub async fn chain(store: &Arc<Objects>, partition: i32) -> Chain {
    let (epoch, identity): (u32, EpochRecord) =
        open_epoch(store.as_ref(), TOPIC, Some("cluster"), Some("topic")).await.expect("an epoch");
    let key = ChainKey { topic: TOPIC.into(), epoch, partition };
    Chain::new(Arc::clone(store) as Arc<dyn Store>, key, EventKind::Listen, identity, "test")
}

/// A decision and its record objects; `survivors_from` leaves out what is before.
pub fn encode(
    chain: &Chain,
    start: i64,
    end: i64,
    survivors_from: i64,
    previous: Option<&Decision>,
) -> (Decision, Vec<NewObject>) {
    let batch = Arc::new(batch(chain.key().partition, start, end));
    let range = chain.key().range(start, end);
    let mut decision = chain.draft(EntryKind::Data, start, end, previous);
    let whole = [Segment::whole(Arc::clone(&batch))];
    decision.records = whole[0].records();
    decision.checksum = Hex64(whole[0].checksum());
    decision.fingerprint = Some(Fingerprint { offset: end - 1, hash: Hex64(hash(end - 1)) });
    let hour = |date: &str, hour: u8| format!("{date}T{hour:02}").parse::<Hour>().expect("an hour");
    let groups = group_by_hour(&whole).expect("groups");
    decision.objects.extend(groups.iter().map(|group| range.data(hour(&group.date, group.hour))));
    if !whole[0].rejected_records().is_empty() {
        decision.objects.push(range.rejected(Day(1)));
    }
    let mut counts = Counts::default();
    counts.add_activity(&batch.activity().expect("activity"), 0..batch.rows()).expect("counts");
    let counts = counts.into_tables();
    let day = |date: &String| date.parse::<Day>().expect("a day");
    decision.objects.extend(counts.song_dates().iter().map(|date| range.song_counts(day(date))));
    decision.objects.extend(counts.activity_dates().iter().map(|date| range.user_activity(day(date))));

    let survivors = [Segment::between(batch, survivors_from, end)];
    let meta = decision.range_meta();
    let mut encoder = Encoder::new().expect("an encoder");
    let mut objects: BTreeMap<String, NewObject> = BTreeMap::new();
    for group in group_by_hour(&survivors).expect("groups") {
        let name = range.data(hour(&group.date, group.hour));
        let object = encoder.encode_hour(&group, &survivors, name.clone(), &meta).expect("an object");
        objects.insert(name, object.into());
    }
    if !survivors[0].rejected_records().is_empty() {
        let name = range.rejected(Day(1));
        objects.insert(
            name.clone(),
            encoder.encode_rejected(&survivors, name, &meta).expect("an object").into(),
        );
    }
    for name in decision.record_objects() {
        objects
            .entry(name.to_owned())
            .or_insert_with(|| ParquetCodec.empty(&decision, name).expect("an empty object"));
    }
    let ordered = decision.record_objects().filter_map(|name| objects.remove(name)).collect();
    (decision, ordered)
}

pub fn counts(decision: &Decision, records: &[NewObject]) -> Vec<NewObject> {
    let standing: Vec<StandingObject> =
        records.iter().map(|new| StandingObject { name: new.name.clone(), body: new.body.clone() }).collect();
    ParquetCodec.counts(decision, &standing).expect("counts")
}

pub async fn write(chain: &Chain, start: i64, end: i64, previous: Option<&Decision>) -> Decision {
    let (decision, records) = encode(chain, start, end, start, previous);
    assert_eq!(chain.decide(&decision).await.expect("a decision"), Decided::Own);
    let own = counts(&decision, &records);
    chain.finish(&decision, ready(records), own, &ParquetCodec).await.expect("a receipt");
    decision
}

/// Two partitions of three ranges each.
pub async fn lake() -> Arc<Objects> {
    let store = Arc::new(Objects::default());
    for partition in 0..2 {
        let chain = chain(&store, partition).await;
        let mut head = None;
        for (start, end) in [(0, 20), (20, 50), (50, 60)] {
            head = Some(write(&chain, start, end, head.as_ref()).await);
        }
    }
    store
}
