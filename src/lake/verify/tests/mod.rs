//! `verify` on sound lakes and on each planted damage.

mod lake;
mod log;
mod repair;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use self::lake::{Objects, TOPIC, Undone, chain, counts, encode, lake, write};
use super::{Cause, Damage, Loss, Report, Scope, verify};
use crate::lake::ParquetCodec;
use crate::lake::chain::{Hint, completed, mark_complete, open_epoch, open_next_epoch, ready};
use crate::lake::layout::{ChainKey, Day, Hour, Name};
use crate::lake::ledger::{Decision, EntryKind, LogView, Receipt};
use crate::lake::store::Store;
use crate::schemas::EventKind;

async fn check(store: &Arc<Objects>) -> Report {
    verify(store.as_ref(), Scope::default(), |_| {}).await.expect("a report")
}

fn key(partition: i32) -> ChainKey {
    ChainKey { topic: TOPIC.into(), epoch: 1, partition }
}

fn put(store: &Objects, name: &str, body: impl Into<Bytes>) {
    store.map().insert(name.to_owned(), body.into());
}

/// Replaces an object and makes the receipt agree, so that only its content can tell.
fn replace(store: &Objects, partition: i32, start: i64, name: &str, body: Bytes, rows: u64) {
    let receipt_name = key(partition).receipt(start);
    let mut receipt: Receipt = serde_json::from_slice(&store.map()[&receipt_name]).unwrap();
    let object = receipt.objects.iter_mut().find(|object| object.name == name).unwrap();
    (object.rows, object.bytes, object.crc32c) = (rows, body.len() as u64, crc32c::crc32c(&body));
    put(store, &receipt_name, receipt.to_bytes(&receipt_name).unwrap());
    put(store, name, body);
}

#[tokio::test]
async fn a_sound_lake_has_no_findings_and_adds_up() {
    let store = lake().await;
    let report = check(&store).await;
    assert_eq!(report.damage, []);
    // Of 60 offsets, 6 are holes and 6 records are rejected.
    assert_eq!((report.rows, report.rejected, report.holes), (96, 12, 12));
    assert_eq!((report.chains, report.entries, report.lost, report.gap_offsets), (2, 6, 0, 0));
    let one = verify(store.as_ref(), Scope { topics: &["other".to_owned()], ..Scope::default() }, |_| {})
        .await
        .unwrap();
    assert_eq!(one, Report::default());
}

#[tokio::test]
async fn older_ranges_are_left_out_but_for_their_names() {
    let store = lake().await;
    let since = |since_ms| Scope { since_ms: Some(since_ms), ..Scope::default() };
    let all = check(&store).await;
    // A store that tells no times: everything is checked.
    assert_eq!(verify(store.as_ref(), since(100), |_| {}).await.unwrap(), all);
    for (name, at) in [(key(0).receipt(0), 10), (key(0).receipt(20), 20), (key(1).receipt(0), 10)] {
        store.times().insert(name, at);
    }
    let recent = |since_ms| verify(store.as_ref(), since(since_ms), |_| {});
    let report = recent(20).await.unwrap();
    assert_eq!((report.damage, report.entries, report.skipped, report.chains), (vec![], 4, 2, 2));
    // Damage within an older range is not looked for, but is with all of it.
    let old = store.find("event_hour=23/e001-p00000-00000000000000000000");
    store.map().remove(&old);
    assert!(recent(20).await.unwrap().is_sound());
    assert_eq!(recent(10).await.unwrap().damage, [Damage::ObjectMissing { name: old.clone() }]);
    // An object that nothing names is found unless it is older.
    let stray = key(0).range(0, 19).data(Hour(0));
    put(&store, &stray, Bytes::new());
    assert_eq!(recent(20).await.unwrap().damage, [Damage::ObjectUnnamed { name: stray.clone() }]);
    store.times().insert(stray, 19);
    assert!(recent(20).await.unwrap().is_sound());
    // Names still tell that an entry between an older and a newer one has gone, or a receipt.
    let (entry, receipt) = (key(0).entry(20), key(0).receipt(20));
    let sound = store.map().remove(&entry).unwrap();
    let damage = recent(30).await.unwrap().damage;
    assert!(damage.contains(&Damage::EntryUnlinked { name: key(0).entry(50) }), "{damage:?}");
    assert!(damage.contains(&Damage::ReceiptAlone { name: receipt.clone() }), "{damage:?}");
    put(&store, &entry, sound);
    store.map().remove(&receipt);
    assert_eq!(recent(30).await.unwrap().damage, [Damage::ReceiptMissing { name: receipt }]);
}

#[tokio::test]
async fn a_last_entry_without_receipt_is_in_flight_with_and_without_objects() {
    let store = lake().await;
    let name = key(1).receipt(50);
    store.map().remove(&name);
    let report = check(&store).await;
    assert!(report.is_sound(), "{:?}", report.damage);
    assert_eq!(report.in_flight, [key(1).entry(50)]);
    let object =
        store.find("user_activity/event_date=1970-01-02/listen_events-e001-p00001-00000000000000000050");
    store.map().remove(&object);
    assert!(check(&store).await.is_sound());
}

#[tokio::test]
async fn a_deleted_object_is_found() {
    let store = lake().await;
    for part in ["event_hour=23", "_rejected", "song_counts", "user_activity"] {
        let name = store.find(part);
        let body = store.map().remove(&name).unwrap();
        assert_eq!(check(&store).await.damage, [Damage::ObjectMissing { name: name.clone() }]);
        put(&store, &name, body);
    }
}

#[tokio::test]
async fn a_flipped_byte_is_found_wherever_it_is() {
    let store = lake().await;
    let name = store.find("event_hour=23");
    let sound = store.map()[&name].clone();
    for at in (0..sound.len()).step_by(97) {
        let mut body = sound.to_vec();
        body[at] ^= 1;
        put(&store, &name, body);
        let damage = check(&store).await.damage;
        let [Damage::ObjectDiffers { name: found, what: "crc32c", .. }] = &damage[..] else {
            panic!("byte {at}: {damage:?}");
        };
        assert_eq!(*found, name);
    }
}

#[tokio::test]
async fn a_removed_row_is_found() {
    let store = lake().await;
    let chain = chain(&store, 0).await;
    let (decision, records) = encode(&chain, 0, 20, 2, None);
    put(&store, &records[0].name, records[0].body.clone());
    let damage = check(&store).await.damage;
    assert!(
        damage
            .iter()
            .any(|damage| matches!(damage, Damage::ObjectDiffers { name, .. } if *name == records[0].name))
    );
    // With a receipt that agrees: the records no longer add up.
    replace(&store, 0, 0, &records[0].name, records[0].body.clone(), records[0].rows);
    let damage = check(&store).await.damage;
    assert!(damage.iter().any(|damage| damage.to_string().contains("do not add up")), "{damage:?}");
    // With a receipt that claims the full count: the object's own rows tell.
    let rows = records[0].rows + 2;
    assert!(decision.records > rows);
    replace(&store, 0, 0, &records[0].name, records[0].body.clone(), rows);
    let damage = check(&store).await.damage;
    assert!(
        damage.iter().any(|damage| matches!(damage, Damage::ObjectDiffers { what: "rows", .. })),
        "{damage:?}"
    );
    assert!(damage.iter().any(|damage| matches!(damage, Damage::RecordsDiffer { .. })), "{damage:?}");
}

#[tokio::test]
async fn rows_of_another_range_are_found() {
    let store = lake().await;
    let chain = chain(&store, 0).await;
    let (_, there) = encode(&chain, 20, 50, 20, None);
    let name = store.find("_rejected/listen_events/ingest_date=1970-01-02/e001-p00000-00000000000000000020");
    let (_, other) = encode(&chain, 60, 90, 60, None);
    let rejected = |objects: &[crate::lake::codec::NewObject]| {
        objects.iter().find(|object| object.name.contains("_rejected")).cloned().unwrap()
    };
    assert_eq!(rejected(&there).name, name);
    let other = rejected(&other);
    replace(&store, 0, 20, &name, other.body, other.rows);
    let damage = check(&store).await.damage;
    assert!(damage.contains(&Damage::OffsetOutside { name, offset: 67 }), "{damage:?}");
}

#[tokio::test]
async fn an_offset_that_is_there_twice_is_found() {
    let store = lake().await;
    let chain = chain(&store, 0).await;
    let (_, records) = encode(&chain, 0, 20, 0, None);
    let [first, second] = [&records[0], &records[1]];
    assert!(second.name.contains("event_hour"));
    replace(&store, 0, 0, &second.name, first.body.clone(), second.rows);
    let damage = check(&store).await.damage;
    assert!(damage.contains(&Damage::OffsetTwice { name: second.name.clone(), offset: 0 }), "{damage:?}");
}

#[tokio::test]
async fn added_objects_are_found() {
    let store = lake().await;
    let range = key(0).range(0, 20);
    let names = [
        range.data(Hour(0)),
        key(0).range(0, 19).song_counts(Day(1)),
        key(9).range(0, 20).user_activity(Day(1)),
        "lake/v1/listen_events/part-0.parquet".to_owned(),
        "ledger/v1/listen_events/e001/p00000/notes.txt".to_owned(),
    ];
    for name in &names {
        put(&store, name, Bytes::new());
    }
    let mut expected: Vec<Damage> = names.into_iter().map(|name| Damage::ObjectUnnamed { name }).collect();
    expected.sort();
    assert_eq!(check(&store).await.damage, expected);
}

#[tokio::test]
async fn removed_entries_are_found() {
    for (start, to) in [(0, Some(20)), (20, Some(50)), (50, None)] {
        let store = lake().await;
        store.map().remove(&key(0).entry(start));
        let damage = check(&store).await.damage;
        if let Some(to) = to {
            let chain = key(0).to_string();
            assert!(damage.contains(&Damage::EntryMissing { chain, from: start, to }), "{damage:?}");
        }
        assert!(damage.contains(&Damage::ReceiptAlone { name: key(0).receipt(start) }), "{damage:?}");
        assert!(damage.iter().any(|damage| matches!(damage, Damage::ObjectUnnamed { .. })), "{damage:?}");
    }
}

#[tokio::test]
async fn overlapping_and_altered_entries_are_found() {
    let store = lake().await;
    let chain = chain(&store, 0).await;
    let head = chain.entry(20).await.unwrap();
    let (overlapping, _) = encode(&chain, 40, 50, 40, head.as_ref());
    put(&store, &key(0).entry(40), overlapping.to_bytes().unwrap());
    let damage = check(&store).await.damage;
    assert!(damage.contains(&Damage::EntryOverlaps { name: key(0).entry(40), expected: 50 }), "{damage:?}");
    store.map().remove(&key(0).entry(40));

    let sound = store.map()[&key(0).entry(50)].clone();
    let other = String::from_utf8_lossy(&sound).replace("\"previous_start\":20", "\"previous_start\":0");
    put(&store, &key(0).entry(50), other);
    assert_eq!(check(&store).await.damage, [Damage::EntryUnlinked { name: key(0).entry(50) }]);
    put(&store, &key(0).entry(50), "{}");
    let damage = check(&store).await.damage;
    assert!(
        matches!(&damage[..], [Damage::Ledger { cause }] if cause.contains(&key(0).entry(50))),
        "{damage:?}"
    );
}

#[tokio::test]
async fn altered_counts_are_found() {
    let store = lake().await;
    let chain = chain(&store, 0).await;
    let (decision, records) = encode(&chain, 0, 20, 0, None);
    for altered in counts(&decision, &records[..1]) {
        let sound = store.map()[&altered.name].clone();
        let rows =
            counts(&decision, &records).into_iter().find(|object| object.name == altered.name).unwrap().rows;
        if altered.body == sound {
            continue;
        }
        replace(&store, 0, 0, &altered.name, altered.body.clone(), altered.rows);
        let damage = check(&store).await.damage;
        assert!(
            matches!(&damage[..], [Damage::CountsDiffer { name, .. }] if *name == altered.name),
            "{damage:?}"
        );
        replace(&store, 0, 0, &altered.name, sound, rows);
    }
    assert!(check(&store).await.is_sound());
}

#[tokio::test]
async fn altered_and_missing_receipts_and_epochs_are_found() {
    let store = lake().await;
    let name = key(0).receipt(0);
    let sound = store.map()[&name].clone();
    put(&store, &name, String::from_utf8_lossy(&sound).replace("\"lost\":0", "\"lost\":1"));
    assert!(matches!(&check(&store).await.damage[..], [Damage::Ledger { cause }] if cause.contains(&name)));
    store.map().remove(&name);
    assert_eq!(check(&store).await.damage, [Damage::ReceiptMissing { name: name.clone() }]);
    put(&store, &name, sound);
    let epoch = Name::Epoch { topic: TOPIC.into(), epoch: 1 }.to_string();
    store.map().remove(&epoch);
    assert_eq!(check(&store).await.damage, [Damage::EpochMissing { name: epoch }]);
    assert!(open_epoch(store.as_ref(), TOPIC, None, None).await.is_err());
}

#[tokio::test]
async fn no_ledger_is_begun_beside_rows() {
    for table in ["", "_rejected/"] {
        let store = lake().await;
        let rows = format!("lake/v1/{table}{TOPIC}/");
        store.map().retain(|name, _| name.starts_with(&rows));
        assert!(!store.map().is_empty(), "{rows}");
        let error = open_epoch(store.as_ref(), TOPIC, None, None).await.unwrap_err().to_string();
        assert!(error.contains("its ledger is missing"), "{error}");
        open_epoch(store.as_ref(), "another_topic", None, None).await.expect("a topic of its own");
    }
}

fn log(start: i64, end: i64) -> LogView {
    LogView { start, end, cluster_id: None, topic_id: None }
}

#[tokio::test]
async fn lost_records_are_written_as_such() {
    let store = lake().await;
    let undone = Undone::on(&store).await;
    let Undone { chain, decision, .. } = &undone;
    // A crash; retention takes [60, 75); the successor finds the decision, then a gap behind it.
    let hint = Some(Hint { offset: 60, start: 50 });
    let mut gaps = Vec::new();
    let found = chain.recover(hint, || async { Ok(log(75, 200)) }, &mut gaps).await.unwrap();
    assert!(found.hint_used);
    let unfinished = found.unfinished.unwrap();
    assert_eq!((unfinished.survivors_from, &unfinished.decision), (75, decision));
    let survivors = undone.survivors(75);
    let own = counts(decision, &survivors);
    let receipt = chain.finish(decision, ready(survivors), own, &ParquetCodec).await.unwrap();
    assert_eq!(receipt.lost, 13);
    // The gap is told of, though the log does not answer when it is asked once more.
    let asked = AtomicU32::new(0);
    let once = || async {
        match asked.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(log(100, 200)),
            _ => Err("no answer".into()),
        }
    };
    let failed = chain.recover(None, once, &mut gaps).await.unwrap_err();
    assert!(failed.is_transient(), "{failed}");
    let found = chain.recover(None, || async { Ok(log(100, 200)) }, &mut gaps).await.unwrap();
    assert_eq!((found.head_end, gaps.len(), found.unfinished), (100, 1, None));
    let report = check(&store).await;
    assert_eq!((report.damage, report.lost, report.gap_offsets), (vec![], 13, 10));
    let losses = [
        Loss { range: key(0).range(60, 90), cause: Cause::Lost(13) },
        Loss { range: key(0).range(90, 100), cause: Cause::Gap },
    ];
    assert_eq!(report.losses, losses);
}

#[tokio::test]
async fn a_foreign_object_is_counted_as_it_stands() {
    let store = lake().await;
    let undone = Undone::on(&store).await;
    let Undone { chain, decision, records: all, .. } = &undone;
    let survivors = undone.survivors(80);
    let (standing, _) = (survivors[0].clone(), put(&store, &survivors[0].name, survivors[0].body.clone()));
    let own = counts(decision, all);
    let receipt = chain.finish(decision, ready(all.clone()), own, &ParquetCodec).await.unwrap();
    assert_eq!(receipt.lost, all[0].rows - standing.rows);
    let report = check(&store).await;
    assert_eq!((report.damage, report.lost), (vec![], receipt.lost));
}

#[tokio::test]
async fn closing_an_epoch_finishes_with_what_stands() {
    let store = lake().await;
    let Undone { chain, decision, records, .. } = Undone::on(&store).await;
    put(&store, &records[0].name, records[0].body.clone());
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    for _ in 0..2 {
        let opened = open_next_epoch(
            &shared,
            TOPIC,
            EventKind::Listen,
            4,
            Some("cluster"),
            Some("new"),
            "op",
            &ParquetCodec,
        );
        assert_eq!(opened.await.unwrap(), 2);
    }
    let report = check(&store).await;
    assert_eq!((report.damage, report.lost), (vec![], decision.records - records[0].rows));
    for (partition, at) in [(0, 90), (1, 60), (2, 0), (3, 0)] {
        let name = key(partition).entry(at);
        let entry = Decision::parse(&name, &store.map()[&name]).unwrap();
        assert_eq!(entry.kind, EntryKind::Close, "partition {partition}");
    }
    let refused = chain.recover(None, || async { Ok(log(0, 200)) }, &mut Vec::new()).await.unwrap_err();
    assert!(refused.to_string().contains("is closed"), "{refused}");
    assert_eq!(open_epoch(store.as_ref(), TOPIC, None, Some("new")).await.unwrap().0, 2);
    let refused = open_epoch(store.as_ref(), TOPIC, None, Some("newer")).await.unwrap_err();
    assert!(refused.to_string().contains("epoch open --topic"), "{refused}");
}

#[tokio::test]
async fn long_chains_are_found_and_walked_back() {
    let store = Arc::new(Objects::default());
    let chain = chain(&store, 0).await;
    let mut head: Option<Decision> = None;
    for start in 0..150 {
        let (from, to) = (start * start * 1_000_000_000, (start + 1) * (start + 1) * 1_000_000_000);
        let gap = chain.draft(EntryKind::Gap, from, to, head.as_ref());
        chain.decide(&gap).await.unwrap();
        chain.receipt(&gap, Vec::new()).await.unwrap();
        head = Some(gap);
    }
    let end = head.as_ref().unwrap().end;
    for hint in [None, Some(Hint { offset: 1_000_000_000, start: 0 }), Some(Hint { offset: 5, start: 0 })] {
        let found = chain.recover(hint, || async { Ok(log(0, end)) }, &mut Vec::new()).await.unwrap();
        assert_eq!(found.head, head);
        assert_eq!(found.hint_used, hint.is_some_and(|hint| hint.offset != 5));
    }
    let last_ten =
        chain.entries_back_to(head.as_ref().unwrap().start, |entry| entry.start >= 140 * 140 * 1_000_000_000);
    assert_eq!(last_ten.await.unwrap().len(), 10);
    let short = chain.recover(None, || async { Ok(log(0, end - 1)) }, &mut Vec::new()).await.unwrap_err();
    assert!(short.to_string().contains("the log ends at offset"), "{short}");
    assert!(check(&store).await.is_sound());
}

#[tokio::test]
async fn the_newest_complete_hour_of_each_partition_is_told() {
    let store = lake().await;
    for (partition, hours) in [(0, 0..30), (1, 5..6)] {
        for hour in hours {
            mark_complete(store.as_ref(), &key(partition), Hour(400_000 + hour), 60).await.unwrap();
        }
    }
    let hours = completed(store.as_ref(), TOPIC, 1).await.unwrap();
    assert_eq!(hours.into_iter().collect::<Vec<_>>(), [(0, Hour(400_029)), (1, Hour(400_005))]);
    write(&chain(&store, 1).await, 60, 70, chain(&store, 1).await.entry(50).await.unwrap().as_ref()).await;
    assert!(check(&store).await.is_sound());
}
