//! Proves that the ranges which Kafka still holds are those that the ledger decided.
//!
//! For each chain of the topics' current epochs, entry by entry: the records that the log still holds of its range
//! have the decided number, checksum and last record. Where retention took a part, and where the number alone does
//! not fix which offsets there are (holes, lost records), the offsets are compared with those in the lake. Memory is
//! bounded by one range's offsets.

use std::error::Error;
use std::fmt;

use async_trait::async_trait;
use thiserror::Error;

use super::compare::{Seen, compare, compare_offsets};
use super::damage::Damage;
use super::{Pages, Report};
use crate::lake::chain::{ChainError, newest_epoch, partitions_of};
use crate::lake::encode::read_offsets;
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{Decision, EntryKind, EpochRecord, Fingerprint, LogView, Receipt, check_identity};
use crate::lake::store::{Store, StoreError, list_all};

/// One record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogRecord {
    /// Kafka offset.
    pub offset: i64,
    /// See [`crate::schemas::decode::record_hash`].
    pub hash: u64,
}

/// What one read of the log gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Records in ascending order, at least one.
    Records(Vec<LogRecord>),
    /// Nothing from there to the end of the log.
    End,
    /// The log does not hold that offset.
    OutOfRange,
}

/// Why the log could not be asked.
pub type LogFailure = Box<dyn Error + Send + Sync>;

/// The log, as far as proving needs it.
#[async_trait]
pub trait RetainedLog: fmt::Debug + Send {
    /// Bounds and identities as they are now, identities read last.
    async fn view(&mut self, topic: &str, partition: i32) -> Result<LogView, LogFailure>;

    /// The next committed records of the partition at or after `from`, a bounded number.
    async fn read(&mut self, topic: &str, partition: i32, from: i64) -> Result<Chunk, LogFailure>;
}

/// Why nothing was proved.
#[derive(Debug, Error)]
pub enum LogVerifyError {
    /// The lake could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger's epochs could not be read.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The broker did not answer.
    #[error("the log of {partition} could not be read: {cause}")]
    Log {
        /// Topic and partition.
        partition: String,
        /// The broker's or client's words.
        cause: LogFailure,
    },
}

/// What the comparison with the log did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Partitions compared.
    pub partitions: u64,
    /// Entries whose whole range the log holds.
    pub whole: u64,
    /// Entries of whose range retention has left a part.
    pub partly: u64,
    /// Entries of which retention has left nothing: not compared.
    pub expired: u64,
    /// Records read.
    pub records: u64,
    /// Offsets passed.
    pub offsets: u64,
    /// Offsets that there were to pass when it began.
    pub total_offsets: u64,
    /// Topics that no epoch was opened of: not compared.
    pub unknown: Vec<String>,
}

/// Compares the newest epochs of `topics` with the log, adding to `report`. `progress` is called after every entry.
///
/// # Errors
/// The store's and the broker's: then nothing is proved.
pub async fn verify_log(
    store: &dyn Store,
    log: &mut dyn RetainedLog,
    topics: &[String],
    report: &mut Report,
    mut progress: impl FnMut(&LogReport) + Send,
) -> Result<(), LogVerifyError> {
    let mut done = LogReport::default();
    let mut chains = Vec::new();
    for topic in topics {
        chains.extend(chains_of(store, log, topic, &mut done, report).await?);
    }
    for (key, identity, view) in chains {
        done.partitions += 1;
        let reader = Reader::at(view.start);
        let mut check = ChainCheck { store, log, key, identity, view, reader, done: &mut done, report };
        check.run(&mut progress).await?;
    }
    report.damage.sort();
    report.log = Some(done);
    Ok(())
}

/// A partition, of the first `partitions`, whose log still holds a record that the ledger knows of the epoch: then it is the same
/// log, even one that lost its end. The oldest known record that can be there is looked for.
///
/// # Errors
/// As [`verify_log`].
pub async fn still_held(
    store: &dyn Store,
    log: &mut dyn RetainedLog,
    topic: &str,
    epoch: u32,
    partitions: i32,
) -> Result<Option<i32>, LogVerifyError> {
    for &partition in partitions_of(store, topic, epoch).await?.range(..partitions) {
        let key = ChainKey { topic: topic.to_owned(), epoch, partition };
        let Some(known) = oldest_known(store, &key, view(log, &key).await?.start).await? else { continue };
        let found = log.read(topic, partition, known.offset).await.map_err(|cause| failed(&key, cause))?;
        if let Chunk::Records(records) = found
            && records.first() == Some(&LogRecord { offset: known.offset, hash: known.hash.0 })
        {
            return Ok(Some(partition));
        }
    }
    Ok(None)
}

/// The first record at or after `start` that an entry of the chain names.
async fn oldest_known(
    store: &dyn Store,
    key: &ChainKey,
    start: i64,
) -> Result<Option<Fingerprint>, LogVerifyError> {
    let mut names: Vec<(i64, String)> = Vec::new();
    for object in list_all(store, &key.ledger_prefix()).await? {
        if let Ok(Name::Entry { start, .. }) = object.name.parse() {
            names.push((start, object.name));
        }
    }
    // The entry that `start` lies in, and those after it.
    let first = names.partition_point(|(of, _)| *of <= start).saturating_sub(1);
    for (_, name) in names.iter().skip(first) {
        let Some(body) = store.read(name).await? else { continue };
        let known = Decision::parse(name, &body).map_err(ChainError::from)?.fingerprint;
        if let Some(known) = known.filter(|known| known.offset >= start) {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

type Found = (ChainKey, EpochRecord, LogView);

/// The chains of the topic's newest epoch, unless the broker's topic is another one.
async fn chains_of(
    store: &dyn Store,
    log: &mut dyn RetainedLog,
    topic: &str,
    done: &mut LogReport,
    report: &mut Report,
) -> Result<Vec<Found>, LogVerifyError> {
    let mut found = Vec::new();
    let Some(epoch) = newest_epoch(store, topic).await? else {
        done.unknown.push(topic.to_owned());
        return Ok(found);
    };
    let name = Name::Epoch { topic: topic.to_owned(), epoch }.to_string();
    let body = store.read(&name).await?;
    // A record that is missing or damaged is found by the pass over the ledger.
    let Some(Ok(identity)) = body.map(|body| EpochRecord::parse(&name, &body)) else { return Ok(found) };
    for partition in partitions_of(store, topic, epoch).await? {
        let key = ChainKey { topic: topic.to_owned(), epoch, partition };
        let view = view(log, &key).await?;
        if let Some(damage) = recreated(&key, &identity, &view) {
            report.found(damage);
            return Ok(Vec::new());
        }
        done.total_offsets += length(view.start, view.end);
        found.push((key, identity.clone(), view));
    }
    Ok(found)
}

fn recreated(key: &ChainKey, identity: &EpochRecord, view: &LogView) -> Option<Damage> {
    let (cluster_id, topic_id) = (view.cluster_id.as_deref(), view.topic_id.as_deref());
    let refusal = check_identity(&key.topic, key.epoch, identity, cluster_id, topic_id).err()?;
    Some(Damage::TopicRecreated { cause: refusal.to_string() })
}

fn length(start: i64, end: i64) -> u64 {
    u64::try_from(end.saturating_sub(start)).unwrap_or(0)
}

fn failed(key: &ChainKey, cause: LogFailure) -> LogVerifyError {
    LogVerifyError::Log { partition: format!("{}[{}]", key.topic, key.partition), cause }
}

async fn view(log: &mut dyn RetainedLog, key: &ChainKey) -> Result<LogView, LogVerifyError> {
    log.view(&key.topic, key.partition).await.map_err(|cause| failed(key, cause))
}

/// Records that were read but not yet asked for.
struct Reader {
    records: Vec<LogRecord>,
    at: usize,
    next: i64,
    ended: bool,
}

impl Reader {
    fn at(offset: i64) -> Self {
        Reader { records: Vec::new(), at: 0, next: offset, ended: false }
    }

    /// Hands out what it holds before `end`; whether there can be no more of that.
    fn drain(&mut self, from: i64, end: i64, seen: &mut Seen) -> bool {
        while let Some(&record) = self.records.get(self.at) {
            if record.offset >= end {
                return true;
            }
            self.at += 1;
            if record.offset >= from {
                seen.add(record);
            }
        }
        self.ended || self.next >= end
    }

    fn fill(&mut self, chunk: Chunk) {
        match chunk {
            Chunk::Records(records) => {
                self.next = records.last().map_or(self.next, |last| last.offset.saturating_add(1));
                (self.records, self.at) = (records, 0);
            }
            Chunk::End | Chunk::OutOfRange => self.ended = true,
        }
    }
}

/// One chain beside its log.
struct ChainCheck<'a> {
    store: &'a dyn Store,
    log: &'a mut dyn RetainedLog,
    key: ChainKey,
    identity: EpochRecord,
    view: LogView,
    reader: Reader,
    done: &'a mut LogReport,
    report: &'a mut Report,
}

impl ChainCheck<'_> {
    async fn run(&mut self, progress: &mut (dyn FnMut(&LogReport) + Send)) -> Result<(), LogVerifyError> {
        let mut pages = Pages::new(self.key.ledger_prefix());
        let mut before: Option<i64> = None;
        while let Some(objects) = pages.next(self.store).await? {
            for object in objects {
                let Ok(Name::Entry { start, .. }) = object.name.parse() else { continue };
                let Some(entry) = before.replace(start) else { continue };
                // An entry ends where the next begins: those that retention took need not be read.
                if start <= self.view.start {
                    self.done.expired += 1;
                } else if !self.entry(entry).await? {
                    return Ok(());
                }
                progress(self.done);
            }
        }
        if let Some(last) = before {
            self.entry(last).await?;
            progress(self.done);
        }
        Ok(())
    }

    /// Checks one entry; false where the topic is another one by now.
    async fn entry(&mut self, start: i64) -> Result<bool, LogVerifyError> {
        let name = self.key.entry(start);
        let body = self.store.read(&name).await?;
        // An entry that is missing or damaged is found by the pass over the ledger.
        let Some(Ok(decision)) = body.map(|body| Decision::parse(&name, &body)) else { return Ok(true) };
        if decision.kind == EntryKind::Close {
            return Ok(true);
        }
        // The entry may be newer than what is known of the log.
        if decision.end > self.view.end && !self.refresh().await? {
            return Ok(false);
        }
        let range = || decision.range().to_string();
        if decision.end > self.view.end {
            self.report.found(Damage::LogEndsBefore { range: range(), log_end: self.view.end });
            return Ok(true);
        }
        let mut ended = false;
        let from = loop {
            let from = decision.start.max(self.view.start);
            if decision.end <= self.view.start {
                self.done.expired += 1;
                return Ok(true);
            }
            let (seen, in_range) = self.read(&decision, from).await?;
            let findings = self.findings(&decision, from, &seen).await?;
            if in_range && findings.is_empty() {
                self.done.records += seen.records;
                break from;
            }
            // Retention may have taken records while they were read.
            if !self.refresh().await? {
                return Ok(false);
            }
            if self.view.start <= from {
                // The log may have grown past the end that was met.
                if in_range && self.reader.ended && !std::mem::replace(&mut ended, true) {
                    self.reader = Reader::at(from);
                    continue;
                }
                if !in_range {
                    let cause = format!("it refuses offset {from}, which it says it holds").into();
                    return Err(failed(&self.key, cause));
                }
                findings.into_iter().for_each(|damage| self.report.found(damage));
                self.done.records += seen.records;
                break from;
            }
            self.reader = Reader::at(self.view.start);
        };
        *(if from > decision.start { &mut self.done.partly } else { &mut self.done.whole }) += 1;
        self.done.offsets += length(from, decision.end);
        Ok(true)
    }

    /// Reads the log's bounds again; false where the topic is another one by now, which is then reported.
    async fn refresh(&mut self) -> Result<bool, LogVerifyError> {
        self.view = view(self.log, &self.key).await?;
        let damage = recreated(&self.key, &self.identity, &self.view);
        let same = damage.is_none();
        damage.into_iter().for_each(|damage| self.report.found(damage));
        Ok(same)
    }

    /// What the log holds of the entry from `from` on, and whether it could be read.
    async fn read(&mut self, decision: &Decision, from: i64) -> Result<(Seen, bool), LogVerifyError> {
        let mut seen = Seen::of(decision, from);
        while !self.reader.drain(from, decision.end, &mut seen) {
            let next = self.reader.next.max(from);
            let chunk = self.log.read(&self.key.topic, self.key.partition, next).await;
            let chunk = chunk.map_err(|cause| failed(&self.key, cause))?;
            if chunk == Chunk::OutOfRange {
                return Ok((seen, false));
            }
            self.reader.fill(chunk);
        }
        Ok((seen, true))
    }

    async fn findings(
        &self,
        decision: &Decision,
        from: i64,
        seen: &Seen,
    ) -> Result<Vec<Damage>, LogVerifyError> {
        let mut findings = compare(decision, from, seen);
        if findings.is_empty() && decision.kind == EntryKind::Data {
            let name = self.key.receipt(decision.start);
            let body = self.store.read(&name).await?;
            // Without a receipt it is being written; a damaged one is found by the pass over the ledger.
            if let Some(Ok(receipt)) = body.map(|body| Receipt::parse(&name, &body, decision))
                && (seen.offsets_matter || receipt.lost > 0)
                && let Some(in_lake) = self.offsets_in_lake(&receipt, from).await?
            {
                findings.extend(compare_offsets(decision, &seen.offsets, &in_lake));
            }
        }
        Ok(findings)
    }

    /// Offsets from `from` on that the entry's objects hold, ascending; none if they are damaged, which the pass over
    /// the ledger finds.
    async fn offsets_in_lake(&self, receipt: &Receipt, from: i64) -> Result<Option<Vec<i64>>, StoreError> {
        let mut offsets = Vec::new();
        for object in &receipt.objects {
            if object.name.parse().is_ok_and(|name: Name| name.is_counts()) {
                continue;
            }
            let Some(body) = self.store.read(&object.name).await? else { return Ok(None) };
            // The decoder trusts the structure of what it reads.
            if crc32c::crc32c(&body) != object.crc32c {
                return Ok(None);
            }
            let Ok(held) = read_offsets(&body) else { return Ok(None) };
            offsets.extend(held.into_iter().filter(|&offset| offset >= from));
        }
        offsets.sort_unstable();
        Ok(Some(offsets))
    }
}
