//! One entry's objects against its receipt and against each other.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::BYTES_AT_ONCE;
use super::damage::Damage;
use super::loss::{Cause, Loss};
use super::recount::Recount;
use crate::lake::encode::{
    EncodeError, read_activity, read_offsets, read_song_counts, read_user_activity, row_count,
};
use crate::lake::layout::{ChainKey, Name};
use crate::lake::ledger::{Decision, EntryKind, Receipt, ReceiptObject};
use crate::lake::store::{Store, StoreError};

/// What one entry holds.
#[derive(Debug, Default)]
pub struct RangeReport {
    /// Objects read.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Rows in event tables.
    pub rows: u64,
    /// Rejected records.
    pub rejected: u64,
    /// Records that its receipt says are lost.
    pub lost: u64,
    /// Offsets without a record.
    pub holes: u64,
    /// Offsets that retention took before they were read.
    pub gap: u64,
    /// Name of the entry, if it is the last and has no receipt yet.
    pub in_flight: Option<String>,
    /// The entry, if its receipt or an object of it is missing.
    pub unfinished: Option<(ChainKey, i64)>,
    /// What the ledger says is missing.
    pub losses: Vec<Loss>,
    /// What is wrong.
    pub damage: Vec<Damage>,
}

/// Checks one entry; the last of a chain may be without a receipt. `room` is where the bytes of objects that are held
/// at once are taken from.
pub async fn check_range(
    store: &dyn Store,
    decision: Decision,
    is_last: bool,
    room: &Semaphore,
) -> Result<RangeReport, StoreError> {
    let mut report = RangeReport::default();
    if decision.kind == EntryKind::Close {
        return Ok(report);
    }
    let (chain, start) = (decision.chain(), decision.start);
    let name = chain.receipt(start);
    let receipt = match store.read(&name).await? {
        None => {
            match is_last {
                true => report.in_flight = Some(chain.entry(start)),
                false => report.damage.push(Damage::ReceiptMissing { name }),
            }
            report.unfinished = Some((chain, start));
            return Ok(report);
        }
        Some(body) => match Receipt::parse(&name, &body, &decision) {
            Ok(receipt) => receipt,
            Err(error) => {
                report.damage.push(Damage::Ledger { cause: error.to_string() });
                return Ok(report);
            }
        },
    };
    let largest = receipt.objects.iter().map(|object| object.bytes).max().unwrap_or(0);
    let needed = u32::try_from(largest).unwrap_or(u32::MAX).min(BYTES_AT_ONCE);
    // The semaphore is never closed: an error cannot come.
    let _room = room.acquire_many(needed).await.ok();
    // Records first: the counts are compared with what they hold.
    let (counts, records): (Vec<_>, Vec<_>) = receipt
        .objects
        .iter()
        .partition(|object| object.name.parse().is_ok_and(|name: Name| name.is_counts()));
    let mut check = Check::new(decision);
    for object in records.into_iter().chain(counts).cloned().collect::<Vec<_>>() {
        let body = store.read(&object.name).await?;
        check = check.beside(object, body).await?;
    }
    Ok(check.finish(&receipt))
}

/// Offsets that were met, 64 to a word: records lie side by side.
#[derive(Debug, Default)]
struct Offsets(HashMap<i64, u64>);

impl Offsets {
    /// Whether it is the first time.
    fn insert(&mut self, offset: i64) -> bool {
        let word = self.0.entry(offset >> 6).or_default();
        let bit = 1 << (offset & 63);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

struct Check {
    decision: Decision,
    report: RangeReport,
    offsets: Offsets,
    recount: Recount,
    /// Data that cannot be read cannot be recounted: its counts would be reported for nothing.
    recountable: bool,
}

impl Check {
    fn new(decision: Decision) -> Self {
        Check {
            decision,
            report: RangeReport::default(),
            offsets: Offsets::default(),
            recount: Recount::default(),
            recountable: true,
        }
    }

    /// Checks an object on a thread where that may take long.
    async fn beside(mut self, object: ReceiptObject, body: Option<Bytes>) -> Result<Self, StoreError> {
        let name = object.name.clone();
        let checked = tokio::task::spawn_blocking(move || {
            self.object(&object, body.as_deref());
            self
        });
        checked.await.map_err(|error| StoreError::Permanent {
            op: "read",
            name,
            cause: format!("its check failed: {error}"),
        })
    }

    fn object(&mut self, receipted: &ReceiptObject, body: Option<&[u8]>) {
        let Some(body) = body else {
            self.recountable = false;
            self.report.unfinished = Some((self.decision.chain(), self.decision.start));
            self.report.damage.push(Damage::ObjectMissing { name: receipted.name.clone() });
            return;
        };
        self.report.objects += 1;
        self.report.bytes += body.len() as u64;
        let size = self.differs(receipted, "size", receipted.bytes, body.len() as u64);
        let crc32c = self.differs(receipted, "crc32c", receipted.crc32c.into(), crc32c::crc32c(body).into());
        if size || crc32c {
            // Content that is known to be damaged is not decoded: the decoders trust its structure.
            self.recountable = false;
            return;
        }
        if let Err(error) = self.content(receipted, body) {
            self.recountable = false;
            let cause = format!("{}: {error}", receipted.name);
            self.report.damage.push(Damage::ObjectUnreadable { cause });
        }
    }

    fn content(&mut self, receipted: &ReceiptObject, body: &[u8]) -> Result<(), EncodeError> {
        let name = &receipted.name;
        let rows = row_count(body)?;
        self.differs(receipted, "rows", receipted.rows, rows);
        match name.parse() {
            Ok(Name::Data { .. }) => {
                self.report.rows += rows;
                self.records(name, body)?;
                self.recount.add(&read_activity(self.decision.table, body)?.view());
            }
            Ok(Name::Rejected { .. }) => {
                self.report.rejected += rows;
                self.records(name, body)?;
            }
            Ok(Name::SongCounts { day, .. }) => {
                let counts = read_song_counts(body)?;
                let keys = self.recount.take_songs(day, &counts);
                self.counts(name.clone(), keys);
            }
            Ok(Name::UserActivity { day, .. }) => {
                let users = read_user_activity(body)?;
                let keys = self.recount.take_users(day, &users);
                self.counts(name.clone(), keys);
            }
            // The entry was parsed: it names nothing else.
            _ => {}
        }
        Ok(())
    }

    fn records(&mut self, name: &str, body: &[u8]) -> Result<(), EncodeError> {
        let range = self.decision.start..self.decision.end;
        for offset in read_offsets(body)? {
            let name = || name.to_owned();
            if !range.contains(&offset) {
                self.report.damage.push(Damage::OffsetOutside { name: name(), offset });
            } else if !self.offsets.insert(offset) {
                self.report.damage.push(Damage::OffsetTwice { name: name(), offset });
            }
        }
        Ok(())
    }

    /// Reports a difference, and says whether there is one.
    fn differs(&mut self, object: &ReceiptObject, what: &'static str, receipted: u64, found: u64) -> bool {
        if receipted != found {
            let name = object.name.clone();
            self.report.damage.push(Damage::ObjectDiffers { name, what, receipted, found });
        }
        receipted != found
    }

    fn counts(&mut self, name: String, keys: u64) {
        if keys > 0 && self.recountable {
            self.report.damage.push(Damage::CountsDiffer { name, keys });
        }
    }

    fn finish(mut self, receipt: &Receipt) -> RangeReport {
        let decision = &self.decision;
        let length = u64::try_from(decision.end - decision.start).unwrap_or(0);
        self.report.lost = receipt.lost;
        match decision.kind {
            EntryKind::Gap => {
                self.report.gap = length;
                self.report.losses.push(Loss { range: decision.range(), cause: Cause::Gap });
            }
            _ => self.report.holes = length.saturating_sub(decision.records),
        }
        if receipt.lost > 0 {
            self.report.losses.push(Loss { range: decision.range(), cause: Cause::Lost(receipt.lost) });
        }
        let found = self.report.rows + self.report.rejected + receipt.lost;
        if self.recountable && found != decision.records {
            let range = decision.range().to_string();
            self.report.damage.push(Damage::RecordsDiffer { range, decided: decision.records, found });
        }
        for (name, keys) in self.recount.left(&self.decision.range()) {
            self.counts(name, keys);
        }
        self.report
    }
}
