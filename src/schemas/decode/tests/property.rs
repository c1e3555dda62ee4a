//! Generated and damaged records: scanner, validating parser and serde_json agree.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree;
use serde_json::Value;

use super::oracle::{Expected, expected, is_near, members};
use super::*;
use crate::schemas::field::{Field, FieldType};

fn kinds() -> impl Strategy<Value = EventKind> {
    select(&EventKind::ALL[..])
}

fn string() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        4 => "[A-Za-z ]{0,12}".boxed(),
        1 => "[A-Za-z0-9 /.;()]{10,140}".boxed(),
        1 => "[\"\\\\aéÃ©\u{1}-\u{1f}\u{80}日🎵]{0,24}".boxed(),
    ];
    let ascii = |text: String| {
        let mut units = [0; 2];
        let escape = |unit: &mut u16| format!("\\u{unit:04X}");
        let inside: String = text
            .chars()
            .flat_map(|c| c.encode_utf16(&mut units).iter_mut().map(escape).collect::<Vec<_>>())
            .collect();
        format!("\"{inside}\"")
    };
    (text, prop::bool::weighted(0.1))
        .prop_map(move |(text, escaped)| if escaped { ascii(text) } else { Value::String(text).to_string() })
}

fn integer() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0i64..100_000).prop_map(|value| value.to_string()),
        2 => (0i64..253_402_300_800_000).prop_map(|value| value.to_string()),
        1 => any::<i64>().prop_map(|value| value.to_string()),
        1 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
    ]
}

fn float() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,2})\\.[0-9]{1,6}",
        1 => "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
    ]
}

fn odd_value() -> impl Strategy<Value = String> {
    let fixed = [
        "null",
        "true",
        "false",
        "\"\"",
        "[]",
        "{}",
        "[1,[\"]\"]]",
        "{\"a\":{\"b\":\"}\"}}",
        "\"12\"",
        "1e400",
    ];
    prop_oneof![select(fixed.to_vec()).prop_map(str::to_owned), string(), integer(), float()]
}

fn usual_value(field: &Field) -> BoxedStrategy<String> {
    match (field.kind, field.column) {
        (FieldType::Text, _) => string().boxed(),
        (FieldType::Int64, _) => integer().boxed(),
        (FieldType::TimestampMs, _) => {
            (0i64..253_402_300_800_000).prop_map(|value| value.to_string()).boxed()
        }
        (FieldType::Float64, _) => float().boxed(),
        (FieldType::Bool, _) => any::<bool>().prop_map(|value| value.to_string()).boxed(),
    }
}

/// A member, or none where it is left out: mostly the usual, so that most records are good.
fn member(field: &'static Field) -> BoxedStrategy<Option<String>> {
    let Some(name) = field.json else { return Just(None).boxed() };
    let present = if name == "ts" { 200 } else { 20 };
    prop_oneof![
        present => usual_value(field).prop_map(Some),
        3 => Just(None),
        1 => odd_value().prop_map(Some),
    ]
    .prop_map(move |value| value.map(|value| format!("\"{name}\":{value}")))
    .boxed()
}

fn extra_member(kind: EventKind) -> impl Strategy<Value = String> {
    let names: Vec<&str> =
        kind.fields().iter().filter_map(|field| field.json).chain(["x", "", "Ts"]).collect();
    (select(names), odd_value()).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

/// JSON text of a record; one in three with members of unknown or repeated name, in another order or with blanks.
fn record_text(kind: EventKind) -> impl Strategy<Value = String> {
    let usual: Vec<_> = kind.fields().iter().map(member).collect();
    let extra = prop::collection::vec((any::<Index>(), extra_member(kind)), 0..3);
    let style = (0u8..9, any::<Index>(), any::<Index>(), select(&["", "\n", " \r\n\t"][..]));
    (usual, extra, style).prop_map(|(usual, extra, (style, from, to, tail))| {
        let mut members: Vec<String> = usual.into_iter().flatten().collect();
        if style == 0 {
            for (at, member) in extra {
                members.insert(at.index(members.len() + 1), member);
            }
        }
        if style == 1 && !members.is_empty() {
            let moved = members.remove(from.index(members.len()));
            members.insert(to.index(members.len() + 1), moved);
        }
        let between = if style == 2 { " , " } else { "," };
        format!("{{{}}}{tail}", members.join(between))
    })
}

/// Records of a few sessions by turns, each as its session's first, now and then with one member changed or gone.
fn session_records(kind: EventKind) -> impl Strategy<Value = Vec<Vec<u8>>> {
    let usual: Vec<_> = kind.fields().iter().map(member).collect();
    let change = prop_oneof![
        3 => Just(None),
        1 => (any::<Index>(), Just(None)).prop_map(Some),
        1 => (any::<Index>(), extra_member(kind).prop_map(Some)).prop_map(Some),
    ];
    let steps = prop::collection::vec((any::<Index>(), change), 4..24);
    (prop::collection::vec(usual, 1..4), steps).prop_map(|(sessions, steps)| {
        let record = |(session, change): (Index, Option<(Index, Option<String>)>)| {
            let session = session.index(sessions.len());
            let mut members: Vec<String> = sessions[session].iter().flatten().cloned().collect();
            members.retain(|member| !member.starts_with("\"sessionId\""));
            members.insert(members.len().min(1), format!("\"sessionId\":{session}"));
            if let Some((at, changed)) = change {
                let at = at.index(members.len());
                match changed {
                    Some(changed) => members[at] = changed,
                    None => drop(members.remove(at)),
                }
            }
            format!("{{{}}}", members.join(",")).into_bytes()
        };
        steps.into_iter().map(record).collect()
    })
}

/// A few bytes changed, put in, taken out, or the end cut off.
fn damaged(kind: EventKind) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(&b"\"\\{}[],: 0-.eEnu\n\xc3\xa9\x00"[..]), any::<u8>()];
    let damage = prop::collection::vec((0u8..4, any::<Index>(), byte), 0..3);
    (record_text(kind), damage).prop_map(|(text, damage)| {
        let mut bytes = text.into_bytes();
        for (how, at, byte) in damage {
            let at = at.index(bytes.len() + 1).min(bytes.len().saturating_sub(1));
            match how {
                0 => bytes.insert(at, byte),
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                2 => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte),
                3 if byte < 32 => bytes.truncate(at),
                _ => {}
            }
        }
        bytes
    })
}

fn check_against_oracle(batch: &EventBatch, values: &[Vec<u8>]) -> Result<(), TestCaseError> {
    for (offset, value) in values.iter().enumerate() {
        let text = String::from_utf8_lossy(value);
        let row = batch.offsets.iter().position(|&found| found == offset as i64);
        match expected(batch.source.kind, value) {
            Expected::Unknown => {}
            Expected::Rejected => prop_assert!(row.is_none(), "taken: {text}"),
            Expected::Row(wanted, extra) => {
                let Some(row) = row else {
                    return Err(TestCaseError::fail(format!("{:?}: {text}", batch.rejected)));
                };
                for (found, wanted) in cells(batch, row).iter().zip(&wanted) {
                    prop_assert!(is_near(found, wanted), "{found:?} for {wanted:?}: {text}");
                }
                let kept = batch.extra.values.iter().find(|(at, _)| *at as usize == row);
                let kept = kept.map_or(Ok(Vec::new()), |(_, text)| members(text.as_bytes()));
                prop_assert_eq!(kept.unwrap(), extra, "{}", text);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn three_readers_agree(
        (kind, values) in kinds().prop_flat_map(|kind| (Just(kind), prop::collection::vec(damaged(kind), 1..8))),
    ) {
        // Each record twice, so that strings are met again.
        let values = [values.clone(), values].concat();
        let fast = decode_with(&mut Decoder::new(source(kind), false), &values);
        let slow = decode_with(&mut Decoder::new(source(kind), false).fast_path(false), &values);
        assert_same(&fast, &slow);
        prop_assert_eq!(fast.rows() + fast.rejected.len(), values.len());
        check_against_oracle(&fast, &values)?;
    }

    #[test]
    fn a_session_that_repeats_is_read_as_if_it_were_new(
        (kind, values) in kinds().prop_flat_map(|kind| (Just(kind), session_records(kind))), repair in any::<bool>(),
    ) {
        let fast = decode_with(&mut Decoder::new(source(kind), repair), &values);
        let slow = decode_with(&mut Decoder::new(source(kind), repair).fast_path(false), &values);
        assert_same(&fast, &slow);
    }

    #[test]
    fn repair_is_the_same_by_both_paths(
        values in prop::collection::vec(record_text(EventKind::PageView), 1..6),
    ) {
        let values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
        let fast = decode_with(&mut Decoder::new(source(EventKind::PageView), true), &values);
        let slow = decode_with(&mut Decoder::new(source(EventKind::PageView), true).fast_path(false), &values);
        assert_same(&fast, &slow);
        let plain = decode_with(&mut Decoder::new(source(EventKind::PageView), false), &values);
        for name in ["artist", "song"] {
            let (text, raw) = (fast.text(name).unwrap(), fast.text(&format!("{name}_raw")).unwrap());
            for row in 0..fast.rows() {
                let arrived = raw.text(row).or(text.text(row));
                prop_assert_eq!(arrived, plain.text(name).unwrap().text(row));
                prop_assert!(raw.text(row).is_none() || raw.text(row) != text.text(row));
            }
        }
    }

    #[test]
    fn any_bytes_give_a_row_or_a_rejected_record(value in prop::collection::vec(any::<u8>(), 0..80)) {
        let batch = decode_with(&mut Decoder::new(source(EventKind::Listen), true), &[value]);
        prop_assert_eq!(batch.rows() + batch.rejected.len(), 1);
    }
}

#[test]
fn most_generated_records_are_good() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = record_text(EventKind::Listen);
    let values: Vec<Vec<u8>> =
        (0..200).map(|_| strategy.new_tree(&mut runner).unwrap().current().into_bytes()).collect();
    let batch = decode_with(&mut Decoder::new(source(EventKind::Listen), false), &values);
    assert!(batch.rows() > 60 && batch.rejected.len() > 10, "{} rows", batch.rows());
}
