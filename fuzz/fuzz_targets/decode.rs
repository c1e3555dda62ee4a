//! One record of any topic: scanner, validating parser and serde_json agree bit for bit.
//!
//! Input: a byte that chooses the topic and whether text is repaired, then the record's value.

#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use beatlytica::schemas::decode::REASONS;
use beatlytica::schemas::{Decoder, EventBatch, EventKind, RawRecord, Source};
use fuzz_oracle::oracle::{Expected, expected, extra};
use fuzz_oracle::rows::{assert_same, cells};
use libfuzzer_sys::fuzz_target;

/// The fast and the validating reader of a kind, repairing or not.
type Readers = (Decoder, Decoder);

thread_local! {
    // Kept from record to record, as in the engine: what is remembered of earlier records must not matter.
    static READERS: RefCell<Vec<Readers>> = RefCell::new((0..8).map(readers).collect());
}

fn readers(choice: usize) -> Readers {
    let kind = EventKind::ALL[choice % 4];
    let source = Arc::new(Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 });
    let repair = choice >= 4;
    (Decoder::new(source.clone(), repair), Decoder::new(source, repair).fast_path(false))
}

fn decode(decoder: &mut Decoder, value: &[u8]) -> EventBatch {
    decoder.begin(0, 2);
    for offset in 0..2 {
        decoder.push(RawRecord { offset, timestamp: 7, key: None, value: Some(value) }, Vec::new);
    }
    decoder.finish(2)
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, value)) = data.split_first() else { return };
    let choice = usize::from(choice) % 8;
    READERS.with_borrow_mut(|readers| {
        let (fast, slow) = &mut readers[choice];
        let (fast, slow) = (decode(fast, value), decode(slow, value));
        assert_same(&fast, &slow);
        assert_eq!(fast.rows() + fast.rejected.len(), 2);
        assert!(fast.rejected.iter().all(|record| REASONS.contains(&record.reason)));
        if choice >= 4 {
            return;
        }
        for row in 0..2 {
            match expected(EventKind::ALL[choice], value) {
                Expected::Unknown => {}
                Expected::Rejected => assert_eq!(fast.rows(), 0, "serde_json refuses it"),
                Expected::Row(wanted, wanted_extra) => {
                    assert_eq!(fast.rows(), 2, "{:?}", fast.rejected);
                    assert_eq!(cells(&fast, row), wanted);
                    assert_eq!(extra(&fast, row), wanted_extra.as_deref());
                }
            }
        }
    });
});
