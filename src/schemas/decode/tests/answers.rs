//! The stated answers of the module's table, one by one, by both paths.

use super::*;
use crate::schemas::decode::{Privacy, REASONS};

fn auth(members: &str) -> EventBatch {
    decode_one(EventKind::Auth, true, &format!(r#"{{"ts":1,{members}}}"#))
}

fn check(members: &str, column: &str, expected: impl Into<Cell>) {
    let batch = auth(members);
    assert_eq!(value_of(&batch, column), expected.into(), "{members}");
    assert_eq!(extra_of(&batch), None, "{members}");
}

fn check_rejected(members: &str, reason: &str, field: &str) {
    let batch = auth(members);
    let (found, detail) = rejection_of(&batch);
    assert_eq!(found, reason, "{members}: {detail}");
    assert!(detail.contains(&format!("`{field}`")), "{detail}");
}

fn check_value_rejected(value: &str, reason: &str) {
    let batch = decode_one(EventKind::Auth, true, value);
    let (found, detail) = rejection_of(&batch);
    assert_eq!(found, reason, "{value}: {detail}");
    assert!(REASONS.contains(&found));
}

#[test]
fn absent_and_null() {
    for column in EventKind::Auth.fields() {
        let Some(name) = column.json.filter(|name| *name != "ts") else { continue };
        check(r#""level":null"#, column.column, Cell::Null);
        check(&format!(r#""{name}":null"#), column.column, Cell::Null);
    }
    for value in ["{}", "{ }", r#"{"level":"free"}"#, r#"{"ts":null}"#, r#"{"ts":1,"ts":null}"#] {
        check_value_rejected(value, "missing_ts");
    }
}

#[test]
fn integer_where_a_float_is_expected() {
    check(r#""lon":-98"#, "lon", -98.0);
    check(r#""lon":0"#, "lon", 0.0);
    check(r#""lon":123456789012345678901234567890"#, "lon", 123456789012345678901234567890.0);
    check(r#""lat":1.5e-3"#, "lat", 0.0015);
    check(r#""lat":0.1234567890123456789"#, "lat", 0.123_456_789_012_345_68);
}

#[test]
fn whole_float_where_an_integer_is_expected() {
    check(r#""sessionId":1.0"#, "session_id", 1);
    check(r#""sessionId":1e3"#, "session_id", 1000);
    check(r#""sessionId":-2.50E1"#, "session_id", -25);
    check(r#""sessionId":9007199254740993.0"#, "session_id", 9_007_199_254_740_993);
    check(r#""registration":1714953600000.0"#, "registration", 1_714_953_600_000);
    check(r#""sessionId":9223372036854775807"#, "session_id", i64::MAX);
    check(r#""sessionId":-9223372036854775808"#, "session_id", i64::MIN);
    assert_eq!(
        value_of(&decode_one(EventKind::Auth, true, r#"{"ts":1.7e12}"#), "ts"),
        Cell::Int(1_700_000_000_000)
    );
}

#[test]
fn numbers_that_do_not_fit() {
    check_rejected(r#""sessionId":1.5"#, "type", "sessionId");
    check_rejected(r#""sessionId":1e-3"#, "type", "sessionId");
    for text in ["9223372036854775808", "-9223372036854775809", "1e19", "123456789012345678901234567890"] {
        check_rejected(&format!(r#""userId":{text}"#), "range", "userId");
    }
    check_rejected(r#""registration":253402300800000"#, "range", "registration");
    check_rejected(r#""registration":-62135596800001"#, "range", "registration");
    check(r#""registration":-62135596800000"#, "registration", -62_135_596_800_000);
    let batch = auth(r#""lon":1e999"#);
    assert!(["range", "json"].contains(&rejection_of(&batch).0));
}

#[test]
fn event_time_has_bounds() {
    for ts in [0, 253_402_300_799_999] {
        let batch = decode_one(EventKind::Listen, true, &format!(r#"{{"ts":{ts}}}"#));
        assert_eq!(value_of(&batch, "ts"), Cell::Int(ts));
    }
    for ts in ["-1", "253402300800000", "-99999999999999999", "9223372036854775807"] {
        check_value_rejected(&format!(r#"{{"ts":{ts}}}"#), "ts_range");
    }
    check_value_rejected(r#"{"ts":"1714953612000"}"#, "type");
    check_value_rejected(r#"{"ts":""}"#, "type");
}

#[test]
fn integers_as_strings() {
    check(r#""userId":"42""#, "user_id", 42);
    check(r#""userId":"-42""#, "user_id", -42);
    check(r#""userId":"0""#, "user_id", 0);
    check(r#""userId":"""#, "user_id", Cell::Null);
    for text in ["007", "+1", " 1", "1.0", "1e3", "abc", "-", "-0", "-01", "１"] {
        check_rejected(&format!(r#""userId":"{text}""#), "type", "userId");
    }
    check_rejected(r#""userId":"9223372036854775808""#, "range", "userId");
}

#[test]
fn types_that_nothing_becomes() {
    check_rejected(r#""registration":"1714953600000""#, "type", "registration");
    check_rejected(r#""lon":"1.5""#, "type", "lon");
    check_rejected(r#""lon":true"#, "type", "lon");
    check_rejected(r#""userId":true"#, "type", "userId");
    for value in ["0", "1", r#""true""#, r#""""#, "[]"] {
        check_rejected(&format!(r#""success":{value}"#), "type", "success");
    }
    for field in ["city", "userId", "lon", "success", "registration"] {
        check_rejected(&format!(r#""{field}":{{"a":1}}"#), "type", field);
        check_rejected(&format!(r#""{field}":[1,"]"]"#), "type", field);
    }
}

#[test]
fn text_from_other_values() {
    check(r#""zip":1234"#, "zip", "1234");
    check(r#""zip":95652"#, "zip", "95652");
    check(r#""zip":12.50"#, "zip", "12.50");
    check(r#""zip":1E2"#, "zip", "1E2");
    check(r#""zip":123456789012345678901234567890"#, "zip", "123456789012345678901234567890");
    check(r#""city":true"#, "city", "true");
    check(r#""city":false"#, "city", "false");
    check(r#""city":"""#, "city", "");
}

#[test]
fn escapes_in_text() {
    check(r#""city":"a\"b""#, "city", "a\"b");
    check(r#""city":"a\\""#, "city", "a\\");
    check(r#""city":"\\\"\\""#, "city", "\\\"\\");
    check(r#""city":"\u0041\u00e9\n\/""#, "city", "Aé\n/");
    check(r#""city":"\ud83c\udfb5""#, "city", "🎵");
    check(r#""city":"a\u0000b""#, "city", "a\0b");
    check("\"city\":\"\u{7f}\u{85}日本🎵\"", "city", "\u{7f}\u{85}日本🎵");
    for escape in
        [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800x", r"\udc00\ud800", r"\x41", r"\u12", r"\uzzzz"]
    {
        for member in ["city", "unknown"] {
            check_value_rejected(&format!(r#"{{"ts":1,"{member}":"{escape}"}}"#), "json");
        }
    }
    check_value_rejected("{\"ts\":1,\"city\":\"a\nb\"}", "json");
}

#[test]
fn unknown_members_are_kept() {
    let batch = auth(
        r#" "b" : [ 1 , "x y" , {"z":null} ] , "level":"free", "a\u0062":1.50, "c":123456789012345678901234567890, "b":"\"q\" \u0041" "#,
    );
    let kept =
        r#"{"b":[1,"x y",{"z":null}],"a\u0062":1.50,"c":123456789012345678901234567890,"b":"\"q\" \u0041"}"#;
    assert_eq!(extra_of(&batch), Some(kept));
    assert_eq!(value_of(&batch, "level"), Cell::from("free"));
    for (member, kept) in [
        (r#""page":"Home""#, r#"{"page":"Home"}"#),
        (r#""Level":null"#, r#"{"Level":null}"#),
        (r#""":{}"#, r#"{"":{}}"#),
        (r#""level ":true"#, r#"{"level ":true}"#),
        (r#""kafka_offset":-0.0"#, r#"{"kafka_offset":-0.0}"#),
    ] {
        assert_eq!(extra_of(&auth(member)), Some(kept));
    }
    let listen = decode_one(EventKind::Listen, true, r#"{"ts":1,"artist_raw":"x","song_raw":1}"#);
    assert_eq!(
        extra_of(&listen),
        Some(r#"{"artist_raw":"x","song_raw":1}"#),
        "derived columns are no members"
    );
    assert_eq!(value_of(&listen, "artist_raw"), Cell::Null);
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let deep = nested(1_000);
    let kept = format!(r#"{{"deep":{deep}}}"#);
    assert_eq!(extra_of(&auth(&format!(r#""deep":{deep}"#))), Some(kept.as_str()));
    assert_eq!(rejection_of(&auth(&format!(r#""deep":{}"#, nested(100_000)))).0, "json");
}

#[test]
fn the_last_of_two_counts() {
    check(r#""city":"a","city":"b""#, "city", "b");
    check(r#""city":"a","c\u0069ty":"b""#, "city", "b");
    check(r#""c\u0069ty":"b""#, "city", "b");
    check(r#""city":"a","city":null"#, "city", Cell::Null);
    check(r#""userId":"x","userId":7"#, "user_id", 7);
    check_rejected(r#""userId":7,"userId":"x""#, "type", "userId");
    check(
        r#""city":"a","level":"free","city":"a much longer name than that""#,
        "city",
        "a much longer name than that",
    );
    assert_eq!(value_of(&auth(r#""ts":2"#), "ts"), Cell::Int(2));
}

#[test]
fn order_and_blanks_do_not_matter() {
    check(r#""success":true,"city":"a","sessionId":5,"level":"free""#, "session_id", 5);
    for value in
        ["{\"ts\":5}\n", " {\"ts\":5} ", "\r\n\t{ \"ts\" : 5 }\r\n\t ", "{\"ts\":5 }", "{\n  \"ts\":5\n}"]
    {
        assert_eq!(value_of(&decode_one(EventKind::Auth, true, value), "ts"), Cell::Int(5), "{value:?}");
    }
}

#[test]
fn what_is_no_record() {
    for value in ["", " ", "\n\n"] {
        check_value_rejected(value, "empty");
    }
    for value in ["[]", "[{\"ts\":1}]", "1", "null", "true", "\"ts\"", " 1 "] {
        check_value_rejected(value, "not_object");
    }
    for value in [
        "{",
        "}",
        "{\"ts\":1",
        "{\"ts\":1,",
        "{\"ts\":1,}",
        "{\"ts\"}",
        "{\"ts\":}",
        "{\"ts\":1}}",
        "{\"ts\":1}x",
        "{\"ts\":1}{\"ts\":2}",
        "{\"ts\":1} 2",
        "{\"ts\":01}",
        "{\"ts\":1.}",
        "{\"ts\":+1}",
        "{\"ts\":.5}",
        "{\"ts\":1e}",
        "{\"ts\":--1}",
        "{\"ts\":NaN}",
        "{ts:1}",
        "{'ts':1}",
        "{\"ts\":1,\"level\":\"free}",
        "{\"ts\":1 \"level\":\"free\"}",
        "{\"ts\":1,\"success\":tru}",
        "{\"ts\":1,\"success\":truex}",
        "{\"ts\":1,\"success\":True}",
        "{\"ts\":1}\0",
        "{\"ts\":1,,\"level\":\"a\"}",
        "\u{feff}{\"ts\":1}",
        "{\"ts\":1}//",
        "nul",
        "{\"ts\":1,\"x\":[}",
        "{\"ts\":1\u{a0}}",
    ] {
        check_value_rejected(value, "json");
    }
}

#[test]
fn bytes_that_are_no_text() {
    for value in [
        &b"{\"ts\":1,\"city\":\"\xff\"}"[..],
        b"{\"ts\":1,\"city\":\"\xc3\"}",
        b"{\"ts\":1,\"\xff\":1}",
        b"{\"ts\":1}\xff",
        b"{\"ts\":1,\"city\":\"\xed\xa0\x80\"}",
        b"{\"ts\":1,\"city\":\"\xc0\x80 and some more text\"}",
        b"\xff",
    ] {
        for on in [true, false] {
            let mut decoder = Decoder::new(source(EventKind::Auth), true).fast_path(on);
            let batch = decode_with(&mut decoder, &[value.to_vec()]);
            assert_eq!(rejection_of(&batch).0, "utf8", "{value:?}");
            assert_eq!(batch.rejected[0].value.as_deref(), Some(value));
        }
    }
}

#[test]
fn a_tombstone_is_kept_as_one() {
    for on in [true, false] {
        let mut decoder = Decoder::new(source(EventKind::Auth), true).fast_path(on);
        decoder.push(RawRecord { offset: 3, timestamp: 4, key: Some(b"k"), value: None }, Vec::new);
        let batch = decoder.finish(4);
        assert_eq!(rejection_of(&batch).0, "tombstone");
        assert_eq!((batch.rejected[0].offset, batch.rejected[0].timestamp), (3, 4));
        assert_eq!(batch.rejected[0].hash, crate::schemas::record_hash(3, 4, Some(b"k"), None));
    }
}

#[test]
fn what_is_personal_is_hidden_on_both_paths() {
    let record = br#"{"ts":1,"zip":"12345","userAgent":"\"Agent\"","lastName":"Lovelace","firstName":"Ada","level":"paid"}"#;
    for on in [true, false] {
        let texts = |privacy: Privacy| {
            let mut decoder = Decoder::new(source(EventKind::Auth), true).with_privacy(privacy).fast_path(on);
            let batch = decode_with(&mut decoder, &[record.to_vec(), b"{".to_vec()]);
            let text = |name| {
                let column = batch.text(name).unwrap();
                let values = column.dictionary.read();
                column.key(0).and_then(|key| values.get(key).map(str::to_owned))
            };
            let kept = batch.rejected[0].value.is_some();
            (["first_name", "last_name", "zip", "user_agent", "level"].map(text), kept)
        };
        let (plain, kept) = texts(Privacy::Keep);
        assert_eq!(plain.map(Option::unwrap), ["Ada", "Lovelace", "12345", "Agent", "paid"]);
        assert!(kept);
        let ([first, last, zip, agent, level], kept) = texts(Privacy::Drop);
        assert_eq!([first, last, zip, agent], [None, None, None, None]);
        assert_eq!((level.as_deref(), kept), (Some("paid"), false));
        let key = b"0123456789abcdef";
        let stored = |text: &str| Privacy::hash(key).stored(text);
        let ([first, last, zip, agent, level], kept) = texts(Privacy::hash(key));
        assert_eq!([first, last, zip, agent], ["Ada", "Lovelace", "12345", "Agent"].map(stored));
        assert_eq!((level.as_deref(), kept), (Some("paid"), false));
    }
}
