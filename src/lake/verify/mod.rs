//! Proves that the lake is what the ledger says.
//!
//! One pass over the ledger checks each chain (ranges contiguous from 0, each entry but the last receipted) and, entry
//! by entry, its objects: there, as receipted, offsets inside the range and unique, records adding up, counts equal to
//! a recount. A second pass over `lake/` finds objects that no entry names. A lake that is being written may be verified:
//! a last entry without a receipt is in flight, not damaged. [`verify_log`] goes on to compare the ranges that Kafka
//! still holds, and [`repair()`] writes what is missing and can be had again.
//!
//! Names are listed page by page, entries read ahead of them, ranges checked side by side on all cores. Memory is bounded
//! by a page of entries, [`BYTES_AT_ONCE`] of objects and what they hold, and [`MAX_FINDINGS`] findings.

mod compare;
mod damage;
mod log;
mod loss;
mod range;
mod recount;
mod repair;
#[cfg(test)]
mod tests;
mod unnamed;
mod walk;

pub use damage::Damage;
pub use log::{Chunk, LogFailure, LogRecord, LogReport, LogVerifyError, RetainedLog, still_held, verify_log};
pub use loss::{Cause, Loss};
pub use repair::{Held, LogRange, Repaired, repair};

use futures::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::Semaphore;

use self::range::{RangeReport, check_range};
use self::walk::{Content, Found, Selection, Walk, is_before};
use super::layout::{ChainKey, LAKE, LEDGER, Name};
use super::store::{ObjectMeta, Store, StoreError};

/// Small objects of the ledger that are read at once: what takes time is a bucket's answer.
const READ_AHEAD: usize = 32;
/// Ranges that are checked at once, at most.
const CONCURRENT_RANGES: usize = 16;
/// Bytes of the objects of those ranges. What a range's largest objects hold takes several times as much while it is read.
const BYTES_AT_ONCE: u32 = 48 << 20;
/// Findings that are kept; more are only counted.
const MAX_FINDINGS: usize = 10_000;

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains (topic, epoch, partition) with an entry.
    pub chains: u64,
    /// Ledger entries that were checked.
    pub entries: u64,
    /// Entries that were left out, having been receipted before what [`Scope::since_ms`] says.
    pub skipped: u64,
    /// Objects read.
    pub objects: u64,
    /// Bytes read of them.
    pub bytes: u64,
    /// Rows in event tables.
    pub rows: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Decided records that retention took before they were written.
    pub lost: u64,
    /// Offsets without a record (transaction markers, aborted records).
    pub holes: u64,
    /// Offsets that retention took before they were read.
    pub gap_offsets: u64,
    /// Last entries without a receipt: being written, or to be finished at the next start.
    pub in_flight: Vec<String>,
    /// What retention took, as the ledger says, sorted; the first 10,000. No damage: the lake is what the ledger says.
    pub losses: Vec<Loss>,
    /// Losses beyond those.
    pub more_losses: u64,
    /// Entries whose receipt or objects are missing, in-flight ones too: what [`repair()`] can try; the first 10,000.
    pub unfinished: Vec<(ChainKey, i64)>,
    /// Findings, sorted; the first 10,000.
    pub damage: Vec<Damage>,
    /// Findings beyond those.
    pub more_damage: u64,
    /// What was compared with the log, if it was.
    pub log: Option<LogReport>,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }

    fn found(&mut self, damage: Damage) {
        if self.damage.len() < MAX_FINDINGS {
            self.damage.push(damage);
        } else {
            self.more_damage += 1;
        }
    }

    fn add(&mut self, range: RangeReport) {
        self.objects += range.objects;
        self.bytes += range.bytes;
        self.rows += range.rows;
        self.rejected += range.rejected;
        self.lost += range.lost;
        self.holes += range.holes;
        self.gap_offsets += range.gap;
        self.in_flight.extend(range.in_flight);
        if self.unfinished.len() < MAX_FINDINGS {
            self.unfinished.extend(range.unfinished);
        }
        for loss in range.losses {
            if self.losses.len() < MAX_FINDINGS {
                self.losses.push(loss);
            } else {
                self.more_losses += 1;
            }
        }
        for damage in range.damage {
            self.found(damage);
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Only these topics' chains; all if there are none given.
    pub topics: &'a [String],
    /// Only ranges that were receipted since, and objects created since, ms since 1970 UTC by the store's clock. Of older
    /// entries names, receipts and links are checked.
    pub since_ms: Option<i64>,
}

/// Number of ledger entries in the scope, of whatever age: for a progress bar.
///
/// # Errors
/// The store's.
pub async fn count_entries(store: &dyn Store, scope: Scope<'_>) -> Result<u64, StoreError> {
    let mut entries = 0;
    for prefix in prefixes(scope.topics) {
        let mut pages = Pages::new(prefix);
        while let Some(objects) = pages.next(store).await? {
            let is_entry = |object: &&ObjectMeta| matches!(object.name.parse(), Ok(Name::Entry { .. }));
            entries += objects.iter().filter(is_entry).count() as u64;
        }
    }
    Ok(entries)
}

fn prefixes(topics: &[String]) -> Vec<String> {
    match topics {
        [] => vec![LEDGER.to_owned()],
        topics => topics.iter().map(|topic| format!("{LEDGER}{topic}/")).collect(),
    }
}

/// Verifies what is in `scope`. `progress` is called with the report so far after every range and every page.
///
/// # Errors
/// The store's: then nothing is proved.
pub async fn verify(
    store: &dyn Store,
    scope: Scope<'_>,
    mut progress: impl FnMut(&Report),
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    for prefix in prefixes(scope.topics) {
        let (mut walk, mut selection) = (Walk::default(), Selection::since(scope.since_ms));
        let mut pages = Pages::new(prefix);
        while let Some(objects) = pages.next(store).await? {
            let wanted: Vec<bool> = objects.iter().map(|object| selection.wants(object)).collect();
            let mut bodies = stream::iter(objects.iter().zip(wanted))
                .map(|(object, wanted)| async move {
                    let body = if wanted { Some(store.read(&object.name).await?) } else { None };
                    Ok::<_, StoreError>((object, body))
                })
                .buffered(READ_AHEAD);
            let mut found = Vec::new();
            while let Some((object, body)) = bodies.try_next().await? {
                let content = match &body {
                    None => Content::Unread,
                    Some(None) => Content::Gone,
                    Some(Some(body)) => Content::Read(body),
                };
                walk.name(&object.name, content, &mut found);
            }
            check_all(store, found, &mut report, &mut progress).await?;
            progress(&report);
        }
        let mut found = Vec::new();
        walk.end(&mut found);
        check_all(store, found, &mut report, &mut progress).await?;
    }
    let mut owners = unnamed::Owners::new(scope.topics);
    let mut pages = Pages::new(LAKE.to_owned());
    while let Some(mut objects) = pages.next(store).await? {
        objects.retain(|object| !is_before(object, scope.since_ms));
        for name in owners.unnamed(store, objects).await? {
            report.found(Damage::ObjectUnnamed { name });
        }
        progress(&report);
    }
    report.damage.sort();
    report.in_flight.sort();
    report.losses.sort();
    report.unfinished.sort();
    Ok(report)
}

async fn check_all(
    store: &dyn Store,
    found: Vec<Found>,
    report: &mut Report,
    progress: &mut impl FnMut(&Report),
) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    for found in found {
        match found {
            Found::Chain => report.chains += 1,
            Found::Damage(damage) => report.found(damage),
            Found::Skipped => report.skipped += 1,
            Found::Entry { decision, is_last } => entries.push((decision, is_last)),
        }
    }
    let room = Semaphore::new(BYTES_AT_ONCE as usize);
    let mut ranges = stream::iter(entries)
        .map(|(decision, is_last)| check_range(store, decision, is_last, &room))
        .buffer_unordered(CONCURRENT_RANGES);
    while let Some(range) = ranges.try_next().await? {
        report.entries += 1;
        report.add(range);
        progress(report);
    }
    Ok(())
}

/// A listing, page by page.
struct Pages {
    prefix: String,
    next: Option<String>,
    ended: bool,
}

impl Pages {
    fn new(prefix: String) -> Self {
        Pages { prefix, next: None, ended: false }
    }

    async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<ObjectMeta>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let page = store.list(&self.prefix, None, self.next.take()).await?;
        self.ended = page.next.is_none();
        self.next = page.next;
        Ok(Some(page.objects))
    }
}
