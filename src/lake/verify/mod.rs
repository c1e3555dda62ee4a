//! Proves that the lake is what the ledger says.
//!
//! One pass over the ledger checks each chain (ranges contiguous from 0, each entry but the last receipted) and, entry
//! by entry, its objects: there, as receipted, offsets inside the range and unique, records adding up, counts equal to
//! a recount. A second pass over `lake/` finds objects that no entry names. Memory is bounded by a few ranges; a lake
//! that is being written may be verified: a last entry without a receipt is in flight, not damaged. [`verify_log`] goes on
//! to compare the ranges that Kafka still holds.

mod compare;
mod damage;
mod log;
mod loss;
mod range;
mod recount;
#[cfg(test)]
mod tests;
mod unnamed;
mod walk;

pub use damage::Damage;
pub use log::{Chunk, LogFailure, LogRecord, LogReport, LogVerifyError, RetainedLog, verify_log};
pub use loss::{Cause, Loss};

use futures::stream::{self, StreamExt, TryStreamExt};

use self::range::{RangeReport, check_range};
use self::walk::{Found, Walk};
use super::layout::{LAKE, LEDGER};
use super::store::{ObjectMeta, Store, StoreError};

/// Ranges whose objects are read at once.
const CONCURRENT_RANGES: usize = 4;
/// Findings that are kept; more are only counted.
const MAX_FINDINGS: usize = 10_000;

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Chains (topic, epoch, partition) with an entry.
    pub chains: u64,
    /// Ledger entries.
    pub entries: u64,
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

/// Verifies the chains of `topics`, or of all if there are none given. `progress` is called with the report so far
/// after every ledger page.
///
/// # Errors
/// The store's: then nothing is proved.
pub async fn verify(
    store: &dyn Store,
    topics: &[String],
    mut progress: impl FnMut(&Report),
) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let mut prefixes: Vec<String> = topics.iter().map(|topic| format!("{LEDGER}{topic}/")).collect();
    if prefixes.is_empty() {
        prefixes.push(LEDGER.to_owned());
    }
    for prefix in prefixes {
        let mut walk = Walk::default();
        let mut pages = Pages::new(prefix);
        while let Some(objects) = pages.next(store).await? {
            let mut found = Vec::new();
            for object in &objects {
                walk.name(store, &object.name, &mut found).await?;
            }
            check_all(store, found, &mut report).await?;
            progress(&report);
        }
        let mut found = Vec::new();
        walk.end(&mut found);
        check_all(store, found, &mut report).await?;
    }
    let mut owners = unnamed::Owners::new(topics);
    let mut pages = Pages::new(LAKE.to_owned());
    while let Some(objects) = pages.next(store).await? {
        for object in objects {
            if !owners.name(store, &object.name).await? {
                report.found(Damage::ObjectUnnamed { name: object.name });
            }
        }
        progress(&report);
    }
    report.damage.sort();
    report.in_flight.sort();
    report.losses.sort();
    Ok(report)
}

async fn check_all(store: &dyn Store, found: Vec<Found>, report: &mut Report) -> Result<(), StoreError> {
    let mut entries = Vec::new();
    for found in found {
        match found {
            Found::Chain => report.chains += 1,
            Found::Damage(damage) => report.found(damage),
            Found::Entry { decision, is_last } => {
                report.entries += 1;
                entries.push((decision, is_last));
            }
        }
    }
    let mut ranges = stream::iter(entries)
        .map(|(decision, is_last)| check_range(store, decision, is_last))
        .buffer_unordered(CONCURRENT_RANGES);
    while let Some(range) = ranges.try_next().await? {
        report.add(range);
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
