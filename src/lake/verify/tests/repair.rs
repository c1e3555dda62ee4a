//! `repair`: what is missing is written again, and nothing else is touched.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::lake::{Objects, Undone, batch, counts, lake};
use super::{check, key};
use crate::lake::ParquetCodec;
use crate::lake::chain::{open_next_epoch, ready};
use crate::lake::encoders::Encoders;
use crate::lake::ledger::{Decision, EntryKind, Hex64, LogView};
use crate::lake::pending::Range;
use crate::lake::store::Store;
use crate::lake::verify::{Damage, Held, LogFailure, LogRange, Repaired, repair};
use crate::schemas::EventKind;

/// The level that objects of the test's lake are compressed with.
const LEVEL: i32 = 1;

/// A log that begins at an offset and belongs to a topic.
struct Log {
    start: i64,
    topic_id: &'static str,
    asked: usize,
}

impl Log {
    fn from(start: i64) -> Self {
        Log { start, topic_id: "topic", asked: 0 }
    }
}

#[async_trait]
impl LogRange for Log {
    fn decoding(&self) -> Hex64 {
        Hex64(1)
    }

    async fn range(&mut self, decision: &Decision) -> Result<Held, LogFailure> {
        self.asked += 1;
        let range = (self.start <= decision.start)
            .then(|| Range::of([Arc::new(batch(decision.partition, decision.start, decision.end))]));
        let (cluster_id, topic_id) = (Some("cluster".to_owned()), Some(self.topic_id.to_owned()));
        Ok(Held { range, log: LogView { start: self.start, end: 1000, cluster_id, topic_id } })
    }
}

async fn repaired(store: &Arc<Objects>, log: &mut Log) -> Vec<Repaired> {
    let found = check(store).await.unfinished;
    let shared = Arc::clone(store) as Arc<dyn Store>;
    repair(&shared, &Encoders::new(1, LEVEL), log, "repair", &found).await
}

fn objects_of(store: &Objects, partition: i32, start: i64) -> Vec<String> {
    let part = format!("e001-p{partition:05}-{start:020}-");
    store.map().keys().filter(|name| name.contains(&part)).cloned().collect()
}

/// Takes objects away, repairs, and holds the lake against what it was.
async fn restored(store: &Arc<Objects>, names: &[String], log: &mut Log) -> Vec<Repaired> {
    let sound: BTreeMap<String, Bytes> = store.map().clone();
    names.iter().for_each(|name| drop(store.map().remove(name)));
    let outcome = repaired(store, log).await;
    assert_eq!(*store.map(), sound);
    assert!(check(store).await.is_sound());
    outcome
}

#[tokio::test]
async fn missing_objects_come_back_byte_for_byte() {
    let store = lake().await;
    for name in objects_of(&store, 0, 20) {
        let outcome = restored(&store, &[name], &mut Log::from(0)).await;
        assert_eq!(outcome, [Repaired { entry: key(0).entry(20), outcome: Ok(1) }]);
    }
    let all = objects_of(&store, 1, 0);
    let outcome = restored(&store, &all, &mut Log::from(0)).await;
    assert_eq!(outcome, [Repaired { entry: key(1).entry(0), outcome: Ok(all.len() as u64) }]);
}

#[tokio::test]
async fn counts_come_back_without_the_log() {
    let store = lake().await;
    let counts: Vec<String> = objects_of(&store, 0, 0)
        .into_iter()
        .filter(|name| name.contains("event_date") && !name.contains("hour"))
        .collect();
    let mut log = Log::from(500);
    restored(&store, &counts, &mut log).await;
    assert_eq!(log.asked, 0);
}

#[tokio::test]
async fn a_decision_without_receipt_is_finished() {
    let store = lake().await;
    let Undone { chain, decision, records, .. } = Undone::on(&store).await;
    store.map().insert(records[0].name.clone(), records[0].body.clone());
    let outcome = repaired(&store, &mut Log::from(60)).await;
    let written = decision.objects.len() as u64 - 1;
    assert_eq!(outcome, [Repaired { entry: key(0).entry(60), outcome: Ok(written) }]);
    let report = check(&store).await;
    assert_eq!((report.damage, report.unfinished, report.lost), (vec![], vec![], 0));
    // Somebody was quicker: nothing is left to do.
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let again =
        repair(&shared, &Encoders::new(1, LEVEL), &mut Log::from(60), "repair", &[(key(0), 60)]).await;
    assert_eq!(again, [Repaired { entry: key(0).entry(60), outcome: Ok(0) }]);
    // A gap needs no log.
    let gap = chain.draft(EntryKind::Gap, 90, 95, Some(&decision));
    chain.decide(&gap).await.unwrap();
    let outcome = repaired(&store, &mut Log::from(500)).await;
    assert_eq!(outcome, [Repaired { entry: key(0).entry(90), outcome: Ok(0) }]);
    assert_eq!(check(&store).await.unfinished, []);
}

#[tokio::test]
async fn what_was_decided_under_other_settings_is_not_written() {
    let store = lake().await;
    let Undone { mut decision, .. } = Undone::on(&store).await;
    let name = key(0).entry(60);
    for (decoding, whole) in [(2, false), (1, true)] {
        decision.decoding = Some(Hex64(decoding));
        store.map().insert(name.clone(), decision.to_bytes().unwrap());
        if whole {
            assert!(repaired(&store, &mut Log::from(60)).await[0].outcome.is_ok());
        } else {
            refused(&store, &mut Log::from(60), "under another decode.repair, privacy.mode or privacy.key")
                .await;
        }
    }
}

/// What is refused leaves the lake as it is; the words say what to do.
async fn refused(store: &Arc<Objects>, log: &mut Log, words: &str) {
    let before = store.map().clone();
    let outcome = repaired(store, log).await;
    let [Repaired { outcome: Err(why), .. }] = &outcome[..] else { panic!("{outcome:?}") };
    assert!(why.contains(words), "{why}");
    assert_eq!(*store.map(), before);
}

#[tokio::test]
async fn what_cannot_be_had_again_is_said_and_nothing_is_written() {
    let store = lake().await;
    let name = store.find("event_hour=23/e001-p00000-00000000000000000000");
    let body = store.map().remove(&name).unwrap();
    refused(&store, &mut Log::from(1), "the log holds offsets [1, 1000) only").await;
    refused(&store, &mut Log { topic_id: "other", ..Log::from(0) }, "was created anew").await;
    // Another version or other settings wrote it: what would be written is not what is receipted.
    let receipt = key(0).receipt(0);
    let receipted = store.map()[&receipt].clone();
    let size = format!("\"bytes\":{}", body.len());
    let other = String::from_utf8_lossy(&receipted).replacen(&size, "\"bytes\":1", 1);
    store.map().insert(receipt.clone(), other.into());
    refused(&store, &mut Log::from(0), "with other bytes than its receipt says").await;
    store.map().insert(receipt, receipted);
    // Records that the log never held: another checksum was decided.
    let entry = key(0).entry(0);
    let sound = store.map()[&entry].clone();
    let mut decision = Decision::parse(&entry, &sound).unwrap();
    decision.checksum.0 ^= 1;
    store.map().insert(entry.clone(), decision.to_bytes().unwrap());
    refused(&store, &mut Log::from(0), "checksum").await;
    store.map().insert(entry, sound);
    // The epoch was closed since.
    let shared = Arc::clone(&store) as Arc<dyn Store>;
    let (cluster, topic) = (Some("cluster"), Some("new"));
    open_next_epoch(&shared, super::TOPIC, EventKind::Listen, 2, cluster, topic, "op", &ParquetCodec)
        .await
        .unwrap();
    refused(&store, &mut Log::from(0), "its epoch is closed").await;
    store.map().insert(name, body);
    assert!(check(&store).await.is_sound());
}

#[tokio::test]
async fn damaged_objects_are_left_alone() {
    let store = lake().await;
    let name = store.find("event_hour=23/e001-p00000-00000000000000000000");
    store.map().insert(name.clone(), Bytes::from_static(b"not parquet"));
    assert_eq!(repaired(&store, &mut Log::from(0)).await, []);
    assert!(check(&store).await.damage.iter().any(|damage| matches!(damage, Damage::ObjectDiffers { .. })));
    // Nor does it come into the counts that are made anew.
    let counts_name =
        store.find("song_counts/event_date=1970-01-01/listen_events-e001-p00000-00000000000000000000");
    store.map().remove(&counts_name);
    let outcome = repaired(&store, &mut Log::from(0)).await;
    assert!(matches!(&outcome[..], [Repaired { outcome: Err(_), .. }]), "{outcome:?}");
    assert!(!store.map().contains_key(&counts_name));
}

#[tokio::test]
async fn a_survivors_range_is_not_made_whole() {
    // Receipted with records lost: the log could not give them then, and a late writer must add nothing.
    let store = lake().await;
    let undone = Undone::on(&store).await;
    let Undone { chain, decision, .. } = &undone;
    let survivors = undone.survivors(75);
    let own = counts(decision, &survivors);
    let receipt = chain.finish(decision, ready(survivors), own, &ParquetCodec).await.unwrap();
    assert!(receipt.lost > 0);
    let name = decision.record_objects().next().unwrap().to_owned();
    store.map().remove(&name);
    refused(&store, &mut Log::from(0), "with other bytes than its receipt says").await;
}
