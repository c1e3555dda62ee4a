//! One entry beside what the log holds of its range. Pure.

use super::damage::Damage;
use super::log::LogRecord;
use crate::lake::ledger::{Decision, EntryKind, Hex64};

/// What the log holds of a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Number of records.
    pub records: u64,
    /// Wrapping sum of their hashes.
    pub checksum: u64,
    /// Hash of the record at the entry's fingerprint.
    pub fingerprint: Option<u64>,
    /// Their offsets, ascending.
    pub offsets: Vec<i64>,
    /// Whether the number of records leaves open which offsets hold them.
    pub offsets_matter: bool,
    fingerprint_at: Option<i64>,
}

impl Seen {
    /// Nothing yet of `decision`, which is read from `from` on.
    pub fn of(decision: &Decision, from: i64) -> Self {
        let length = u64::try_from(decision.end.saturating_sub(decision.start)).unwrap_or(0);
        Seen {
            offsets_matter: from > decision.start || decision.records < length,
            fingerprint_at: decision.fingerprint.map(|fingerprint| fingerprint.offset),
            ..Seen::default()
        }
    }

    /// Takes the next record.
    pub fn add(&mut self, record: LogRecord) {
        self.records += 1;
        self.checksum = self.checksum.wrapping_add(record.hash);
        self.offsets.push(record.offset);
        if self.fingerprint_at == Some(record.offset) {
            self.fingerprint = Some(record.hash);
        }
    }
}

/// What is wrong with `decision`, of which the log holds `seen`, its beginning before `from` being gone.
pub fn compare(decision: &Decision, from: i64, seen: &Seen) -> Vec<Damage> {
    let range = || decision.range().to_string();
    if decision.kind != EntryKind::Data {
        return match seen.records {
            0 => Vec::new(),
            records => vec![Damage::GapHeld { range: range(), records }],
        };
    }
    let mut findings = Vec::new();
    let whole = from <= decision.start;
    let same = match whole {
        true => seen.records == decision.records && Hex64(seen.checksum) == decision.checksum,
        false => seen.records <= decision.records,
    };
    if !same {
        findings.push(Damage::LogDiffers {
            range: range(),
            decided: decision.records,
            decided_checksum: decision.checksum.to_string(),
            found: seen.records,
            found_checksum: Hex64(seen.checksum).to_string(),
        });
    }
    if let Some(fingerprint) = decision.fingerprint
        && fingerprint.offset >= from
        && seen.fingerprint != Some(fingerprint.hash.0)
    {
        findings.push(Damage::FingerprintDiffers { range: range(), offset: fingerprint.offset });
    }
    findings
}

/// Compares the offsets of the same range in the log and in the lake, both ascending.
pub fn compare_offsets(decision: &Decision, in_log: &[i64], in_lake: &[i64]) -> Option<Damage> {
    let only_in = |these: &[i64], those: &[i64]| -> Vec<i64> {
        these.iter().copied().filter(|offset| those.binary_search(offset).is_err()).collect()
    };
    let (log_only, lake_only) = (only_in(in_log, in_lake), only_in(in_lake, in_log));
    let first = log_only.first().into_iter().chain(lake_only.first()).min().copied()?;
    Some(Damage::OffsetsDiffer {
        range: decision.range().to_string(),
        first,
        log_only: log_only.len() as u64,
        lake_only: lake_only.len() as u64,
    })
}
