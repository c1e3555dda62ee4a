use super::*;
use proptest::prelude::*;

fn chains() -> impl Strategy<Value = ChainKey> {
    ("[a-zA-Z0-9._-]{1,20}", 1u32..2000, 0..=MAX_PARTITION)
        .prop_filter("legal topics", |(topic, ..)| check_topic(topic).is_ok())
        .prop_map(|(topic, epoch, partition)| ChainKey { topic, epoch, partition })
}

fn names() -> impl Strategy<Value = Name> {
    let hours = 0i64..70_000_000;
    (chains(), 0..=i64::MAX, 0..=i64::MAX, hours, 0..9).prop_map(|(chain, start, end, hour, kind)| {
        let range = chain.range(start, end);
        let (hour, day) = (Hour(hour), Hour(hour).day());
        match kind {
            0 => Name::Epoch { topic: chain.topic, epoch: chain.epoch },
            1 => Name::Entry { chain, start },
            2 => Name::Receipt { chain, start },
            3 => Name::Data { range, hour },
            4 => Name::Rejected { range, day },
            5 => Name::SongCounts { range, day },
            6 => Name::UserActivity { range, day },
            7 => Name::Complete { chain, hour },
            _ => Name::State { chain, end },
        }
    })
}

proptest! {
    #[test]
    fn names_parse_back(name in names()) {
        prop_assert_eq!(name.to_string().parse::<Name>(), Ok(name));
    }

    #[test]
    fn order_of_entries_is_the_order_of_offsets(chain in chains(), a in 0..=i64::MAX, b in 0..=i64::MAX) {
        prop_assert_eq!(chain.entry(a).cmp(&chain.entry(b)), a.cmp(&b));
        prop_assert_eq!(chain.receipt(a) < chain.entry(b), a <= b);
    }

    #[test]
    fn order_of_markers_is_the_order_of_hours(chain in chains(), a in 0i64..70_000_000, b in 0i64..70_000_000) {
        let marker = |hour| Name::Complete { chain: chain.clone(), hour: Hour(hour) }.to_string();
        prop_assert_eq!(marker(a).cmp(&marker(b)), a.cmp(&b));
    }

    #[test]
    fn any_text_parses_only_to_itself(text in "(ledger|lake|complete|state)/v1/[a-c._-]{1,3}/(e001/|event_date=)[p0-9.a-z/=-]{0,40}") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.to_string(), text);
        }
    }
}

#[test]
fn names_are_those_of_the_design() {
    let chain = ChainKey { topic: "listen_events".into(), epoch: 1, partition: 3 };
    let range = chain.range(7, 42);
    let hour = Hour::of_ms(1_480_000_000_000);
    assert_eq!(chain.entry(7), "ledger/v1/listen_events/e001/p00003/00000000000000000007.json");
    assert_eq!(chain.receipt(7), "ledger/v1/listen_events/e001/p00003/00000000000000000007.done.json");
    assert_eq!(
        range.data(hour),
        "lake/v1/listen_events/event_date=2016-11-24/event_hour=15/\
         e001-p00003-00000000000000000007-00000000000000000042.parquet"
    );
    assert_eq!(
        range.song_counts(hour.day()),
        "lake/v1/song_counts/event_date=2016-11-24/\
         listen_events-e001-p00003-00000000000000000007-00000000000000000042.parquet"
    );
    assert_eq!(
        range.rejected(Day::of_ms(-1)),
        "lake/v1/_rejected/listen_events/ingest_date=1970-01-01/\
         e001-p00003-00000000000000000007-00000000000000000042.parquet"
    );
}

#[test]
fn other_spellings_of_an_hour_or_a_day_are_refused() {
    let stem = "e001-p00003-00000000000000000007-00000000000000000042.parquet";
    let hour = |day: &str, hour: &str| format!("lake/v1/t/event_date={day}/event_hour={hour}/{stem}");
    assert!(hour("2016-01-02", "05").parse::<Name>().is_ok());
    for (day, of_day) in [
        ("2016-1-2", "05"),
        ("2016-01-02", "5"),
        ("2016-01-02", "24"),
        ("2016-01-02", "-1"),
        ("2016-02-30", "05"),
        ("2016-01-02", "9223372036854775807"),
    ] {
        assert!(hour(day, of_day).parse::<Name>().is_err(), "{day} {of_day}");
        assert!(format!("{day}T{of_day}").parse::<Hour>().is_err(), "{day}T{of_day}");
    }
    for name in ["_rejected/t/ingest_date=2016-1-02", "song_counts/event_date=2016-1-02"] {
        assert!(format!("lake/v1/{name}/{stem}").parse::<Name>().is_err(), "{name}");
    }
    assert!("2016-1-02".parse::<Day>().is_err());
}

#[test]
fn reserved_and_illegal_topics_are_refused() {
    for topic in ["", ".", "..", "a/b", "é", "song_counts", "user_activity", "_rejected"] {
        assert!(check_topic(topic).is_err(), "{topic}");
    }
    assert_eq!(check_topic("prod.listen-events_1"), Ok(()));
}
