use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::lake::encode::{
    CountTables, Counts, Encoder, SongCount, Table, UserActive, group_by_hour, read_activity,
    read_song_counts, read_user_activity, utc_date,
};

/// Rows across a midnight, with few distinct songs and users.
fn busy_rows(kind: EventKind, count: usize, seed: u64) -> Vec<Row> {
    let mut random = Random(seed);
    let mut rows = rows(kind, count, seed);
    let ts = kind.index_of("ts").unwrap();
    for row in &mut rows {
        row.fields[ts] = Cell::Int(BASE_MS + 90 * 60_000 - 150_000 + random.below(300_000) as i64);
    }
    rows
}

fn field(kind: EventKind, row: &Row, name: &str) -> Cell {
    kind.index_of(name).map_or(Cell::Null, |index| row.fields[index].clone())
}

fn text(kind: EventKind, row: &Row, name: &str) -> Option<String> {
    match field(kind, row, name) {
        Cell::Text(text) => Some(text),
        _ => None,
    }
}

fn pane(kind: EventKind, row: &Row) -> i64 {
    match field(kind, row, "ts") {
        Cell::Int(ts) => ts / 60_000 * 60_000,
        _ => unreachable!("ts is never null"),
    }
}

fn naive_songs(rows: &[Row], date: &str) -> Vec<SongCount> {
    let kind = EventKind::Listen;
    let mut plays = BTreeMap::new();
    for row in rows.iter().filter(|row| utc_date(pane(kind, row)) == date) {
        let key =
            (pane(kind, row), text(kind, row, "artist"), text(kind, row, "song"), text(kind, row, "level"));
        *plays.entry(key).or_insert(0) += 1;
    }
    let count =
        |((pane_start, artist, song, level), plays)| SongCount { pane_start, artist, song, level, plays };
    plays.into_iter().map(count).collect()
}

fn naive_users(kind: EventKind, rows: &[Row], date: &str) -> Vec<UserActive> {
    let mut users = BTreeSet::new();
    for row in rows.iter().filter(|row| utc_date(pane(kind, row)) == date) {
        if let Cell::Int(user_id) = field(kind, row, "user_id") {
            let (level, gender) = (text(kind, row, "level"), text(kind, row, "gender"));
            let state = text(kind, row, "state");
            users.insert(UserActive { pane_start: pane(kind, row), user_id, level, gender, state });
        }
    }
    users.into_iter().collect()
}

fn tables(segments: &[Segment]) -> CountTables {
    let mut counts = Counts::default();
    for segment in segments {
        counts.add_activity(&segment.batch.activity().unwrap(), segment.rows.clone()).unwrap();
    }
    counts.into_tables()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn count_objects_hold_what_a_plain_recount_finds(listen: bool, size in 1usize..500, seed: u64) {
        let kind = if listen { EventKind::Listen } else { EventKind::PageView };
        let rows = busy_rows(kind, size, seed);
        let counts = tables(&cut_segments(kind, &rows, seed));
        let mut encoder = Encoder::new().unwrap();
        let (mut plays, mut active) = (0, 0);
        for date in counts.song_dates() {
            let object = encoder.encode_song_counts(&counts, &date, String::new(), &meta(kind)).unwrap();
            let read = read_song_counts(&object.body).unwrap();
            prop_assert_eq!(&read, &naive_songs(&rows, &date));
            prop_assert_eq!(&read, &counts.song_counts(&date));
            plays += read.iter().map(|row| row.plays).sum::<i64>();
        }
        for date in counts.activity_dates() {
            let object = encoder.encode_user_activity(&counts, &date, String::new(), &meta(kind)).unwrap();
            let read = read_user_activity(&object.body).unwrap();
            prop_assert_eq!(&read, &naive_users(kind, &rows, &date));
            prop_assert_eq!(&read, &counts.user_activity(&date));
            active += read.len();
        }
        prop_assert_eq!(plays, if listen { size as i64 } else { 0 });
        let dates: BTreeSet<String> = rows.iter().map(|row| utc_date(pane(kind, row))).collect();
        let expected: usize = dates.iter().map(|date| naive_users(kind, &rows, date).len()).sum();
        prop_assert_eq!(active, expected);
    }

    #[test]
    fn bytes_do_not_depend_on_the_order_of_adding(size in 2usize..300, seed: u64) {
        let kind = EventKind::Listen;
        let rows = busy_rows(kind, size, seed);
        let whole = tables(&one_segment(kind, &rows));
        let (first, second) = rows.split_at(size / 2);
        let mut reversed = one_segment(kind, second);
        reversed.extend(one_segment(kind, first));
        let merged = tables(&reversed);
        let mut encoder = Encoder::new().unwrap();
        prop_assert_eq!(whole.song_dates(), merged.song_dates());
        for date in whole.song_dates() {
            let mut songs = |c: &CountTables| encoder.encode_song_counts(c, &date, String::new(), &meta(kind)).unwrap();
            prop_assert_eq!(songs(&whole), songs(&merged));
            let mut users = |c: &CountTables| encoder.encode_user_activity(c, &date, String::new(), &meta(kind)).unwrap();
            prop_assert_eq!(users(&whole), users(&merged));
        }
    }

    #[test]
    fn counts_of_objects_read_back_are_those_of_the_rows(size in 1usize..300, seed: u64) {
        let kind = EventKind::Listen;
        let rows = busy_rows(kind, size, seed);
        let segments = cut_segments(kind, &rows, seed);
        let (own, mut back) = (tables(&segments), Counts::default());
        let mut encoder = Encoder::new().unwrap();
        for group in group_by_hour(&segments).unwrap() {
            let object = encoder.encode_hour(&group, &segments, String::new(), &meta(kind)).unwrap();
            let activity = read_activity(kind, &object.body).unwrap();
            back.add_activity(&activity.view(), 0..activity.offsets.len()).unwrap();
        }
        let back = back.into_tables();
        prop_assert_eq!(own.song_dates(), back.song_dates());
        for date in own.song_dates() {
            prop_assert_eq!(own.song_counts(&date), back.song_counts(&date));
            prop_assert_eq!(own.user_activity(&date), back.user_activity(&date));
        }
    }
}

#[test]
fn a_date_without_rows_is_the_empty_object() {
    let counts = Counts::default().into_tables();
    let mut encoder = Encoder::new().unwrap();
    let meta = meta(EventKind::Listen);
    let songs = encoder.encode_song_counts(&counts, "2024-01-01", "s".to_owned(), &meta).unwrap();
    assert_eq!(songs, encoder.encode_empty(Table::SongCounts, "s".to_owned(), &meta).unwrap());
    let users = encoder.encode_user_activity(&counts, "2024-01-01", "u".to_owned(), &meta).unwrap();
    assert_eq!(users, encoder.encode_empty(Table::UserActivity, "u".to_owned(), &meta).unwrap());
    assert!(read_song_counts(&songs.body).unwrap().is_empty());
}

#[test]
fn another_table_is_not_taken_for_counts() {
    let rows = rows(EventKind::Auth, 5, 1);
    let segments = one_segment(EventKind::Auth, &rows);
    let group = group_by_hour(&segments).unwrap().remove(0);
    let mut encoder = Encoder::new().unwrap();
    let object = encoder.encode_hour(&group, &segments, String::new(), &meta(EventKind::Auth)).unwrap();
    assert!(read_song_counts(&object.body).is_err());
    assert!(read_user_activity(&object.body).is_err());
}

#[test]
fn rows_outside_the_columns_are_refused() {
    let rows = rows(EventKind::Listen, 5, 1);
    let segments = one_segment(EventKind::Listen, &rows);
    assert!(Counts::default().add_activity(&segments[0].batch.activity().unwrap(), 0..6).is_err());
}
