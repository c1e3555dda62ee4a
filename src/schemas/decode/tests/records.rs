//! Every field of the four event types, on records that Eventsim wrote.

use super::super::{Privacy, Vocabularies};
use super::*;
use crate::schemas::column::NULL_KEY;

const LISTEN: &str = r#"{"artist":"Bruce Rowland","song":"You Should Be Free","duration":9.09995,"ts":1714953612000,"sessionId":11213,"auth":"Logged In","level":"paid","itemInSession":8,"city":"Mcclellan","zip":"95652","state":"CA","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 (KHTML, like Gecko) Version/7.0.5 Safari/537.77.4\"","lon":-121.401102,"lat":38.662977,"userId":11214,"lastName":"Thompson","firstName":"Derek","gender":"M","registration":1714953600000}"#;
const VIEW_SONG: &str = r#"{"ts":1714953608000,"sessionId":13171,"page":"NextSong","auth":"Logged In","method":"PUT","status":200,"level":"paid","itemInSession":33,"city":"Dupont","zip":"80024","state":"CO","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 (KHTML, like Gecko) Version/7.0.5 Safari/537.77.4\"","lon":-104.917925,"lat":39.843876,"userId":13172,"lastName":"Suarez","firstName":"Maxim","gender":"M","registration":1714953600000,"artist":"Flor Silvestre","song":"Gaviota Traidora","duration":150.12526}"#;
const VIEW_GUEST: &str = r#"{"ts":1714953708000,"sessionId":34844,"page":"About","auth":"Guest","method":"GET","status":200,"level":"free","itemInSession":0,"city":"San Diego","zip":"92121","state":"CA","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 (KHTML, like Gecko) Version/7.0.5 Safari/537.77.4\"","lon":-117.201203,"lat":32.899592}"#;
const VIEW_CANCELLED: &str = r#"{"ts":1715005270000,"sessionId":35538,"page":"Cancellation Confirmation","auth":"Cancelled","method":"GET","status":200,"level":"paid","itemInSession":6,"city":"Weston","zip":"68070","state":"NE","userAgent":"Mozilla/5.0 (Windows NT 6.1; rv:31.0) Gecko/20100101 Firefox/31.0","lon":-96.800948,"lat":41.196681,"userId":16013,"lastName":"Patrick","firstName":"Robyn","gender":"F","registration":1714953600000}"#;
const AUTH_TRUE: &str = r#"{"ts":1714953612000,"sessionId":31547,"level":"free","itemInSession":1,"city":"Lytle","zip":"78052","state":"TX","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.94 Safari/537.36\"","lon":-98.776694,"lat":29.203679,"userId":185,"lastName":"Ward","firstName":"Valeree","gender":"F","registration":1714953600000,"success":true}"#;
const AUTH_FALSE: &str = r#"{"ts":1714956137000,"sessionId":4365,"level":"free","itemInSession":2,"city":"Coy","zip":"72037","state":"AR","userAgent":"\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10) AppleWebKit/600.1.8 (KHTML, like Gecko) Version/8.0 Safari/600.1.8\"","lon":-91.874679,"lat":34.537243,"success":false}"#;
const STATUS: &str = r#"{"ts":1714987097000,"sessionId":26533,"auth":"Logged In","level":"paid","itemInSession":12,"city":"Fort Worth","zip":"76119","state":"TX","userAgent":"Mozilla/5.0 (Windows NT 6.3; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0","lon":-97.262625,"lat":32.691147,"userId":11248,"lastName":"Peterson","firstName":"Ethan","gender":"M","registration":1714953600000}"#;
const BEYONCE: &str = r#"{"artist":"BeyoncÃ© feat. Slim Thug","song":"Check On It","duration":211.17342,"ts":1714955898000,"sessionId":16434,"auth":"Logged In","level":"paid","itemInSession":107,"city":"Rodeo","zip":"88056","state":"NM","userAgent":"Mozilla/5.0 (Windows NT 6.3; WOW64; Trident/7.0; rv:11.0) like Gecko","lon":-108.982525,"lat":31.844199,"userId":16435,"lastName":"Collins","firstName":"Jatayvion","gender":"M","registration":1714953600000}"#;
const CONTROL: &str = r#"{"artist":"California Oranges","song":"I Won\u0019t Let You Back In","duration":216.58076,"ts":1714957190000}"#;
const QUOTED: &str = r#"{"artist":"Van Halen","song":"\"Dirty Movies\\\" (Album Version)\"","duration":248.00607,"ts":1714954173000}"#;

const SAFARI: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.77.4 (KHTML, like Gecko) Version/7.0.5 Safari/537.77.4";

/// The cells of the only row, after checking that the scanner alone takes the record.
fn row(kind: EventKind, value: &str) -> Vec<Cell> {
    let mut decoder = Decoder::new(source(kind), true);
    decoder.begin(0, 0);
    let taken = decoder.scan(value.as_bytes());
    assert!(taken.is_some(), "the scanner takes {value}");
    let batch = decode_one(kind, true, &format!("{value}\n"));
    assert_eq!((batch.rows(), extra_of(&batch)), (1, None), "{:?}", batch.rejected);
    cells(&batch, 0)
}

fn nulls(count: usize) -> Vec<Cell> {
    vec![Cell::Null; count]
}

fn user(id: i64, last: &str, first: &str, gender: &str) -> Vec<Cell> {
    vec![id.into(), last.into(), first.into(), gender.into(), 1_714_953_600_000.into()]
}

#[test]
fn listen() {
    let place = ["Mcclellan", "95652", "CA", SAFARI].map(Cell::from).to_vec();
    let expected = [
        vec!["Bruce Rowland".into(), "You Should Be Free".into(), 9.09995.into(), 1_714_953_612_000.into()],
        vec![11213.into(), "Logged In".into(), "paid".into(), 8.into()],
        place,
        vec![(-121.401102).into(), 38.662977.into()],
        user(11214, "Thompson", "Derek", "M"),
        nulls(3),
    ];
    assert_eq!(row(EventKind::Listen, LISTEN), expected.concat());
}

#[test]
fn page_view() {
    let expected = [
        vec![1_714_953_608_000.into(), 13171.into(), "NextSong".into(), "Logged In".into(), "PUT".into()],
        vec![
            200.into(),
            "paid".into(),
            33.into(),
            "Dupont".into(),
            "80024".into(),
            "CO".into(),
            SAFARI.into(),
        ],
        vec![(-104.917925).into(), 39.843876.into()],
        user(13172, "Suarez", "Maxim", "M"),
        nulls(1),
        vec!["Flor Silvestre".into(), "Gaviota Traidora".into(), 150.12526.into()],
        nulls(2),
    ];
    assert_eq!(row(EventKind::PageView, VIEW_SONG), expected.concat());
    let guest = row(EventKind::PageView, VIEW_GUEST);
    assert_eq!(guest[2..6], [Cell::from("About"), "Guest".into(), "GET".into(), 200.into()]);
    assert_eq!(guest[14..], nulls(11));
    let cancelled = row(EventKind::PageView, VIEW_CANCELLED);
    assert_eq!(cancelled[2], Cell::from("Cancellation Confirmation"));
    assert_eq!(cancelled[14..], [user(16013, "Patrick", "Robyn", "F"), nulls(6)].concat());
}

#[test]
fn auth() {
    let agent = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/37.0.2062.94 Safari/537.36";
    let expected = [
        vec![1_714_953_612_000.into(), 31547.into(), "free".into(), 1.into()],
        ["Lytle", "78052", "TX", agent].map(Cell::from).to_vec(),
        vec![(-98.776694).into(), 29.203679.into()],
        user(185, "Ward", "Valeree", "F"),
        vec![Cell::Null, Cell::Bool(true)],
    ];
    assert_eq!(row(EventKind::Auth, AUTH_TRUE), expected.concat());
    let failed = row(EventKind::Auth, AUTH_FALSE);
    assert_eq!(failed[10..], [nulls(6), vec![Cell::Bool(false)]].concat());
}

#[test]
fn status_change() {
    let agent = "Mozilla/5.0 (Windows NT 6.3; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0";
    let expected = [
        vec![1_714_987_097_000.into(), 26533.into(), "Logged In".into(), "paid".into(), 12.into()],
        ["Fort Worth", "76119", "TX", agent].map(Cell::from).to_vec(),
        vec![(-97.262625).into(), 32.691147.into()],
        user(11248, "Peterson", "Ethan", "M"),
        nulls(1),
    ];
    assert_eq!(row(EventKind::StatusChange, STATUS), expected.concat());
}

#[test]
fn tags() {
    for (kind, value) in [
        (EventKind::Listen, LISTEN),
        (EventKind::PageView, VIEW_SONG),
        (EventKind::Auth, AUTH_TRUE),
        (EventKind::StatusChange, STATUS),
    ] {
        let registration = r#""registration":1714953600000"#;
        let tagged = value.replace(registration, &format!(r#"{registration},"tag":"control""#));
        let (plain, tagged) = (row(kind, value), row(kind, &tagged));
        let tag = kind.index_of("tag").unwrap();
        assert_eq!(tagged[tag], Cell::from("control"));
        assert_eq!((&plain[..tag], &plain[tag + 1..]), (&tagged[..tag], &tagged[tag + 1..]), "{kind:?}");
    }
}

#[test]
fn mangled_text_is_repaired_and_kept() {
    for (value, column, repaired, arrived) in [
        (BEYONCE, "artist", "Beyoncé feat. Slim Thug", Some("BeyoncÃ© feat. Slim Thug")),
        (CONTROL, "song", "I Won\u{19}t Let You Back In", None),
        (QUOTED, "song", "Dirty Movies\" (Album Version)", Some("\"Dirty Movies\\\" (Album Version)\"")),
    ] {
        let batch = decode_one(EventKind::Listen, true, value);
        let raw = format!("{column}_raw");
        assert_eq!(value_of(&batch, column), Cell::from(repaired));
        assert_eq!(value_of(&batch, &raw), arrived.map_or(Cell::Null, Cell::from));
        let other = if column == "song" { "artist_raw" } else { "song_raw" };
        assert_eq!(value_of(&batch, other), Cell::Null);

        let untouched = decode_one(EventKind::Listen, false, value);
        assert_eq!(value_of(&untouched, column), Cell::from(arrived.unwrap_or(repaired)));
        assert_eq!(value_of(&untouched, &raw), Cell::Null);
    }
}

#[test]
fn user_agents_keep_their_quotes_without_repair() {
    let batch = decode_one(EventKind::Listen, false, LISTEN);
    assert_eq!(value_of(&batch, "user_agent"), Cell::Text(format!("\"{SAFARI}\"")));
}

#[test]
fn batches_follow_each_other() {
    let mut decoder = Decoder::new(source(EventKind::Listen), true);
    let first = decode_with(&mut decoder, &[LISTEN.into(), BEYONCE.into(), b"x".to_vec()]);
    assert_eq!((first.start, first.end, first.rows(), first.rejected.len()), (0, 3, 2, 1));
    decoder.begin(10, 0);
    decoder.push(RawRecord { offset: 12, timestamp: -1, key: Some(b"k"), value: None }, || {
        vec![("trace".to_owned(), Some(b"1".to_vec())), ("empty".to_owned(), None)]
    });
    decoder.push(record(14, BEYONCE.as_bytes()), || unreachable!("headers of a good record"));
    let second = decoder.finish(20);
    assert_eq!((second.start, second.end), (10, 20));
    assert_eq!((&second.offsets[..], &second.timestamps[..]), (&[14][..], &[1014][..]));
    assert_eq!(second.rejected[0].key.as_deref(), Some(&b"k"[..]));
    assert_eq!(second.rejected[0].headers.len(), 2);
    assert_eq!(second.rejected[0].reason, "tombstone");
    assert_eq!(cells(&first, 1), cells(&second, 0));
    let (one, two) = (first.text("artist").unwrap(), second.text("artist").unwrap());
    assert!(Arc::ptr_eq(&one.dictionary, &two.dictionary), "dictionaries go on");
    assert_eq!(one.keys[1], two.keys[0]);
    assert_ne!(two.keys[0], NULL_KEY);
    let empty = decoder.finish(25);
    assert_eq!((empty.start, empty.end, empty.rows(), empty.rejected.len()), (20, 25, 0, 0));
}

#[test]
fn the_largest_dictionary_of_a_decoder_past_its_share_is_replaced_at_the_next_batch() {
    let mut decoder = Vocabularies::new(4096, true, Privacy::Keep).decoder(source(EventKind::Listen), 0);
    let values: Vec<Vec<u8>> = (0..150)
        .map(|turn| format!(r#"{{"artist":"Ã©{turn}","song":"s","ts":{turn}}}"#).into_bytes())
        .collect();
    let first = decode_with(&mut decoder, &values);
    let second = decode_with(&mut decoder, &values[..2]);
    for name in ["artist", "artist_raw"] {
        let (old, new) = (first.text(name).unwrap(), second.text(name).unwrap());
        assert!(!Arc::ptr_eq(&old.dictionary, &new.dictionary), "{name}");
        assert_eq!((old.dictionary.read().len(), new.dictionary.read().len()), (150, 2), "{name}");
    }
    let (old, new) = (first.text("song").unwrap(), second.text("song").unwrap());
    assert!(Arc::ptr_eq(&old.dictionary, &new.dictionary), "the small one stays");
    assert_eq!(cells(&first, 1), cells(&second, 1));
    assert_eq!(cells(&first, 149)[0], Cell::from("é149"), "a batch in flight keeps its text");
}

#[test]
fn control_characters_are_refused_even_where_they_were_met_escaped() {
    // A time of this form is for the validating parser.
    for ts in ["1", "1.0"] {
        let record =
            |ts: &str, city: &str| format!(r#"{{"ts":{ts},"city":"{city}","level":"free"}}"#).into_bytes();
        let values = [
            record(ts, r"New\tYork"),
            record(ts, r"York,\tin the state of that name"),
            record("1", "New York"),
            record("1", "New\tYork"),
            record("1", "York,\tin the state of that name"),
        ];
        let batch = decode_with(&mut Decoder::new(source(EventKind::Auth), true), &values);
        assert_eq!(batch.rows(), 3, "{ts}");
        let rejected: Vec<_> = batch.rejected.iter().map(|record| record.reason).collect();
        assert_eq!(rejected, ["json", "json"], "{ts}");
    }
}

#[test]
fn held_memory_is_told() {
    let mut decoder = Decoder::new(source(EventKind::Listen), true);
    decoder.begin(0, 0);
    let empty = decoder.finish(0).heap_bytes();
    let values = vec![LISTEN.as_bytes().to_vec(); 1000];
    let rows = decode_with(&mut decoder, &values).heap_bytes();
    // 3 words, 7 integers and floats of 8 bytes, 13 keys of 4 and a bit each, at least.
    assert!(rows - empty >= 1000 * (3 * 8 + 7 * 8 + 13 * 4), "{rows}");
    assert!(rows - empty <= 1000 * 160, "{rows}");
    decoder.begin(0, 0);
    let as_before = decoder.finish(0).heap_bytes();
    assert!(as_before >= 1000 * 100, "without a hint there is room for as many rows as before: {as_before}");
    let new = format!(r#"{{"userAgent":"{}","ts":1}}"#, "x".repeat(5000)).into_bytes();
    let [first, second] =
        [(); 2].map(|()| decode_with(&mut decoder, std::slice::from_ref(&new)).heap_bytes());
    assert!((5000..5100).contains(&(first - second)), "a new text of 5,000 bytes: {first}, then {second}");
    let rejected = decode_with(&mut decoder, &vec![vec![b'x'; 1000]; 10]).heap_bytes();
    assert!(rejected >= 10 * 1000);
}
