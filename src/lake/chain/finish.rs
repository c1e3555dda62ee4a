//! Writing a decision's objects and its receipt.

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt, TryStreamExt};

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
    /// Whether another writer's different content stands there.
    foreign: bool,
}

/// Objects that are all in memory, as [`Chain::finish`] takes them.
pub fn ready(objects: Vec<NewObject>) -> impl Stream<Item = Result<NewObject, CodecError>> {
    stream::iter(objects.into_iter().map(Ok))
}

impl Chain {
    /// Writes a decision's objects and its receipt: `records` are its data and rejected objects, exactly one for each
    /// such name, in the decision's order; only the few that are being written are held in memory. `counts` are its
    /// count objects, made of one's own records; they are used only if one's own bytes stand under every name,
    /// otherwise `codec` makes them from what stands.
    ///
    /// Where retention took records, `records` hold the survivors, with [`ObjectCodec::empty`] for names without any:
    /// then a late writer can add nothing after the receipt.
    ///
    /// # Errors
    /// The store's; [`Refusal::ObjectsDiffer`]; objects that cannot be encoded or read. Asking again is safe.
    pub async fn finish(
        &self,
        decision: &Decision,
        records: impl Stream<Item = Result<NewObject, CodecError>>,
        counts: Vec<NewObject>,
        codec: &dyn ObjectCodec,
    ) -> Result<Receipt, ChainError> {
        let records = self.put_all(decision, decision.record_objects(), records, codec).await?;
        let counts = if records.iter().any(|put| put.foreign) {
            tracing::info!(chain = %self.key, start = decision.start, "counting from another writer's objects");
            codec.counts(decision, &self.standing(&records).await?)?
        } else {
            counts
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
                Some(body) => as_it_stands(name, &body, codec)?,
                None => self.put(codec.empty(decision, name)?, codec).await?,
            };
            records.push(put);
        }
        let counts = codec.counts(decision, &self.standing(&records).await?)?;
        self.finish_counts(decision, records, counts, codec).await
    }

    async fn finish_counts(
        &self,
        decision: &Decision,
        records: Vec<Put>,
        counts: Vec<NewObject>,
        codec: &dyn ObjectCodec,
    ) -> Result<Receipt, ChainError> {
        crate::fault::point("chain.counts").await;
        let counts = self.put_all(decision, decision.count_objects(), ready(counts), codec).await?;
        let mut receipts: HashMap<String, ReceiptObject> =
            records.into_iter().chain(counts).map(|put| (put.receipt.name.clone(), put.receipt)).collect();
        let objects = decision.objects.iter().filter_map(|name| receipts.remove(name)).collect();
        self.receipt(decision, objects).await
    }

    /// Puts `objects`, which must be exactly those called `names`, in that order.
    async fn put_all<'a>(
        &self,
        decision: &Decision,
        mut names: impl Iterator<Item = &'a str>,
        objects: impl Stream<Item = Result<NewObject, CodecError>>,
        codec: &dyn ObjectCodec,
    ) -> Result<Vec<Put>, ChainError> {
        let differ = |name: &str| Refusal::ObjectsDiffer {
            chain: decision.chain().to_string().into(),
            start: decision.start,
            name: name.into(),
            code_version: decision.code_version.as_str().into(),
        };
        let expected = objects.map(|object| -> Result<NewObject, ChainError> {
            let object = object?;
            match names.next() == Some(object.name.as_str()) {
                true => Ok(object),
                false => Err(differ(&object.name).into()),
            }
        });
        let puts = expected
            .map(|object| async { self.put(object?, codec).await })
            .buffered(CONCURRENT_WRITES)
            .try_collect()
            .await?;
        names.next().map_or(Ok(puts), |missing| Err(differ(missing).into()))
    }

    /// The objects' content, read back.
    async fn standing(&self, puts: &[Put]) -> Result<Vec<StandingObject>, ChainError> {
        let read = puts.iter().map(|put| async {
            let name = put.receipt.name.clone();
            let body = self.store.read(&name).await?.ok_or_else(|| no_content(&name))?;
            Ok(StandingObject { name, body })
        });
        stream::iter(read).buffered(CONCURRENT_WRITES).try_collect().await
    }

    async fn put(&self, object: NewObject, codec: &dyn ObjectCodec) -> Result<Put, ChainError> {
        let own = Put { receipt: object.receipt(), foreign: false };
        crate::fault::point("chain.object").await;
        if self.store.create(&object.name, object.body.clone()).await? == Created::New {
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
            return Err(no_content(&object.name).into());
        };
        if body == object.body {
            return Ok(own);
        }
        as_it_stands(&object.name, &body, codec)
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
        crate::fault::point("chain.receipt").await;
        let standing = self.create_or_read(&name, body).await?;
        self.store.sync().await?;
        match standing {
            Some(standing) => Ok(Receipt::parse(&name, &standing, decision)?),
            None => Ok(receipt),
        }
    }
}

fn as_it_stands(name: &str, body: &Bytes, codec: &dyn ObjectCodec) -> Result<Put, ChainError> {
    let receipt = ReceiptObject {
        name: name.to_owned(),
        rows: codec.rows(name, body)?,
        bytes: body.len() as u64,
        crc32c: crc32c::crc32c(body),
    };
    Ok(Put { receipt, foreign: true })
}

fn no_content(name: &str) -> StoreError {
    let cause = "the store says that it exists, but gives no content".to_owned();
    StoreError::Transient { op: "read", name: name.to_owned(), cause }
}
