use proptest::prelude::*;

use super::*;
use crate::lake::layout::{ChainKey, Day, Hour};
use crate::schemas::EventKind;

fn key() -> ChainKey {
    ChainKey { topic: "plays".into(), epoch: 1, partition: 3 }
}

pub(in crate::lake) fn decision(start: i64, end: i64) -> Decision {
    let range = key().range(start, end);
    Decision {
        format: FORMAT,
        kind: EntryKind::Data,
        topic: "plays".into(),
        table: EventKind::Listen,
        epoch: 1,
        partition: 3,
        start,
        end,
        objects: vec![range.data(Hour(0)), range.rejected(Day(0)), range.song_counts(Day(0))],
        records: 1,
        checksum: Hex64(u64::MAX),
        fingerprint: Some(Fingerprint { offset: start, hash: Hex64(1) }),
        previous_start: (start > 0).then_some(0),
        clock_ms: Some(5),
        watermark: None,
        decoding: None,
        schema_version: SCHEMA_VERSION,
        code_version: "0.1.0".into(),
        writer: "w".into(),
    }
}

fn log(start: i64, end: i64) -> LogView {
    LogView { start, end, cluster_id: None, topic_id: None }
}

fn receipt(decision: &Decision, rows: [u64; 3], lost: u64) -> Receipt {
    let object =
        |(name, rows): (&String, u64)| ReceiptObject { name: name.clone(), rows, bytes: 9, crc32c: 7 };
    let objects = decision.objects.iter().zip(rows).map(object).collect();
    Receipt { format: FORMAT, start: decision.start, end: decision.end, objects, lost, watermark: None }
}

#[test]
fn a_decision_survives_its_json() {
    let own = decision(7, 9);
    let body = own.to_bytes().unwrap();
    assert_eq!(Decision::parse(&key().entry(7), &body), Ok(own));
    assert!(String::from_utf8_lossy(&body).contains("\"checksum\":\"ffffffffffffffff\""));
}

#[test]
fn unknown_members_are_passed_over_and_newer_formats_refused() {
    let text = String::from_utf8(decision(7, 9).to_bytes().unwrap().to_vec()).unwrap();
    let more = text.replacen('{', "{\"added_later\":[1],", 1);
    assert_eq!(Decision::parse(&key().entry(7), more.as_bytes()), Ok(decision(7, 9)));
    let error = Decision::parse(&key().entry(7), br#"{"format":2,"all":"else"}"#).unwrap_err();
    assert!(error.to_string().contains("run a newer beatlytica"), "{error}");
}

#[test]
fn a_decision_that_contradicts_its_name_or_itself_is_damaged() {
    let damaged = |name: &str, decision: &Decision| {
        let parsed = Decision::parse(name, &decision.to_bytes().unwrap());
        assert!(matches!(parsed, Err(LedgerError::Damaged { .. })), "{parsed:?}");
    };
    damaged(&key().entry(8), &decision(7, 9));
    let name = key().entry(7);
    damaged(&name, &Decision { end: 7, ..decision(7, 9) });
    damaged(&name, &Decision { end: 3, ..decision(7, 9) });
    damaged(&name, &Decision { records: 3, ..decision(7, 9) });
    damaged(&name, &Decision { kind: EntryKind::Gap, ..decision(7, 9) });
    damaged(&name, &Decision { kind: EntryKind::Close, ..decision(7, 9) });
    damaged(&name, &Decision { previous_start: None, ..decision(7, 9) });
    damaged(&name, &Decision { objects: decision(7, 10).objects, ..decision(7, 9) });
    let twice = vec![key().range(7, 9).data(Hour(0)); 2];
    damaged(&name, &Decision { objects: twice, ..decision(7, 9) });
}

#[test]
fn a_receipt_has_to_fit_its_decision() {
    let own = Decision { records: 2, ..decision(0, 9) };
    let name = key().receipt(0);
    let parse = |receipt: &Receipt| Receipt::parse(&name, &receipt.to_bytes(&name).unwrap(), &own);
    let sound = receipt(&own, [1, 1, 50], 0);
    assert_eq!(parse(&sound), Ok(sound.clone()));
    assert!(parse(&receipt(&own, [1, 0, 50], 1)).is_ok());
    assert!(parse(&receipt(&own, [1, 0, 50], 0)).is_err());
    assert!(parse(&Receipt { end: 8, ..sound.clone() }).is_err());
    assert!(parse(&Receipt { objects: sound.objects[1..].to_vec(), ..sound.clone() }).is_err());
    assert_eq!(lost_records(&own, &sound.objects), Some(0));
    assert_eq!(lost_records(&own, &receipt(&own, [0, 1, 50], 0).objects), Some(1));
    assert_eq!(lost_records(&own, &receipt(&own, [2, 1, 0], 0).objects), None);
}

#[test]
fn other_ids_are_refused_only_if_both_sides_know_them() {
    let record = EpochRecord::new(Some("c"), Some("t"));
    assert!(check_identity("plays", 1, &record, None, None).is_ok());
    assert!(check_identity("plays", 1, &record, Some("c"), Some("t")).is_ok());
    assert!(check_identity("plays", 1, &EpochRecord::new(None, None), Some("x"), Some("y")).is_ok());
    // A cluster may be given another id; no other topic has this one's.
    assert!(check_identity("plays", 1, &record, Some("x"), Some("t")).is_ok());
    assert!(check_identity("plays", 1, &record, Some("x"), None).is_err());
    let refusal = check_identity("plays", 1, &record, None, Some("x")).unwrap_err();
    assert!(refusal.asks_for_new_epoch());
    assert!(refusal.to_string().contains("beatlytica epoch open --topic plays"), "{refusal}");
}

#[test]
fn another_tables_decision_is_not_finished() {
    assert!(check_table(&decision(0, 9), EventKind::Listen).is_ok());
    let why = check_table(&decision(0, 9), EventKind::PageView).unwrap_err().to_string();
    assert!(why.contains("listen_events") && why.contains("page_view_events"), "{why}");
}

#[test]
fn an_unfinished_decision_of_another_schema_names_the_version_to_run() {
    let theirs = Decision { schema_version: 9, code_version: "7.7.7".into(), ..decision(0, 9) };
    let RecoveryPlan::Refuse { why } = plan_recovery(&key(), Some((&theirs, false)), &log(0, 9)) else {
        panic!("not refused");
    };
    assert!(why.to_string().contains("Run beatlytica 7.7.7"), "{why}");
    // Finished, its schema does not matter.
    assert_eq!(plan_recovery(&key(), Some((&theirs, true)), &log(0, 9)), RecoveryPlan::Resume { at: 9 });
}

#[test]
fn another_log_is_refused() {
    let fingerprint = Fingerprint { offset: 4, hash: Hex64(1) };
    assert!(check_fingerprint(&key(), fingerprint, ObservedRecord::Hash(1)).is_ok());
    assert!(check_fingerprint(&key(), fingerprint, ObservedRecord::Expired).is_ok());
    assert!(check_fingerprint(&key(), fingerprint, ObservedRecord::Hash(2)).is_err());
    assert!(check_fingerprint(&key(), fingerprint, ObservedRecord::Absent).is_err());
    assert!(check_finished(&decision(0, 9), 1, u64::MAX, false).is_ok());
    assert!(check_finished(&decision(0, 9), 1, 3, false).is_err());
    assert!(check_finished(&decision(0, 9), 0, 0, false).is_err());
    assert!(check_finished(&decision(0, 9), 0, 0, true).is_ok());
    assert!(check_finished(&decision(0, 9), 2, 0, true).is_err());
    assert!(Refusal::check_cleanup_policy("plays", "delete").is_ok());
    assert!(Refusal::check_cleanup_policy("plays", "compact,delete").is_err());
}

proptest! {
    /// Whatever the head and the log: nothing retained is skipped, nothing decided is forgotten.
    #[test]
    fn plans_neither_skip_nor_forget(
        start in 0i64..20, length in 1i64..20, receipted: bool, head: bool, log_start in 0i64..50, retained in 0i64..50,
    ) {
        let log = log(log_start, log_start + retained);
        let own = decision(start, start + length);
        let state = head.then_some((&own, receipted));
        let at = if head { own.end } else { 0 };
        match plan_recovery(&key(), state, &log) {
            RecoveryPlan::Refuse { .. } => prop_assert!(head && log.end < own.end),
            RecoveryPlan::Resume { at: found } => {
                prop_assert_eq!(found, at);
                prop_assert!(log.start <= at && (receipted || !head));
            }
            RecoveryPlan::GapThenResume { start, end } => {
                prop_assert_eq!((start, end), (at, log.start));
                prop_assert!(start < end && (receipted || !head));
            }
            RecoveryPlan::Finish { decision } => {
                prop_assert!(decision == own && !receipted && log.start <= own.start);
            }
            RecoveryPlan::FinishLost { decision, survivors_from } => {
                prop_assert!(decision == own && !receipted && log.start > own.start);
                prop_assert_eq!(survivors_from, log.start.min(own.end));
            }
            RecoveryPlan::FinishGap { .. } => prop_assert!(false, "the head is no gap"),
        }
        if head && log.end < own.end {
            prop_assert!(
                matches!(plan_recovery(&key(), state, &log), RecoveryPlan::Refuse { .. }),
                "a log that ends before the head is refused"
            );
        }
    }
}
