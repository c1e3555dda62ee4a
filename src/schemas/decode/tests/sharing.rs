//! Decoders that share what they know of texts, also of different event types, give what each would have given alone.

use proptest::prelude::*;

use super::super::{Privacy, Vocabularies};
use super::*;

/// A listen of one of a few sessions, whose city may change.
fn listen(session: u8, artist: u8, city: u8) -> Vec<u8> {
    format!(
        "{{\"artist\":\"Ã©{artist}\",\"song\":\"a song with a long name {artist}\",\"ts\":1,\"sessionId\":{session},\
         \"city\":\"City {city}\",\"zip\":\"{session}\",\"state\":\"CA\",\"userId\":{session}}}\n"
    )
    .into_bytes()
}

fn shared(limit: usize) -> Vocabularies {
    Vocabularies::new(limit, true, Privacy::Keep)
}

fn decoder(vocabularies: &Vocabularies) -> Decoder {
    vocabularies.decoder(source(EventKind::Listen), 0)
}

/// The rows of `batch` are those that a decoder gives which shares with none.
fn assert_same_rows(batch: &EventBatch, values: &[Vec<u8>]) {
    let expected = decode_with(&mut Decoder::new(source(batch.source.kind), true), values);
    assert_eq!(batch.rows(), expected.rows());
    for row in 0..batch.rows() {
        assert_eq!(cells(batch, row), cells(&expected, row), "row {row}");
    }
}

proptest! {
    /// The smallest limits start dictionaries anew at every batch, larger ones now and then or never.
    #[test]
    fn each_batch_has_its_own_texts(
        limit in prop::sample::select(vec![1_usize, 2_000, 6_000, 1 << 20]),
        batches in prop::collection::vec(
            (0..5_usize, prop::collection::vec((0..4_u8, any::<u8>(), 0..3_u8), 1..40)), 1..12),
    ) {
        let vocabularies = shared(limit);
        let kinds = EventKind::ALL.into_iter().chain([EventKind::Listen]);
        let mut decoders: Vec<_> = kinds.map(|kind| vocabularies.decoder(source(kind), 0)).collect();
        for (who, records) in batches {
            let values: Vec<_> = records.into_iter().map(|(s, a, c)| listen(s, a, c)).collect();
            assert_same_rows(&decode_with(&mut decoders[who], &values), &values);
        }
    }
}

#[test]
fn a_text_is_kept_once_for_all_decoders_of_a_thread() {
    let vocabularies = shared(1 << 20);
    let batch = |thread, kind| {
        let mut decoder = vocabularies.decoder(source(kind), thread);
        let batch = decode_with(&mut decoder, &[listen(1, 1, 1)]);
        (decoder, Arc::clone(&batch.text("city").unwrap().dictionary))
    };
    let (_one, first) = batch(0, EventKind::Listen);
    for kind in EventKind::ALL {
        assert!(Arc::ptr_eq(&first, &batch(0, kind).1), "{kind:?}");
    }
    assert_eq!(first.read().len(), 1);
    assert!(!Arc::ptr_eq(&first, &batch(1, EventKind::Listen).1));
}

#[test]
fn texts_of_another_decoders_batch_are_charged_to_that() {
    let vocabularies = shared(1 << 20);
    let (mut one, mut two) = (decoder(&vocabularies), decoder(&vocabularies));
    let values = vec![listen(1, 1, 1)];
    let first = decode_with(&mut one, &values);
    assert!(first.heap_bytes() > decode_with(&mut two, &values).heap_bytes());
}

#[test]
fn batches_under_way_at_the_same_time_do_not_meet() {
    let vocabularies = shared(1 << 20);
    let (mut one, mut two) = (decoder(&vocabularies), decoder(&vocabularies));
    let values = [listen(1, 1, 1), listen(1, 2, 1), listen(2, 3, 2), listen(1, 1, 1)];
    for _ in 0..3 {
        one.begin(0, 0);
        two.begin(0, 0);
        for (offset, value) in values.iter().enumerate() {
            one.push(record(offset as i64, value), Vec::new);
            two.push(record(offset as i64, &values[values.len() - 1 - offset]), Vec::new);
        }
        let (first, second) = (one.finish(4), two.finish(4));
        assert_same_rows(&first, &values);
        assert_same_rows(&second, &values.iter().rev().cloned().collect::<Vec<_>>());
    }
}

#[test]
fn after_a_batch_that_was_never_finished_the_others_begin_anew() {
    let vocabularies = shared(1 << 20);
    let mut lasting = decoder(&vocabularies);
    let values = [listen(1, 1, 1), listen(1, 2, 1)];
    decode_with(&mut lasting, &values);
    let mut dying = decoder(&vocabularies);
    dying.begin(0, 0);
    dying.push(record(0, &listen(1, 9, 9)), Vec::new);
    drop(dying);
    assert_same_rows(&decode_with(&mut lasting, &values), &values);
}

#[test]
fn what_is_personal_is_hidden_by_all_of_them() {
    let vocabularies = Vocabularies::new(1 << 20, true, Privacy::Drop);
    let kinds = EventKind::ALL.into_iter().chain([EventKind::Listen]);
    for mut decoder in kinds.map(|kind| vocabularies.decoder(source(kind), 0)).collect::<Vec<_>>() {
        let batch = decode_with(&mut decoder, &[listen(1, 1, 1)]);
        assert_eq!(batch.text("zip").unwrap().text(0), None, "{:?}", batch.source.kind);
        assert_eq!(batch.text("city").unwrap().text(0).as_deref(), Some("City 1"));
    }
}

#[test]
fn what_was_learnt_before_it_was_to_be_hidden_is_forgotten() {
    let mut decoder = Decoder::new(source(EventKind::Listen), true);
    decode_with(&mut decoder, &[listen(1, 1, 1)]);
    let hidden = decode_with(&mut decoder.with_privacy(Privacy::Drop), &[listen(1, 1, 1)]);
    assert_eq!(hidden.text("zip").unwrap().text(0), None);
}

#[test]
fn what_nobody_uses_any_more_is_forgotten() {
    let vocabularies = shared(1 << 20);
    let of = |decoder: &mut Decoder| {
        Arc::clone(&decode_with(decoder, &[listen(1, 1, 1)]).text("city").unwrap().dictionary)
    };
    let mut first = decoder(&vocabularies);
    let before = of(&mut first);
    drop(first);
    assert_eq!(Arc::strong_count(&before), 1);
    assert!(!Arc::ptr_eq(&before, &of(&mut decoder(&vocabularies))));
}
