//! Members that repeat within a session are taken over; where they do not, nothing is lost but the attempt.

use super::super::{Privacy, Vocabularies};
use super::*;

fn listen(session: usize, city: &str, tail: &str) -> Vec<u8> {
    format!(
        "{{\"artist\":\"a\",\"song\":\"s\",\"ts\":1,\"sessionId\":{session},\"city\":\"{city}\",\"zip\":\"1\",\"state\":\"CA\",\
         \"lon\":1.5,\"lat\":-2.5,\"userId\":{session},\"registration\":12{tail}}}\n"
    )
    .into_bytes()
}

fn same_by_both_paths(values: &[Vec<u8>]) -> Decoder {
    let mut decoder = Decoder::new(source(EventKind::Listen), false);
    let fast = decode_with(&mut decoder, values);
    assert_same(
        &fast,
        &decode_with(&mut Decoder::new(source(EventKind::Listen), false).fast_path(false), values),
    );
    assert!(fast.rejected.is_empty());
    decoder
}

#[test]
fn a_repetition_is_taken_over() {
    let decoder = same_by_both_paths(&vec![listen(1, "Reno", ""); 5]);
    assert_eq!(decoder.scratch.repeated(), 4);
}

#[test]
fn another_session_or_another_city_is_not() {
    let decoder = same_by_both_paths(&[listen(1, "Reno", ""), listen(2, "Reno", ""), listen(1, "Lima", "")]);
    assert_eq!(decoder.scratch.repeated(), 0);
}

#[test]
fn what_follows_the_repetition_is_read() {
    let values = [
        listen(1, "Reno", ""),
        listen(1, "Reno", "3"),
        listen(1, "Reno", ",\"level\":\"paid\""),
        listen(1, "Reno", ",\"city\":\"Lima\""),
        listen(1, "Reno", ",\"unknown\":1"),
        listen(1, "Reno", ".0"),
    ];
    same_by_both_paths(&values);
}

#[test]
fn what_never_repeats_is_soon_left_alone() {
    let values: Vec<Vec<u8>> = (0..10_000).map(|session| listen(session, "Reno", "")).collect();
    let decoder = same_by_both_paths(&values);
    assert!(decoder.scratch.rests());
    let repeating: Vec<Vec<u8>> = (0..100_000).map(|number| listen(number % 50, "Reno", "")).collect();
    assert!(!same_by_both_paths(&[values, repeating].concat()).scratch.rests(), "it is tried again");
}

#[test]
fn keys_of_a_dictionary_that_is_gone_are_not_taken_over() {
    let mut decoder = Vocabularies::new(1, false, Privacy::Keep).decoder(source(EventKind::Listen), 0);
    let before = decode_with(&mut decoder, &[listen(1, "Lima", ""), listen(7, "Reno", "")]);
    let after = decode_with(&mut decoder, &[listen(7, "Reno", "")]);
    assert_eq!(before.text("city").unwrap().text(1).as_deref(), Some("Reno"));
    assert_eq!(after.text("city").unwrap().text(0).as_deref(), Some("Reno"));
}
