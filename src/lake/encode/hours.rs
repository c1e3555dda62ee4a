//! Rows by event hour.

use std::collections::BTreeMap;

use super::error::EncodeError;
use crate::lake::Segment;

const HOUR_MS: i64 = 3_600_000;
pub(super) const DAY_MS: i64 = 24 * HOUR_MS;

/// Consecutive rows of one segment's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Index into the segments that were grouped.
    pub segment: u32,
    /// First row of the batch.
    pub start: u32,
    /// End row of the batch, exclusive.
    pub end: u32,
}

impl Run {
    /// Number of rows.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// The rows as a range of indices.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The rows of one event hour, in offset order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourGroup {
    /// Event date in UTC, `YYYY-MM-DD`.
    pub date: String,
    /// Event hour in UTC, 0 to 23.
    pub hour: u8,
    /// Number of rows.
    pub rows: u64,
    /// Where the rows are.
    pub runs: Vec<Run>,
}

/// The rows of `segments` by event hour (UTC, from `ts`), hours ascending, rows in offset order.
///
/// # Errors
/// A batch that has no `ts` column of its own length.
pub fn group_by_hour(segments: &[Segment]) -> Result<Vec<HourGroup>, EncodeError> {
    let mut groups: BTreeMap<i64, HourGroup> = BTreeMap::new();
    for (index, segment) in segments.iter().enumerate() {
        let ts = segment.batch.int64("ts").and_then(|ts| ts.values.get(segment.rows.clone()));
        let ts = ts.ok_or(EncodeError::Batch { column: "ts" })?;
        let mut row = 0;
        while let Some(&first) = ts.get(row) {
            let hour = first.div_euclid(HOUR_MS);
            let into = first.rem_euclid(HOUR_MS);
            let hours = first.saturating_sub(into)..=first.saturating_add(HOUR_MS - 1 - into);
            let length = ts.iter().skip(row).take_while(|ts| hours.contains(ts)).count();
            let start = (segment.rows.start + row) as u32;
            let run = Run { segment: index as u32, start, end: start + length as u32 };
            let group = groups.entry(hour).or_insert_with(|| HourGroup {
                date: utc_date(first),
                hour: hour.rem_euclid(24) as u8,
                rows: 0,
                runs: Vec::new(),
            });
            group.rows += length as u64;
            group.runs.push(run);
            row += length;
        }
    }
    Ok(groups.into_values().collect())
}

/// The UTC date of `ms` milliseconds since 1970, as `YYYY-MM-DD` (proleptic Gregorian, any year).
pub fn utc_date(ms: i64) -> String {
    // Days to civil, counted in 400-year eras that begin on the first of March.
    let days = ms.div_euclid(DAY_MS) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `runs` cut into pieces of at most `limit` rows, in order.
pub(super) fn split_runs(runs: &[Run], limit: usize) -> Vec<Vec<Run>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut room = limit;
    for run in runs {
        let mut rest = *run;
        while !rest.is_empty() {
            let taken = rest.len().min(room) as u32;
            piece.push(Run { end: rest.start + taken, ..rest });
            rest.start += taken;
            room -= taken as usize;
            if room == 0 {
                pieces.push(std::mem::take(&mut piece));
                room = limit;
            }
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}
