//! `verify_log` beside a log in memory: sound ones, and every single change of one.

use std::sync::Arc;

use async_trait::async_trait;

use super::lake::{Objects, TOPIC, chain, lake, write};
use crate::lake::ledger::{Decision, EntryKind, LogView};
use crate::lake::verify::{
    Chunk, Damage, LogFailure, LogRecord, Report, RetainedLog, still_held, verify_log,
};

const END: i64 = 60;

/// The same log for each partition.
#[derive(Debug, Clone)]
struct FakeLog {
    start: i64,
    end: i64,
    topic_id: &'static str,
    records: Vec<LogRecord>,
    chunk: usize,
    /// Where retention gets to as soon as something is read, and whether the broker then says so.
    then: Option<(i64, bool)>,
    /// Where the log seems to end, the first time that it is read from there.
    ends_once: Option<i64>,
}

impl FakeLog {
    fn new(start: i64) -> Self {
        let present = (start..END).filter(|&offset| !super::lake::hole_at(offset));
        let record = |offset| LogRecord { offset, hash: super::lake::hash(offset) };
        FakeLog {
            start,
            end: END,
            topic_id: "topic",
            records: present.map(record).collect(),
            chunk: 7,
            then: None,
            ends_once: None,
        }
    }

    fn change(&mut self, offset: i64) -> &mut LogRecord {
        self.records.iter_mut().find(|record| record.offset == offset).expect("a record there")
    }
}

#[async_trait]
impl RetainedLog for FakeLog {
    async fn view(&mut self, _: &str, _: i32) -> Result<LogView, LogFailure> {
        Ok(LogView {
            start: self.start,
            end: self.end,
            cluster_id: Some("cluster".into()),
            topic_id: Some(self.topic_id.into()),
        })
    }

    async fn read(&mut self, _: &str, _: i32, from: i64) -> Result<Chunk, LogFailure> {
        if let Some((start, says_so)) = self.then {
            self.start = start;
            self.records.retain(|record| record.offset >= start);
            if from < start && says_so {
                return Ok(Chunk::OutOfRange);
            }
        }
        if self.ends_once.take_if(|end| *end <= from).is_some() {
            return Ok(Chunk::End);
        }
        let at = self.records.partition_point(|record| record.offset < from);
        let found: Vec<LogRecord> = self.records.iter().skip(at).take(self.chunk).copied().collect();
        Ok(if found.is_empty() { Chunk::End } else { Chunk::Records(found) })
    }
}

#[tokio::test]
async fn a_log_that_grew_past_the_end_that_was_met_is_read_on() {
    let store = lake().await;
    let mut log = FakeLog::new(0);
    log.ends_once = Some(END / 2);
    assert_eq!(check(&store, log).await.damage, vec![]);
}

async fn check(store: &Arc<Objects>, mut log: FakeLog) -> Report {
    let mut report = Report::default();
    let topics = [TOPIC.to_owned(), "not_yet_there".to_owned()];
    verify_log(store.as_ref(), &mut log, &topics, &mut report, |_| {}).await.expect("a report");
    report
}

#[tokio::test]
async fn a_log_is_the_same_while_it_holds_a_record_that_is_known() {
    let store = lake().await;
    let same = async |mut log: FakeLog, partitions| {
        still_held(store.as_ref(), &mut log, TOPIC, 1, partitions).await.expect("an answer").is_some()
    };
    assert!(same(FakeLog::new(0), 2).await && same(FakeLog::new(30), 2).await);
    assert!(!same(FakeLog::new(0), 0).await, "the partitions are gone");
    // It lost its end, and has got another one since.
    let mut cut_off = FakeLog::new(0);
    cut_off.records.iter_mut().filter(|record| record.offset >= 50).for_each(|record| record.hash ^= 1);
    assert!(same(cut_off, 2).await);
    let mut other = FakeLog::new(0);
    other.records.iter_mut().for_each(|record| record.hash ^= 1);
    assert!(!same(other, 2).await);
    assert!(!same(FakeLog { records: Vec::new(), ..FakeLog::new(0) }, 2).await);
}

fn compared(report: &Report) -> (u64, u64, u64, u64) {
    let log = report.log.as_ref().expect("a log report");
    (log.whole, log.partly, log.expired, log.records)
}

#[tokio::test]
async fn a_sound_log_has_no_findings_however_much_is_held_and_however_it_is_read() {
    let store = lake().await;
    for start in 0..=END {
        for chunk in [1, 7, 1000] {
            let log = FakeLog { chunk, ..FakeLog::new(start) };
            let held = log.records.len() as u64;
            let report = check(&store, log).await;
            assert_eq!(report.damage, [], "from {start}, {chunk} at a time");
            let expired = [20, 50, 60].iter().filter(|&&end| end <= start).count() as u64;
            let partly = u64::from(![0, 20, 50, 60].contains(&start));
            assert_eq!(compared(&report), (2 * (3 - expired - partly), 2 * partly, 2 * expired, 2 * held));
        }
    }
}

#[tokio::test]
async fn every_change_of_the_log_is_found() {
    let store = lake().await;
    for start in [0, 5, 25, 50] {
        let sound = FakeLog::new(start);
        for offset in start..END {
            let mut log = sound.clone();
            if super::lake::hole_at(offset) {
                let at = log.records.partition_point(|record| record.offset < offset);
                log.records.insert(at, LogRecord { offset, hash: 0 });
            } else {
                log.records.retain(|record| record.offset != offset);
            }
            assert_ne!(check(&store, log).await.damage, [], "from {start}, presence of {offset}");
        }
        // Of a range that is held in part only the last record's content is known.
        let whole = [0, 20, 50].into_iter().find(|&entry| entry >= start).unwrap_or(END);
        for LogRecord { offset, .. } in sound.records.iter().filter(|record| record.offset >= whole) {
            let mut log = sound.clone();
            log.change(*offset).hash ^= 1;
            let damage = check(&store, log).await.damage;
            assert!(matches!(damage[0], Damage::LogDiffers { .. }), "from {start}, content of {offset}");
        }
    }
}

#[tokio::test]
async fn the_last_record_counts_also_where_only_a_part_is_held() {
    let store = lake().await;
    let mut log = FakeLog::new(25);
    log.change(49).hash ^= 1;
    let damage = check(&store, log).await.damage;
    assert!(
        damage.len() == 2
            && damage.iter().all(|found| matches!(found, Damage::FingerprintDiffers { offset: 49, .. })),
        "{damage:?}"
    );
}

#[tokio::test]
async fn equal_sums_at_other_offsets_are_found() {
    let store = lake().await;
    let mut log = FakeLog::new(0);
    log.change(24).offset = 23;
    let damage = check(&store, log).await.damage;
    let expected =
        |found: &Damage| matches!(found, Damage::OffsetsDiffer { first: 23, log_only: 1, lake_only: 1, .. });
    assert!(damage.len() == 2 && damage.iter().all(expected), "{damage:?}");
}

#[tokio::test]
async fn a_shorter_log_and_another_topic_are_found() {
    let store = lake().await;
    let damage = check(&store, FakeLog { end: 55, ..FakeLog::new(0) }).await.damage;
    assert!(
        damage.len() == 2
            && damage.iter().all(|found| matches!(found, Damage::LogEndsBefore { log_end: 55, .. })),
        "{damage:?}"
    );
    let damage = check(&store, FakeLog { topic_id: "anew", ..FakeLog::new(0) }).await.damage;
    let [Damage::TopicRecreated { cause }] = &damage[..] else { panic!("{damage:?}") };
    assert!(cause.contains("topic id topic, the broker says anew"), "{cause}");
}

#[tokio::test]
async fn retention_that_runs_on_meanwhile_is_no_damage() {
    let store = lake().await;
    for then in 0..=END {
        for says_so in [true, false] {
            let log = FakeLog { then: Some((then, says_so)), ..FakeLog::new(0) };
            assert_eq!(check(&store, log).await.damage, [], "to {then}, said: {says_so}");
        }
    }
}

#[tokio::test]
async fn a_broker_that_contradicts_itself_proves_nothing() {
    let store = lake().await;
    #[derive(Debug)]
    struct Stubborn(FakeLog);
    #[async_trait]
    impl RetainedLog for Stubborn {
        async fn view(&mut self, topic: &str, partition: i32) -> Result<LogView, LogFailure> {
            self.0.view(topic, partition).await
        }
        async fn read(&mut self, _: &str, _: i32, _: i64) -> Result<Chunk, LogFailure> {
            Ok(Chunk::OutOfRange)
        }
    }
    let mut report = Report::default();
    let topics = [TOPIC.to_owned()];
    let error =
        verify_log(store.as_ref(), &mut Stubborn(FakeLog::new(0)), &topics, &mut report, |_| {}).await;
    assert!(error.expect_err("no proof").to_string().contains("listen_events[0]"));
}

#[tokio::test]
async fn a_gap_must_not_be_in_the_log() {
    let store = Arc::new(Objects::default());
    let chain = chain(&store, 0).await;
    let gap: Decision = chain.draft(EntryKind::Gap, 0, 20, None);
    chain.decide(&gap).await.expect("a decision");
    chain.receipt(&gap, Vec::new()).await.expect("a receipt");
    write(&chain, 20, 60, Some(&gap)).await;
    assert_eq!(check(&store, FakeLog::new(20)).await.damage, []);
    let damage = check(&store, FakeLog::new(15)).await.damage;
    assert!(matches!(damage[..], [Damage::GapHeld { records: 5, .. }]), "{damage:?}");
}

#[tokio::test]
async fn records_that_a_receipt_calls_lost_must_not_be_in_the_log() {
    let store = Arc::new(Objects::default());
    let chain = chain(&store, 0).await;
    let (decision, records) = super::lake::encode(&chain, 0, 60, 20, None);
    chain.decide(&decision).await.expect("a decision");
    let own = super::lake::counts(&decision, &records);
    chain
        .finish(&decision, crate::lake::chain::ready(records), own, &crate::lake::ParquetCodec)
        .await
        .expect("a receipt");
    assert_eq!(check(&store, FakeLog::new(20)).await.damage, []);
    let damage = check(&store, FakeLog::new(0)).await.damage;
    assert!(
        matches!(damage[..], [Damage::OffsetsDiffer { first: 0, log_only: 18, lake_only: 0, .. }]),
        "{damage:?}"
    );
}

#[tokio::test]
async fn an_entry_in_flight_is_compared_by_its_decision() {
    let store = lake().await;
    let name = chain(&store, 0).await.key().receipt(50);
    store.map().remove(&name);
    assert_eq!(check(&store, FakeLog::new(55)).await.damage, []);
    let mut log = FakeLog::new(50);
    log.change(52).hash ^= 1;
    assert_eq!(check(&store, log).await.damage.len(), 2);
}
