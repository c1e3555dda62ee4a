//! What is read from the bucket: names, entries, receipts, epochs, snapshots.
//!
//! Input: a byte that chooses what it is, then the name and, after a line break, the content.

#![no_main]

use std::cell::RefCell;

use beatlytica::charts::{ChartSettings, Charts};
use beatlytica::lake::layout::{ChainKey, Name};
use beatlytica::lake::ledger::{Decision, EpochRecord, LogView, Receipt, plan_recovery};
use beatlytica::schemas::{EventKind, Source};
use libfuzzer_sys::fuzz_target;
use twox_hash::XxHash3_64;

thread_local! {
    /// An entry that receipts may be of.
    static ENTRY: RefCell<Option<Decision>> = const { RefCell::new(None) };
}

fn name(text: &str) {
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.to_string(), text);
        assert!(!name.is_counts() || name.range().is_some());
    }
}

fn entry(name: &str, body: &[u8]) {
    let Ok(entry) = Decision::parse(name, body) else { return };
    assert_eq!(entry.chain().entry(entry.start), name);
    assert_eq!(Decision::parse(name, &entry.to_bytes().unwrap()), Ok(entry.clone()));
    assert!(entry.start <= entry.end && entry.records <= entry.end.abs_diff(entry.start));
    assert_eq!(entry.objects.len(), entry.record_objects().count() + entry.count_objects().count());
    let log = LogView { start: 0, end: entry.end, cluster_id: None, topic_id: None };
    for receipted in [false, true] {
        let _ = plan_recovery(&entry.chain(), Some((&entry, receipted)), &log);
    }
    ENTRY.set(Some(entry));
}

fn receipt(body: &[u8]) {
    ENTRY.with_borrow(|entry| {
        let Some(entry) = entry else { return };
        let name = entry.chain().receipt(entry.start);
        let Ok(receipt) = Receipt::parse(&name, body, entry) else { return };
        let names: Vec<&str> = receipt.objects.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(names, entry.objects);
        assert_eq!(Receipt::parse(&name, &receipt.to_bytes(&name).unwrap(), entry), Ok(receipt));
    });
}

/// A snapshot with this body: what comes behind the checksum is what is to be tried.
fn sealed(body: &[u8]) -> Vec<u8> {
    let mut checked = (body.len() as u64).to_le_bytes().to_vec();
    checked.extend(zstd::bulk::compress(body, 1).unwrap());
    let hash = XxHash3_64::oneshot(&checked);
    [b"BLYCHART", &1_u32.to_le_bytes()[..], &hash.to_le_bytes(), &checked].concat()
}

fn snapshot(body: &[u8]) {
    let kind = EventKind::Listen;
    let source = Source { topic: kind.table().into(), kind, epoch: 1, partition: 0 };
    let mut charts = Charts::new(ChartSettings::default());
    charts.assign(&source, 0);
    if let Ok(end) = charts.restore(&source, body) {
        assert_eq!(charts.end(&source), Some(end));
        let again = charts.snapshot(&source).unwrap();
        let mut other = Charts::new(ChartSettings::default());
        other.assign(&source, 0);
        assert_eq!(other.restore(&source, &again).unwrap(), end);
        assert_eq!(other.snapshot(&source).unwrap(), again);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let (first, body) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    match choice % 5 {
        0 => std::str::from_utf8(rest).map(name).unwrap_or_default(),
        1 => std::str::from_utf8(first).map(|name| entry(name, body)).unwrap_or_default(),
        2 => {
            // The entry first, then its receipt behind another line break.
            let Some(at) = body.iter().position(|&byte| byte == b'\n') else { return };
            std::str::from_utf8(first).map(|name| entry(name, &body[..at])).unwrap_or_default();
            receipt(&body[at + 1..]);
        }
        3 => {
            let chain = ChainKey { topic: "t".to_owned(), epoch: 1, partition: 0 };
            let _ = EpochRecord::parse(&chain.to_string(), rest)
                .map(|record| assert_eq!(EpochRecord::parse("", &record.to_bytes("").unwrap()), Ok(record)));
        }
        // As it is, it must at least be refused.
        _ if rest.starts_with(b"BLYCHART") => snapshot(rest),
        _ => snapshot(&sealed(rest)),
    }
});
