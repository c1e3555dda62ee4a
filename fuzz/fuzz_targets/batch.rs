//! A mix of Kafka records, in batches, through decoding, cutting, encoding and reading back.
//!
//! Input: a byte that chooses topic, repair and cut, then records (`fuzz_oracle::records`).

#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use beatlytica::kafka::gate::{Charge, MemoryBudget, Waker};
use beatlytica::lake::ParquetCodec;
use beatlytica::lake::codec::{NewObject, ObjectCodec as _, StandingObject};
use beatlytica::lake::encode::{Encoder, read_offsets};
use beatlytica::lake::layout::ChainKey;
use beatlytica::lake::ledger::{Decision, EntryKind, FORMAT, Hex64, SCHEMA_VERSION};
use beatlytica::lake::parquet::count_objects;
use beatlytica::lake::pending::{Offered, Pending};
use beatlytica::schemas::{Decoder, EventBatch, EventKind, RawRecord, Source, record_hash};
use fuzz_oracle::Choices;
use fuzz_oracle::records::{Record, records};
use fuzz_oracle::rows::assert_same;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ENCODER: RefCell<Encoder> = RefCell::new(Encoder::new().unwrap());
}

fn decode(decoder: &mut Decoder, records: &[Record<'_>]) -> (Vec<EventBatch>, i64) {
    let (mut batches, mut offset) = (Vec::new(), 0);
    decoder.begin(0, 0);
    for record in records {
        offset += record.hole;
        let Record { timestamp, key, value, .. } = *record;
        decoder.push(RawRecord { offset, timestamp, key, value }, || vec![("h".to_owned(), None)]);
        offset += 1;
        if record.cut {
            batches.push(decoder.finish(offset));
            decoder.begin(offset, 0);
        }
    }
    batches.push(decoder.finish(offset));
    (batches, offset)
}

fn charge() -> Arc<Charge> {
    Arc::new(MemoryBudget::new(1 << 30, Arc::new(Waker::default())).charge(1))
}

/// Takes what is decided of the records before `end` through names, objects and counts.
fn write(pending: &Pending, source: &Source, end: i64, records: &[(i64, u64)]) {
    let range = pending.range(end);
    let key = ChainKey::from(source).range(pending.start(), end);
    let held: Vec<(i64, u64)> =
        records.iter().copied().filter(|(offset, _)| (pending.start()..end).contains(offset)).collect();
    let mut decision = Decision {
        format: FORMAT,
        kind: EntryKind::Data,
        topic: source.topic.to_string(),
        table: source.kind,
        epoch: source.epoch,
        partition: source.partition,
        start: pending.start(),
        end,
        objects: Vec::new(),
        records: 0,
        checksum: Hex64(0),
        fingerprint: None,
        previous_start: (pending.start() > 0).then_some(0),
        clock_ms: range.clock(None, 86_400_000),
        watermark: None,
        decoding: None,
        schema_version: SCHEMA_VERSION,
        code_version: String::new(),
        writer: String::new(),
    };
    let counts = range.describe(&mut decision).unwrap();
    assert_eq!(decision.records, held.len() as u64);
    assert_eq!(decision.checksum.0, held.iter().fold(0, |sum: u64, (_, hash)| sum.wrapping_add(*hash)));
    assert_eq!(decision.fingerprint.as_ref().map(|last| (last.offset, last.hash.0)), held.last().copied());
    let name = key.chain.entry(decision.start);
    assert_eq!(Decision::parse(&name, &decision.to_bytes().unwrap()), Ok(decision.clone()));
    let (written, own) = ENCODER.with_borrow_mut(|encoder| {
        let mut objects = range.objects(&decision).unwrap();
        let written: Vec<NewObject> =
            std::iter::from_fn(|| objects.next(encoder)).collect::<Result<_, _>>().unwrap();
        (written, count_objects(encoder, &decision, &counts).unwrap())
    });
    let mut offsets: Vec<i64> =
        written.iter().flat_map(|object| read_offsets(&object.body).unwrap()).collect();
    offsets.sort_unstable();
    assert!(offsets.iter().eq(held.iter().map(|(offset, _)| offset)));
    // Another writer counts from what stands: the same bytes.
    let standing: Vec<StandingObject> =
        written.into_iter().map(|NewObject { name, body, .. }| StandingObject { name, body }).collect();
    assert_eq!(ParquetCodec.counts(&decision, &standing).unwrap(), own);
}

fuzz_target!(|data: &[u8]| {
    let mut input = Choices(data);
    let choice = input.byte();
    let kind = EventKind::ALL[usize::from(choice & 3)];
    let source = Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition: 3 });
    let (repair, cut_at) = (choice & 4 != 0, i64::from(choice >> 4));
    let records = records(input);
    let (batches, end) = decode(&mut Decoder::new(source.clone(), repair), &records);
    let (slow, _) = decode(&mut Decoder::new(source.clone(), repair).fast_path(false), &records);
    batches.iter().zip(&slow).for_each(|(fast, slow)| assert_same(fast, slow));
    let mut offset = 0;
    let hashes: Vec<(i64, u64)> = records
        .iter()
        .map(|record| {
            let at = offset + record.hole;
            offset = at + 1;
            (at, record_hash(at, record.timestamp, record.key, record.value))
        })
        .collect();
    let mut pending = Pending::starting_at(0);
    for batch in batches {
        let expected = if batch.end > pending.end() { Offered::Taken } else { Offered::Known };
        assert_eq!(pending.offer(Arc::new(batch), charge()), expected);
    }
    assert_eq!(pending.end(), end);
    if (1..end).contains(&cut_at) {
        write(&pending, &source, cut_at, &hashes);
        pending.drop_before(cut_at);
    }
    if end > pending.start() {
        write(&pending, &source, end, &hashes);
    }
});
