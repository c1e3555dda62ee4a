//! Records of one partition that wait for their upload: contiguous, cut into ranges, encoded under decided names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Segment;
use super::codec::{CodecError, NewObject};
use super::encode::{
    CountTables, Counts, EncodeError, Encoder, HourGroup, RangeMeta, Table, group_by_hour, told_time,
};
use super::layout::{Day, Hour, Name, RangeKey};
use super::ledger::{Decision, Fingerprint, Hex64};
use super::parquet::failed;
use crate::kafka::gate::Charge;
use crate::schemas::{EventBatch, EventKind};

/// What became of an offered batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// The part behind the end was appended.
    Taken,
    /// All of it was there already.
    Known,
    /// Records from this offset on are missing.
    Hole(i64),
}

/// Contiguous records `[start, end)` of one partition, in the order of their offsets.
#[derive(Debug)]
pub struct Pending {
    start: i64,
    end: i64,
    batches: VecDeque<(Arc<EventBatch>, Arc<Charge>)>,
}

impl Pending {
    /// Nothing yet, at `offset`.
    pub fn starting_at(offset: i64) -> Self {
        Self { start: offset, end: offset, batches: VecDeque::new() }
    }

    /// First offset that is not held yet.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// First offset that is held.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// Whether there is nothing to cut: no record, though the position may have moved past holes.
    pub fn has_records(&self) -> bool {
        self.batches.iter().any(|(batch, _)| {
            !batch.rows_between(self.start, self.end).is_empty()
                || !batch.rejected_between(self.start, self.end).is_empty()
        })
    }

    /// Bytes of memory held by batches that begin at `offset` or later.
    pub fn bytes_from(&self, offset: i64) -> usize {
        let later = self.batches.iter().rev().take_while(|(batch, _)| batch.start >= offset);
        later.map(|(_, charge)| charge.bytes()).sum()
    }

    /// Where the batch ends with which `bytes` are held; the end of all where there are less.
    pub fn end_of(&self, bytes: usize) -> i64 {
        let mut held = 0;
        let full = self.batches.iter().find(|(_, charge)| {
            held += charge.bytes();
            held >= bytes
        });
        full.map_or(self.end, |(batch, _)| batch.end)
    }

    /// Offset and Kafka timestamp of the oldest record, whether it decodes or not, ms; -1 where the broker gave it none.
    pub fn oldest(&self) -> Option<(i64, i64)> {
        self.batches.iter().find_map(|(batch, _)| {
            let row = batch.rows_between(self.start, self.end).next();
            let row =
                row.and_then(|row| batch.offsets.get(row).copied().zip(batch.timestamps.get(row).copied()));
            let rejected =
                batch.rejected.get(batch.rejected_between(self.start, self.end)).unwrap_or_default();
            let rejected = rejected.first().map(|record| (record.offset, record.timestamp));
            row.into_iter().chain(rejected).min()
        })
    }

    /// Appends what it does not hold of `batch`.
    pub fn offer(&mut self, batch: Arc<EventBatch>, charge: Arc<Charge>) -> Offered {
        if batch.start > self.end {
            return Offered::Hole(self.end);
        }
        if batch.end <= self.end {
            return Offered::Known;
        }
        let from = std::mem::replace(&mut self.end, batch.end);
        // Holes move the position only. Kept, they would take memory that no upload frees, for there is nothing to upload.
        let holes = batch.rows_between(from, batch.end).is_empty()
            && batch.rejected_between(from, batch.end).is_empty();
        if !holes {
            self.batches.push_back((batch, charge));
        }
        Offered::Taken
    }

    /// The records of `[self.start, end)`, which stay held until [`Pending::drop_before`].
    pub fn range(&self, end: i64) -> Range {
        let mut from = self.start;
        let mut segments = Vec::new();
        for (batch, _) in &self.batches {
            let until = batch.end.min(end);
            if from >= until {
                continue;
            }
            let segment = Segment::between(Arc::clone(batch), from, until);
            if !segment.is_empty() {
                segments.push(segment);
            }
            from = until;
        }
        Range { segments }
    }

    /// What the batches that hold records of `[self.start, end)` take from the budget.
    pub fn charges(&self, end: i64) -> Vec<Arc<Charge>> {
        let held = self.batches.iter().take_while(|(batch, _)| batch.start < end);
        held.map(|(_, charge)| Arc::clone(charge)).collect()
    }

    /// Lets go of everything before `offset`.
    pub fn drop_before(&mut self, offset: i64) {
        self.start = self.start.max(offset);
        self.end = self.end.max(offset);
        while self.batches.front().is_some_and(|(batch, _)| batch.end <= self.start) {
            self.batches.pop_front();
        }
    }
}

/// The records of one range, ready to be described and encoded.
#[derive(Debug, Clone, Default)]
pub struct Range {
    segments: Vec<Segment>,
}

impl Range {
    /// All records of `batches`, which follow each other.
    pub fn of(batches: impl IntoIterator<Item = Arc<EventBatch>>) -> Self {
        Range { segments: batches.into_iter().map(Segment::whole).collect() }
    }

    /// The part of it before `end`.
    pub fn until(self, end: i64) -> Range {
        let segments = self.segments.into_iter().map(|segment| {
            let rows = segment.batch.rows_between(i64::MIN, end);
            let rejected = segment.batch.rejected_between(i64::MIN, end);
            Segment {
                rows: segment.rows.start..segment.rows.end.min(rows.end).max(segment.rows.start),
                rejected: segment.rejected.start
                    ..segment.rejected.end.min(rejected.end).max(segment.rejected.start),
                batch: segment.batch,
            }
        });
        Range { segments: segments.filter(|segment| !segment.is_empty()).collect() }
    }

    /// Number of records, rejected ones included, and the wrapping sum of their hashes.
    pub fn checksum(&self) -> (u64, u64) {
        self.segments.iter().fold((0, 0), |(count, sum), segment| {
            (count + segment.records(), u64::wrapping_add(sum, segment.checksum()))
        })
    }

    /// The last record.
    fn fingerprint(&self) -> Option<Fingerprint> {
        let segment = self.segments.last()?;
        let row = segment
            .rows
            .clone()
            .last()
            .and_then(|row| Some((*segment.batch.offsets.get(row)?, *segment.batch.hashes.get(row)?)));
        let rejected = segment.rejected_records().last().map(|record| (record.offset, record.hash));
        let (offset, hash) = row.max(rejected)?;
        Some(Fingerprint { offset, hash: Hex64(hash) })
    }

    /// The partition's event-time clock after the range, given the one before: the highest `ts`, but for those more
    /// than `future_limit` ms ahead of their Kafka timestamp.
    pub fn clock(&self, before: Option<i64>, future_limit: i64) -> Option<i64> {
        let mut clock = before;
        for segment in &self.segments {
            let Some(ts) = segment.batch.int64("ts") else { continue };
            let times = ts.values.iter().zip(&segment.batch.timestamps);
            for (&ts, &timestamp) in times.skip(segment.rows.start).take(segment.rows.len()) {
                if timestamp < 0 || ts <= timestamp.saturating_add(future_limit) {
                    clock = clock.max(Some(ts));
                }
            }
        }
        clock
    }

    /// Fills in what `draft`, a decision of this range, says of its records: the objects that hold them, their number,
    /// checksum and fingerprint. Returns their counts.
    ///
    /// # Errors
    /// Rows that do not fit their schema.
    pub fn describe(&self, draft: &mut Decision) -> Result<CountTables, CodecError> {
        let key = draft.range();
        let counts = self.counts().map_err(|error| failed(&key.to_string(), error))?;
        draft.objects = self.names(&key, draft.table, &counts)?;
        let (records, checksum) = self.checksum();
        (draft.records, draft.checksum, draft.fingerprint) = (records, Hex64(checksum), self.fingerprint());
        Ok(counts)
    }

    /// Names of the objects that hold the range, in order.
    fn names(
        &self,
        key: &RangeKey,
        table: EventKind,
        counts: &CountTables,
    ) -> Result<Vec<String>, CodecError> {
        let described = key.to_string();
        let groups = group_by_hour(&self.segments).map_err(|error| failed(&described, error))?;
        let mut names: Vec<String> =
            groups.iter().filter_map(|group| Some(key.data(hour_of(group)?))).collect();
        if let Some(day) = self.first_rejected_day() {
            names.push(key.rejected(day));
        }
        let days = |dates: Vec<String>| -> BTreeSet<Day> {
            dates.iter().filter_map(|date| date.parse().ok()).collect()
        };
        if table == EventKind::Listen {
            names.extend(days(counts.song_dates()).into_iter().map(|day| key.song_counts(day)));
        }
        names.extend(days(counts.activity_dates()).into_iter().map(|day| key.user_activity(day)));
        Ok(names)
    }

    fn first_rejected_day(&self) -> Option<Day> {
        let mut rejected = self.segments.iter().flat_map(Segment::rejected_records);
        rejected.next().map(|record| Day::of_ms(told_time(record.timestamp).unwrap_or(0)))
    }

    /// Song counts and user activity of the range's rows.
    ///
    /// # Errors
    /// Rows that do not fit their schema.
    pub fn counts(&self) -> Result<CountTables, EncodeError> {
        let mut counts = Counts::default();
        for segment in &self.segments {
            if let Some(activity) = segment.batch.activity() {
                counts.add_activity(&activity, segment.rows.clone())?;
            }
        }
        Ok(counts.into_tables())
    }

    /// The decision's data and rejected objects, to be encoded one by one.
    ///
    /// # Errors
    /// Rows that the decision has no name for.
    pub fn objects(self, decision: &Decision) -> Result<RecordObjects, CodecError> {
        let described = decision.range().to_string();
        let groups = group_by_hour(&self.segments).map_err(|error| failed(&described, error))?;
        let groups: BTreeMap<Hour, HourGroup> =
            groups.into_iter().filter_map(|group| Some((hour_of(&group)?, group))).collect();
        let names: VecDeque<String> = decision.record_objects().map(str::to_owned).collect();
        let named: BTreeSet<Hour> = names.iter().filter_map(|name| data_hour(name)).collect();
        if let Some(hour) = groups.keys().find(|hour| !named.contains(hour)) {
            let cause = format!("it has records of {hour}, for which the decision names no object");
            return Err(CodecError { name: described, cause });
        }
        let rejects = self.segments.iter().any(|segment| !segment.rejected_records().is_empty());
        if rejects && names.iter().all(|name| data_hour(name).is_some()) {
            let cause =
                "it has records that do not decode, for which the decision names no object".to_owned();
            return Err(CodecError { name: described, cause });
        }
        let (table, meta) = (decision.table, decision.range_meta());
        Ok(RecordObjects { segments: self.segments, groups, names, table, meta })
    }
}

/// A range's data and rejected objects: one for each name of its decision, in order, empty where the range has nothing
/// for it.
#[derive(Debug)]
pub struct RecordObjects {
    segments: Vec<Segment>,
    groups: BTreeMap<Hour, HourGroup>,
    names: VecDeque<String>,
    table: EventKind,
    meta: RangeMeta,
}

impl RecordObjects {
    /// Whether there is another object.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The next object; `None` after the last.
    pub fn next(&mut self, encoder: &mut Encoder) -> Option<Result<NewObject, CodecError>> {
        let name = self.names.pop_front()?;
        let encoded = match data_hour(&name) {
            Some(hour) => match self.groups.remove(&hour) {
                Some(group) => encoder.encode_hour(&group, &self.segments, name.clone(), &self.meta),
                None => encoder.encode_empty(Table::Events(self.table), name.clone(), &self.meta),
            },
            None => encoder.encode_rejected(&self.segments, name.clone(), &self.meta),
        };
        Some(encoded.map(NewObject::from).map_err(|error| failed(&name, error)))
    }
}

fn data_hour(name: &str) -> Option<Hour> {
    match name.parse() {
        Ok(Name::Data { hour, .. }) => Some(hour),
        _ => None,
    }
}

fn hour_of(group: &HourGroup) -> Option<Hour> {
    let day: Day = group.date.parse().ok()?;
    Some(Hour(i64::from(day.0) * 24 + i64::from(group.hour)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::gate::MemoryBudget;
    use crate::schemas::{Decoder, RawRecord, Source};

    fn decoder() -> Decoder {
        let source =
            Source { topic: "listen_events".into(), kind: EventKind::Listen, epoch: 1, partition: 0 };
        Decoder::new(Arc::new(source), false)
    }

    #[test]
    fn holes_take_no_memory() {
        let mut decoder = decoder();
        let budget = MemoryBudget::new(1 << 20, Arc::default());
        let mut pending = Pending::starting_at(0);
        let mut offer = |pending: &mut Pending, start: i64, records: usize, end: i64| {
            decoder.begin(start, records);
            for offset in (start..).take(records) {
                let value = Some(&br#"{"ts":7}"#[..]);
                decoder.push(RawRecord { offset, timestamp: 1, key: None, value }, Vec::new);
            }
            let batch = decoder.finish(end);
            let charge = budget.charge(batch.heap_bytes());
            pending.offer(Arc::new(batch), Arc::new(charge))
        };
        for start in 0..1000 {
            assert_eq!(offer(&mut pending, start, 0, start + 1), Offered::Taken);
        }
        assert_eq!((pending.end(), pending.bytes_from(i64::MIN), budget.used()), (1000, 0, 0));
        assert_eq!(offer(&mut pending, 1000, 2, 1005), Offered::Taken);
        // The same again, and one hole more: what is new of it is the hole.
        assert_eq!(offer(&mut pending, 1000, 2, 1006), Offered::Taken);
        assert_eq!((pending.end(), pending.has_records()), (1006, true));
        assert_eq!(pending.range(1006).checksum().0, 2);
        assert_eq!(pending.batches.len(), 1);
    }

    #[test]
    fn the_oldest_record_may_be_one_that_does_not_decode() {
        let mut decoder = decoder();
        let budget = MemoryBudget::new(1 << 20, Arc::default());
        let mut pending = Pending::starting_at(0);
        assert_eq!(pending.oldest(), None);
        let whole = &br#"{"ts":7}"#[..];
        let batches: [&[&[u8]]; 2] = [&[b"no JSON"], &[whole, b"nor this", whole]];
        for records in batches {
            let start = pending.end();
            decoder.begin(start, records.len());
            for (offset, value) in (start..).zip(records) {
                decoder.push(
                    RawRecord { offset, timestamp: 100 + offset, key: None, value: Some(value) },
                    Vec::new,
                );
            }
            let batch = decoder.finish(start + records.len() as i64);
            let charge = budget.charge(batch.heap_bytes());
            pending.offer(Arc::new(batch), Arc::new(charge));
        }
        for offset in 0..4 {
            pending.drop_before(offset);
            assert_eq!(pending.oldest(), Some((offset, 100 + offset)));
        }
    }

    #[test]
    fn what_does_not_decode_needs_a_name_of_its_own() {
        let mut decoder = decoder();
        for (offset, value) in (0..).zip([&br#"{"ts":7}"#[..], b"not JSON"]) {
            decoder.push(RawRecord { offset, timestamp: 1, key: None, value: Some(value) }, Vec::new);
        }
        let range = Range::of([Arc::new(decoder.finish(2))]);
        let mut decision = crate::lake::ledger::tests::decision(0, 2);
        range.describe(&mut decision).expect("rows that fit");
        assert!(range.clone().objects(&decision).is_ok());
        decision.objects.retain(|name| !name.contains(crate::lake::layout::REJECTED));
        let error = range.objects(&decision).expect_err("a record without a place");
        assert!(error.to_string().contains("do not decode"), "{error}");
    }
}
