//! Writing a decision's objects and its receipt.

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::{Chain, ChainError};
use crate::lake::codec::{CodecError, NewObject, ObjectCodec, StandingObject};
use crate::lake::ledger::{
    Decision, EntryKind, FORMAT, LedgerError, Receipt, ReceiptObject, Refusal, check_schema_version,
    lost_records,
};
use crate::lake::store::{Created, StoreError};

/// Objects of one decision that are written at once.
const CONCURRENT_WRITES: usize = 4;

/// An object after its create-if-absent.
#[derive(Debug)]
struct Put {
    receipt: ReceiptObject,
    body: Bytes,
    /// Whether another writer's different content stands there.
    foreign: bool,
}

impl Chain {
    /// Writes a decision's objects and its receipt: `records` are its data and rejected objects, exactly one for each
    /// such name. `counts` makes its count objects from one's own records; it is asked only if one's own bytes stand
    /// under every name, otherwise `codec` makes them from what stands.
    ///
    /// Where retention took records, `records` hold the survivors, with [`ObjectCodec::empty`] for names without any:
    /// then a late writer can add nothing after the receipt.
    ///
    /// # Errors
    /// The store's; [`Refusal::ObjectsDiffer`]; objects that cannot be read. Asking again is safe.
    pub async fn finish(
        &self,
        decision: &Decision,
        records: Vec<NewObject>,
        counts: impl FnOnce() -> Result<Vec<NewObject>, CodecError>,
        codec: &dyn ObjectCodec,
    ) -> Result<Receipt, ChainError> {
        let records = by_names(decision, decision.record_objects(), records)?;
        let records = self.put_all(records, codec).await?;
        let counts = if records.iter().any(|put| put.foreign) {
            tracing::info!(chain = %self.key, start = decision.start, "counting from another writer's objects");
            codec.counts(decision, &standing(&records))?
        } else {
            counts()?
        };
        self.finish_counts(decision, records, counts, codec).await
    }

    /// Finishes a decision without its log: record objects that are there stay, the others are written empty, and
    /// what they would have held is lost.
    pub(super) async fn finish_with_what_stands(
        &self,
        decision: &Decision,
        codec: &dyn ObjectCodec,
    ) -> Result<Receipt, ChainError> {
        if decision.kind != EntryKind::Data {
            return self.receipt(decision, Vec::new()).await;
        }
        check_schema_version(decision)?;
        let mut records = Vec::new();
        for name in decision.record_objects() {
            let put = match self.store.read(name).await? {
                Some(body) => as_it_stands(name, body, codec)?,
                None => self.put(codec.empty(decision, name)?, codec).await?,
            };
            records.push(put);
        }
        let counts = codec.counts(decision, &standing(&records))?;
        self.finish_counts(decision, records, counts, codec).await
    }

    async fn finish_counts(
        &self,
        decision: &Decision,
        records: Vec<Put>,
        counts: Vec<NewObject>,
        codec: &dyn ObjectCodec,
    ) -> Result<Receipt, ChainError> {
        let counts = by_names(decision, decision.count_objects(), counts)?;
        let counts = self.put_all(counts, codec).await?;
        let mut receipts: HashMap<String, ReceiptObject> =
            records.into_iter().chain(counts).map(|put| (put.receipt.name.clone(), put.receipt)).collect();
        let objects = decision.objects.iter().filter_map(|name| receipts.remove(name)).collect();
        self.receipt(decision, objects).await
    }

    async fn put_all(
        &self,
        objects: Vec<NewObject>,
        codec: &dyn ObjectCodec,
    ) -> Result<Vec<Put>, ChainError> {
        stream::iter(objects)
            .map(|object| self.put(object, codec))
            .buffered(CONCURRENT_WRITES)
            .try_collect()
            .await
    }

    async fn put(&self, object: NewObject, codec: &dyn ObjectCodec) -> Result<Put, ChainError> {
        let own = Put { receipt: object.receipt(), body: object.body.clone(), foreign: false };
        if self.store.create(&object.name, object.body).await? == Created::New {
            return Ok(own);
        }
        let same = self
            .store
            .stat(&object.name)
            .await?
            .is_some_and(|meta| meta.crc32c == Some(object.crc32c) && meta.size == own.receipt.bytes);
        if same {
            return Ok(own);
        }
        let Some(body) = self.store.read(&object.name).await? else {
            let cause = "the store says that it exists, but gives no content".to_owned();
            return Err(StoreError::Transient { op: "read", name: object.name, cause }.into());
        };
        if body == own.body {
            return Ok(own);
        }
        as_it_stands(&object.name, body, codec)
    }

    /// Creates the receipt of `decision`, whose `objects` are given in its order as they stand, and which are all
    /// there; where a receipt is there already, that one holds. Durable when it returns.
    ///
    /// # Errors
    /// The store's; objects that hold more records than were decided; a receipt that is damaged.
    pub async fn receipt(
        &self,
        decision: &Decision,
        objects: Vec<ReceiptObject>,
    ) -> Result<Receipt, ChainError> {
        let name = self.key.receipt(decision.start);
        let Some(lost) = lost_records(decision, &objects) else {
            let cause = "its objects hold more records than it decides".to_owned();
            return Err(LedgerError::Damaged { name: self.key.entry(decision.start), cause }.into());
        };
        if lost > 0 {
            tracing::warn!(chain = %self.key, start = decision.start, end = decision.end, lost,
                "decided records are lost");
        }
        let (start, end, watermark) = (decision.start, decision.end, decision.watermark);
        let receipt = Receipt { format: FORMAT, start, end, objects, lost, watermark };
        let body = receipt.to_bytes(&name)?;
        Receipt::parse(&name, &body, decision)?;
        self.store.sync().await?;
        let standing = self.create_or_read(&name, body).await?;
        self.store.sync().await?;
        match standing {
            Some(standing) => Ok(Receipt::parse(&name, &standing, decision)?),
            None => Ok(receipt),
        }
    }
}

fn as_it_stands(name: &str, body: Bytes, codec: &dyn ObjectCodec) -> Result<Put, ChainError> {
    let receipt = ReceiptObject {
        name: name.to_owned(),
        rows: codec.rows(name, &body)?,
        bytes: body.len() as u64,
        crc32c: crc32c::crc32c(&body),
    };
    Ok(Put { receipt, body, foreign: true })
}

fn standing(puts: &[Put]) -> Vec<StandingObject> {
    puts.iter().map(|put| StandingObject { name: put.receipt.name.clone(), body: put.body.clone() }).collect()
}

/// `objects` in the order of `names`; refuses unless there is exactly one for each name.
fn by_names<'a>(
    decision: &Decision,
    names: impl Iterator<Item = &'a str>,
    objects: Vec<NewObject>,
) -> Result<Vec<NewObject>, Refusal> {
    let differ = |name: &str| Refusal::ObjectsDiffer {
        chain: decision.chain().to_string().into(),
        start: decision.start,
        name: name.into(),
        code_version: decision.code_version.as_str().into(),
    };
    let mut made = HashMap::with_capacity(objects.len());
    for object in objects {
        if let Some(twice) = made.insert(object.name.clone(), object) {
            return Err(differ(&twice.name));
        }
    }
    let ordered: Result<Vec<_>, _> =
        names.map(|name| made.remove(name).ok_or_else(|| differ(name))).collect();
    match made.into_keys().min() {
        Some(extra) => Err(differ(&extra)),
        None => ordered,
    }
}
