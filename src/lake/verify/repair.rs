//! Writes what [`super::verify`] found missing, where it can be had again: from the log, and counts from the data.
//!
//! It does what the engine does with a decision that it finds unfinished ([`Chain::finish`]), and obeys the same rules:
//! nothing is overwritten or deleted, a decision and a receipt stay as they are. So it may run beside engines of the
//! same group: whoever comes second finds the objects there.

use std::sync::Arc;

use async_trait::async_trait;

use super::log::LogFailure;
use crate::lake::chain::{Chain, ChainError, epoch_record, newest_epoch, ready};
use crate::lake::codec::{NewObject, ObjectCodec as _, StandingObject};
use crate::lake::encode::CountTables;
use crate::lake::encoders::Encoders;
use crate::lake::layout::ChainKey;
use crate::lake::ledger::{
    Decision, EntryKind, Hex64, LogView, Receipt, check_finished, check_schema_version,
};
use crate::lake::parquet::{ParquetCodec, count_objects, counts_of, failed};
use crate::lake::pending::Range;
use crate::lake::store::{Created, Store};

/// What the log holds of a decided range.
#[derive(Debug)]
pub struct Held {
    /// The range's records; none where the log does not hold all of it.
    pub range: Option<Range>,
    /// The log's bounds, and its ids as they were after the records had been read.
    pub log: LogView,
}

/// The log, as far as repairing needs it.
#[async_trait]
pub trait LogRange: Send {
    /// Stands for the settings under which it decodes, see [`Decision::decoding`].
    fn decoding(&self) -> Hex64;

    /// The decision's records, decoded as the engine decodes them.
    async fn range(&mut self, decision: &Decision) -> Result<Held, LogFailure>;
}

/// What became of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// Its name.
    pub entry: String,
    /// Number of objects written, or why they were not, in words.
    pub outcome: Result<u64, String>,
}

/// Tries each of the `unfinished` entries of a report. An entry that is whole by now counts as repaired with nothing
/// written.
pub async fn repair(
    store: &Arc<dyn Store>,
    encoders: &Encoders,
    log: &mut dyn LogRange,
    writer: &str,
    unfinished: &[(ChainKey, i64)],
) -> Vec<Repaired> {
    let mut repaired = Vec::new();
    for (key, start) in unfinished {
        let mut entry = Entry { store, encoders, log: &mut *log, writer, key };
        let outcome = entry.repair(*start).await;
        repaired.push(Repaired { entry: key.entry(*start), outcome });
    }
    repaired
}

/// One entry under repair.
struct Entry<'a> {
    store: &'a Arc<dyn Store>,
    encoders: &'a Encoders,
    log: &'a mut dyn LogRange,
    writer: &'a str,
    key: &'a ChainKey,
}

fn words(error: impl Into<ChainError>) -> String {
    error.into().to_string()
}

impl Entry<'_> {
    async fn repair(&mut self, start: i64) -> Result<u64, String> {
        let (store, key) = (self.store.as_ref(), self.key);
        let identity = epoch_record(store, &key.topic, key.epoch).await.map_err(words)?;
        let identity = identity.ok_or("the record of its epoch is missing: restore it from a copy")?;
        let name = key.entry(start);
        let body = store.read(&name).await.map_err(words)?.ok_or("it is missing")?;
        let decision = Decision::parse(&name, &body).map_err(words)?;
        let chain =
            Chain::new(Arc::clone(self.store), key.clone(), decision.table, identity, self.writer.to_owned());
        check_schema_version(&decision).map_err(words)?;
        let missing = self.missing(&decision).await?;
        match chain.receipt_of(&decision).await.map_err(words)? {
            Some(receipt) => self.fill(&chain, &decision, &receipt, &missing).await,
            None if decision.kind != EntryKind::Data => {
                chain.receipt(&decision, Vec::new()).await.map(|_| 0).map_err(words)
            }
            None => {
                let range = self.read_log(&chain, &decision).await?;
                let (records, counts) = self.encode(&decision, range).await?;
                let finished = chain.finish(&decision, ready(records), counts, &ParquetCodec).await;
                finished.map(|_| missing.len() as u64).map_err(words)
            }
        }
    }

    /// Names that the decision gives and nothing stands under.
    async fn missing(&self, decision: &Decision) -> Result<Vec<String>, String> {
        let mut missing = Vec::new();
        for name in &decision.objects {
            if self.store.stat(name).await.map_err(words)?.is_none() {
                missing.push(name.clone());
            }
        }
        Ok(missing)
    }

    /// Writes the missing objects of a receipted entry, each only with the very bytes that its receipt speaks of.
    async fn fill(
        &mut self,
        chain: &Chain,
        decision: &Decision,
        receipt: &Receipt,
        missing: &[String],
    ) -> Result<u64, String> {
        let mut written = 0;
        if decision.record_objects().any(|name| missing.iter().any(|missing| missing == name)) {
            let range = self.read_log(chain, decision).await?;
            let (records, _) = self.encode(decision, range).await?;
            written += self.put(decision, receipt, missing, &[records]).await?;
        }
        if decision.count_objects().any(|name| missing.iter().any(|missing| missing == name)) {
            // Counts are made of what stands. Who counted another writer's objects used the codec's own level.
            let standing = self.standing(decision).await?;
            let counts = counts_of(decision, &standing).map_err(words)?;
            let own = self.encode_counts(decision, counts).await?;
            let codec = ParquetCodec.counts(decision, &standing).map_err(words)?;
            written += self.put(decision, receipt, missing, &[own, codec]).await?;
        }
        self.store.sync().await.map_err(words)?;
        Ok(written)
    }

    /// Creates those of the `missing` objects that one of the `candidates` holds as receipted.
    async fn put(
        &self,
        decision: &Decision,
        receipt: &Receipt,
        missing: &[String],
        candidates: &[Vec<NewObject>],
    ) -> Result<u64, String> {
        let mut written = 0;
        let named = |name: &String| candidates.iter().flatten().any(|object| object.name == *name);
        for name in missing.iter().filter(|name| named(name)) {
            let receipted = receipt.objects.iter().find(|object| object.name == *name);
            let same = |object: &&NewObject| Some(&object.receipt()) == receipted;
            let object = candidates.iter().flatten().find(same).ok_or_else(|| {
                format!(
                    "{name} would be written with other bytes than its receipt says: run version {} with the settings \
                     of that time ([lake] compression_level, [decode], [privacy]), or restore it from a copy",
                    decision.code_version
                )
            })?;
            let created = self.store.create(name, object.body.clone()).await.map_err(words)?;
            written += u64::from(created == Created::New);
        }
        Ok(written)
    }

    /// The decision's records as the log holds them, checked to be those that were decided.
    async fn read_log(&mut self, chain: &Chain, decision: &Decision) -> Result<Range, String> {
        let newest = newest_epoch(self.store.as_ref(), &decision.topic).await.map_err(words)?;
        if newest != Some(decision.epoch) {
            return Err("its epoch is closed: no log holds its records any more".to_owned());
        }
        if decision.decoding.is_some_and(|decoding| decoding != self.log.decoding()) {
            return Err("it was decided under another decode.repair, privacy.mode or privacy.key, and what they hide would be in the \
                        lake for good: repair it with the settings of the engine that decided it, or have that engine finish it"
                .to_owned());
        }
        let held = self.log.range(decision).await.map_err(|cause| format!("the log: {cause}"))?;
        chain.check_identity(held.log.cluster_id.as_deref(), held.log.topic_id.as_deref()).map_err(words)?;
        let range = held.range.ok_or_else(|| {
            format!(
                "the log holds offsets [{}, {}) only: restore the objects from a copy, or, of a last entry without a \
                 receipt, have the engine write what is left",
                held.log.start, held.log.end
            )
        })?;
        let (records, checksum) = range.checksum();
        check_finished(decision, records, checksum, false).map_err(words)?;
        Ok(range)
    }

    /// The decision's objects: those with records, and their counts.
    async fn encode(
        &self,
        decision: &Decision,
        range: Range,
    ) -> Result<(Vec<NewObject>, Vec<NewObject>), String> {
        let (described, owned) = (decision.range().to_string(), decision.clone());
        let run = self.encoders.run(described.clone(), move |encoder| {
            let counts = range.counts().map_err(|error| failed(&described, error))?;
            let mut objects = range.objects(&owned)?;
            let records: Result<Vec<_>, _> = std::iter::from_fn(|| objects.next(encoder)).collect();
            Ok((records?, count_objects(encoder, &owned, &counts)?))
        });
        run.await.map_err(words)
    }

    async fn encode_counts(
        &self,
        decision: &Decision,
        counts: CountTables,
    ) -> Result<Vec<NewObject>, String> {
        let (described, owned) = (decision.range().to_string(), decision.clone());
        let run = self.encoders.run(described, move |encoder| count_objects(encoder, &owned, &counts));
        run.await.map_err(words)
    }

    async fn standing(&self, decision: &Decision) -> Result<Vec<StandingObject>, String> {
        let mut standing = Vec::new();
        for name in decision.record_objects() {
            let body = self.store.read(name).await.map_err(words)?;
            let body = body.ok_or_else(|| format!("{name} is missing"))?;
            standing.push(StandingObject { name: name.to_owned(), body });
        }
        Ok(standing)
    }
}
