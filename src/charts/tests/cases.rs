//! The cases that the definitions name, one by one.

use serde_json::json;

use crate::charts::{Applied, At, ChartSettings, Charts, GroupBy, SnapshotError, SongsAnswer, Window};
use crate::lake::rebuild::Reach;
use crate::schemas::{EventKind, Source};

use super::rows::{Encoder, Row, listen, numbered, source};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2024-05-06T00:00:00Z
const MIDNIGHT: i64 = 1_714_953_600_000;
const NOON: i64 = MIDNIGHT + 12 * HOUR;

fn fold(charts: &mut Charts, source: &Source, rows: Vec<Row>) -> Applied {
    let rows = numbered(rows);
    let start = charts.end(source).unwrap();
    let rows: Vec<Row> = rows.into_iter().map(|row| Row { offset: row.offset + start, ..row }).collect();
    let activity = Encoder::default().encode(source.kind, &rows);
    charts.apply(source, &activity.view(), start, start + rows.len() as i64)
}

/// Charts of one listen partition that holds `rows`.
fn charts_of(rows: Vec<Row>) -> (Charts, Source) {
    let mut charts = Charts::new(ChartSettings::default());
    let source = source(EventKind::Listen, 0);
    charts.assign(&source, 0);
    fold(&mut charts, &source, rows);
    (charts, source)
}

fn names(answer: &SongsAnswer) -> Vec<String> {
    answer.songs.iter().map(|row| format!("{} {}", row.artist, row.song)).collect()
}

#[test]
fn ties_are_broken_by_listeners_then_earlier_last_play_then_names() {
    let (charts, _) = charts_of(vec![
        listen(NOON, 1, "b", "one listener"),
        listen(NOON + 1, 1, "b", "one listener"),
        listen(NOON, 1, "b", "two listeners"),
        listen(NOON + 9, 2, "b", "two listeners"),
        listen(NOON, 1, "b", "earlier"),
        listen(NOON + 8, 2, "b", "earlier"),
        listen(NOON + 9, 1, "b", "a"),
        listen(NOON + 9, 2, "b", "a"),
        listen(NOON + 9, 1, "a", "z"),
        listen(NOON + 9, 2, "a", "z"),
    ]);
    let answer = charts.top_songs(Window::Sliding5m, At::Live, 10);
    assert_eq!(names(&answer), ["b earlier", "a z", "b a", "b two listeners", "b one listener"]);
}

#[test]
fn a_window_holds_its_start_and_not_its_end() {
    let (mut charts, source) = charts_of(vec![
        listen(NOON - 5 * MINUTE - 1, 1, "a", "before"),
        listen(NOON - 5 * MINUTE, 1, "a", "first"),
        listen(NOON - 1, 1, "a", "last"),
    ]);
    let live = charts.top_songs(Window::Sliding5m, At::Live, 10);
    assert_eq!(names(&live), ["a first", "a last"]);
    fold(&mut charts, &source, vec![listen(NOON + 10 * MINUTE, 1, "a", "after")]);
    let closed = charts.top_songs(Window::Sliding5m, At::Closed, 10);
    assert_eq!(names(&closed), ["a first", "a last"]);
    assert_eq!(closed.window.end.unwrap().0, NOON);
    // One ms of event time less, and the last pane is not wholly behind the watermark.
    let (charts, _) = charts_of(vec![listen(NOON + 10 * MINUTE - 1, 1, "a", "after")]);
    assert_eq!(charts.top_songs(Window::Sliding5m, At::Closed, 1).window.end.unwrap().0, NOON - MINUTE);
}

#[test]
fn tumbling_windows_follow_the_clock() {
    let (charts, _) = charts_of(vec![
        listen(MIDNIGHT - 1, 1, "a", "yesterday"),
        listen(MIDNIGHT + 12 * HOUR, 1, "a", "today"),
    ]);
    assert_eq!(names(&charts.top_songs(Window::Day, At::Live, 9)), ["a today"]);
    assert_eq!(names(&charts.top_songs(Window::Day, At::Closed, 9)), ["a yesterday"]);
    let hour = charts.top_songs(Window::Hour, At::Closed, 9);
    assert_eq!(hour.window.start.unwrap().0, MIDNIGHT + 10 * HOUR);
    assert_eq!(names(&charts.top_songs(Window::Sliding24h, At::Live, 9)), ["a yesterday", "a today"]);
}

#[test]
fn a_late_record_gives_its_closed_window_a_new_revision() {
    let (mut charts, source) =
        charts_of(vec![listen(NOON - MINUTE, 1, "a", "x"), listen(NOON + 10 * MINUTE, 1, "a", "later")]);
    let before = charts.top_songs(Window::Minute, At::Closed, 9);
    assert_eq!((before.revision, before.songs[0].plays), (0, 1));
    fold(&mut charts, &source, vec![listen(NOON - 1, 2, "a", "x")]);
    let after = charts.top_songs(Window::Minute, At::Closed, 9);
    assert_eq!(after.window, before.window);
    assert_eq!((after.revision, after.songs[0].plays, after.songs[0].listeners), (1, 2, 2));
    assert_eq!(charts.top_songs(Window::Minute, At::Live, 9).revision, 0);
}

/// One record of a producer whose clock is twenty hours ahead; the other partition is read more slowly.
#[test]
fn a_wrong_clock_shows_no_time_that_is_still_to_come() {
    let (mut charts, fast) =
        charts_of(vec![listen(NOON, 1, "a", "x"), listen(NOON + 20 * HOUR, 2, "a", "y")]);
    let slow = source(EventKind::Listen, 1);
    charts.assign(&slow, 0);
    fold(&mut charts, &slow, vec![listen(NOON - HOUR, 3, "a", "z")]);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(21 * HOUR));
    let now = NOON + MINUTE / 2;
    charts.set_now(now);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(now - (NOON - HOUR)));
    assert_eq!(charts.ahead_of_slowest(&slow), Some(0));
    let live = charts.top_songs(Window::Sliding5m, At::Live, 9);
    assert_eq!(live.window.end.map(|end| end.0), Some(NOON + MINUTE));
    assert_eq!(live.songs.iter().map(|row| &*row.song).collect::<Vec<_>>(), ["x"]);
    assert_eq!(charts.active_users(Window::Hour, At::Live, None).users, 1);
    let lateness = charts.settings().lateness;
    charts.set_idle(&slow, true);
    assert_eq!(charts.watermark(), Some(now - lateness));
    charts.set_idle(&fast, true);
    assert_eq!(charts.watermark(), Some(now - lateness));
    charts.set_now(now + HOUR);
    assert_eq!(charts.watermark(), Some(now + HOUR - lateness));
}

/// A device that sends its local time as UTC: one event of it costs no window.
#[test]
fn a_clock_ahead_drops_no_pane_that_is_asked_for() {
    let at = |ts, appended, song: &str| Row { timestamp: appended, ..listen(ts, 1, "a", song) };
    let settings = ChartSettings::default();
    let oldest = NOON - settings.retention - settings.max_ahead;
    let (mut charts, source) = charts_of(vec![at(oldest, oldest, "old"), at(NOON, NOON, "now")]);
    charts.set_now(NOON);
    let previous = |charts: &Charts| charts.top_songs(Window::Sliding24h, At::Live, 1).previous.is_some();
    assert!(previous(&charts));
    fold(&mut charts, &source, vec![at(NOON + 14 * HOUR, NOON, "ahead")]);
    assert!(previous(&charts));
    fold(&mut charts, &source, vec![at(oldest, NOON, "old")]);
    assert_eq!(charts.counters(&source).unwrap().too_old, 0);
    let restored = charts.snapshot(&source).unwrap();
    assert_eq!(charts.restore(&source, &restored), Ok(charts.end(&source).unwrap()));
    charts.set_now(NOON);
    assert!(previous(&charts));
}

#[test]
fn a_partition_that_dropped_a_part_of_the_window_does_not_count_as_covered() {
    let (mut charts, fast) = charts_of(vec![listen(NOON, 1, "a", "x")]);
    let slow = source(EventKind::Listen, 1);
    charts.assign(&slow, 0);
    fold(&mut charts, &slow, vec![listen(NOON, 2, "a", "x")]);
    let covered = |charts: &Charts| {
        let songs = charts.top_songs(Window::Day, At::Closed, 1);
        let users = charts.active_users(Window::Day, At::Closed, None);
        assert_eq!(songs.partitions, users.partitions);
        songs.partitions.covered
    };
    assert_eq!(covered(&charts), 2);
    fold(&mut charts, &fast, vec![listen(NOON + 80 * HOUR, 1, "a", "y")]);
    assert_eq!(covered(&charts), 1);
}

#[test]
fn nobody_waits_for_a_partition_that_has_nothing_more() {
    let (mut charts, fast) = charts_of(vec![listen(NOON, 1, "a", "x")]);
    let slow = source(EventKind::Listen, 1);
    charts.assign(&slow, 0);
    fold(&mut charts, &slow, vec![listen(NOON - 9 * HOUR, 1, "a", "x")]);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(9 * HOUR));
    let watermark = charts.watermark();
    charts.set_awaited(&slow, false);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(0));
    assert_eq!(charts.watermark(), watermark);
    charts.set_awaited(&slow, true);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(9 * HOUR));
}

#[test]
fn a_late_page_view_revises_active_users_but_no_chart() {
    let (mut charts, listens) = charts_of(vec![listen(NOON, 1, "a", "x")]);
    let views = source(EventKind::PageView, 0);
    charts.assign(&views, 0);
    fold(&mut charts, &views, vec![listen(NOON, 2, "", ""), listen(NOON - 30 * MINUTE, 3, "", "")]);
    assert_eq!(charts.active_users(Window::Sliding1h, At::Live, None).revision, 1);
    assert_eq!(charts.active_users(Window::Sliding1h, At::Live, None).users, 3);
    assert_eq!(charts.top_songs(Window::Sliding1h, At::Live, 9).revision, 0);
    assert!(charts.revoke(&views));
    assert_eq!(charts.active_users(Window::Sliding1h, At::Live, None).users, 1);
    assert!(charts.revoke(&listens));
    assert!(!charts.revoke(&listens));
    assert_eq!(charts.active_users(Window::Sliding1h, At::Live, None).users, 0);
}

#[test]
fn a_time_far_ahead_of_its_kafka_timestamp_moves_nothing() {
    let day = 24 * HOUR;
    let with = |timestamp, ts| Row { timestamp, ..listen(ts, 1, "a", "x") };
    let (mut charts, source) = charts_of(vec![with(NOON, NOON), with(NOON, NOON + day + 1)]);
    assert_eq!(charts.newest(), Some(NOON));
    fold(&mut charts, &source, vec![with(NOON, i64::MAX), with(-1, i64::MAX), with(-1, i64::MIN)]);
    assert_eq!(charts.newest(), Some(NOON));
    assert_eq!(charts.status().next().unwrap().counters.future, 4);
    fold(&mut charts, &source, vec![with(NOON, NOON + day)]);
    assert_eq!(charts.newest(), Some(NOON + day));
    fold(&mut charts, &source, vec![with(-1, NOON + 9 * day)]);
    assert_eq!(charts.newest(), Some(NOON + 9 * day));
}

#[test]
fn an_idle_partition_holds_back_nothing_and_takes_nothing_back() {
    let (mut charts, fast) = charts_of(vec![listen(NOON, 1, "a", "x")]);
    let lateness = charts.settings().lateness;
    let slow = source(EventKind::Listen, 1);
    charts.assign(&slow, 0);
    assert_eq!(charts.watermark(), None);
    assert_eq!(charts.top_songs(Window::Day, At::Closed, 9).window.start, None);
    charts.set_idle(&slow, true);
    assert_eq!(charts.watermark(), Some(NOON - lateness));
    charts.set_idle(&slow, false);
    fold(&mut charts, &slow, vec![listen(NOON - HOUR, 1, "a", "x")]);
    assert_eq!(charts.watermark(), Some(NOON - lateness));
    assert_eq!(charts.ahead_of_slowest(&fast), Some(HOUR));
    assert_eq!(charts.ahead_of_slowest(&slow), Some(0));
    charts.set_idle(&slow, true);
    assert_eq!(charts.ahead_of_slowest(&fast), Some(0));
    charts.set_idle(&fast, true);
    assert_eq!(charts.watermark(), Some(NOON - lateness));
}

#[test]
fn all_idle_partitions_give_the_same_watermark_in_any_order() {
    for order in [[0, 1], [1, 0]] {
        let (mut charts, first) = charts_of(vec![listen(NOON, 1, "a", "x")]);
        let second = source(EventKind::Listen, 1);
        charts.assign(&second, 0);
        fold(&mut charts, &second, vec![listen(NOON + HOUR, 1, "a", "x")]);
        assert_eq!(charts.watermark(), Some(NOON - charts.settings().lateness));
        let both = [first, second];
        order.into_iter().for_each(|which: usize| charts.set_idle(&both[which], true));
        assert_eq!(charts.watermark(), Some(NOON + HOUR - charts.settings().lateness));
    }
}

#[test]
fn a_row_without_artist_or_song_makes_its_user_active_only() {
    let (charts, _) = charts_of(vec![
        Row { artist: None, ..listen(NOON, 1, "a", "x") },
        Row { song: None, ..listen(NOON, 2, "a", "x") },
        Row { user: None, ..listen(NOON, 3, "a", "x") },
    ]);
    let songs = charts.top_songs(Window::Minute, At::Live, 9);
    assert_eq!((songs.songs.len(), songs.songs[0].plays, songs.songs[0].listeners), (1, 1, 0));
    assert_eq!(charts.active_users(Window::Minute, At::Live, None).users, 2);
}

#[test]
fn a_user_who_changed_plan_is_in_both_groups_and_one_without_value_in_null() {
    let paid = |row: Row| Row { level: Some("paid"), ..row };
    let unknown = |row: Row| Row { level: None, ..row };
    let (charts, _) = charts_of(vec![
        listen(NOON, 1, "a", "x"),
        paid(listen(NOON, 1, "a", "x")),
        unknown(listen(NOON, 1, "a", "x")),
        unknown(listen(NOON, 2, "a", "x")),
        paid(listen(NOON, 3, "a", "x")),
    ]);
    let answer = charts.active_users(Window::Minute, At::Live, Some(GroupBy::Level));
    let groups = serde_json::to_value(&answer).unwrap()["groups"].clone();
    let expected = json!([
        {"level": "paid", "users": 2}, {"level": null, "users": 1}, {"level": "free", "users": 1},
    ]);
    assert_eq!(groups, expected);
}

#[test]
fn answers_serialise_as_the_design_says() {
    let (mut charts, _) = charts_of(vec![listen(NOON + 1, 7, "Ä\"", "x")]);
    charts.set_topic_partitions("listen_events", 16);
    let songs = serde_json::to_value(charts.top_songs(Window::Sliding5m, At::Live, 50)).unwrap();
    let trend: Vec<u32> = (0..30).map(|minute| u32::from(minute == 29)).collect();
    let window = json!({"name": "5m", "start": "2024-05-06T11:56:00Z", "end": "2024-05-06T12:01:00Z"});
    assert_eq!(
        songs,
        json!({
            "window": window, "at": "live", "watermark": "2024-05-06T11:50:00.001Z", "revision": 0,
            "partitions": {"covered": 1, "total": 16}, "plays": 1,
            "previous": {"start": "2024-05-06T11:51:00Z", "end": "2024-05-06T11:56:00Z", "plays": 0},
            "trend": {"start": "2024-05-06T11:31:00Z", "step_seconds": 60},
            "songs": [{"rank": 1, "previous_rank": null, "artist": "Ä\"", "song": "x", "plays": 1, "listeners": 1,
                "last_played": "2024-05-06T12:00:00.001Z", "trend": trend}],
        })
    );
    let users = serde_json::to_value(charts.active_users(Window::Sliding5m, At::Live, None)).unwrap();
    assert_eq!(
        users,
        json!({
            "window": window, "at": "live", "watermark": "2024-05-06T11:50:00.001Z", "revision": 0,
            "partitions": {"covered": 1, "total": 16}, "users": 1,
        })
    );
    let detail = serde_json::to_value(charts.active_users_in_detail(Window::Day, At::Live, None)).unwrap();
    assert_eq!(detail["splits"]["gender"], json!([{"gender": "F", "users": 1}]));
    assert_eq!(detail["series"]["start"], "2024-05-05T12:01:00Z");
    assert_eq!(detail["series"]["step_seconds"], 900);
    assert_eq!(detail["series"]["users"].as_array().unwrap().len(), 96);
    let empty =
        serde_json::to_value(Charts::new(ChartSettings::default()).top_songs(Window::Day, At::Closed, 5))
            .unwrap();
    assert_eq!(empty["window"], json!({"name": "day", "start": null, "end": null}));
    assert_eq!((&empty["previous"], &empty["trend"]["start"]), (&json!(null), &json!(null)));
}

#[test]
fn places_are_told_as_far_as_the_thousandth() {
    let name = |number: usize| format!("song {number:04}");
    let minute = |start: i64| (1..=1002).map(move |number| listen(start, 1, "a", &name(number)));
    let mut rows: Vec<Row> = minute(NOON).collect();
    rows.extend(minute(NOON + MINUTE));
    rows.push(listen(NOON + MINUTE, 2, "a", &name(1001)));
    let (mut charts, _) = charts_of(rows);
    let mut place = |text: &str| {
        let answer = charts.find_songs(Window::Minute, At::Live, 9, text);
        answer.songs.iter().map(|row| (row.rank, row.previous_rank)).collect::<Vec<_>>()
    };
    assert_eq!(place("1001"), [(Some(1), None)]);
    assert_eq!(place("song 0001"), [(Some(2), Some(1))]);
    assert_eq!(place("0999"), [(Some(1000), Some(999))]);
    assert_eq!(place("1000"), [(None, Some(1000))]);
    assert_eq!(place("1002"), [(None, None)]);
}

#[test]
fn the_window_before_is_told_only_while_it_is_kept() {
    let (mut charts, source) =
        charts_of(vec![listen(MIDNIGHT - 1, 1, "a", "x"), listen(MIDNIGHT + HOUR, 1, "a", "x")]);
    assert_eq!(charts.top_songs(Window::Day, At::Closed, 9).previous.unwrap().plays, 0);
    // Half a day later the day before yesterday begins to be dropped: what is left of it is no measure.
    fold(&mut charts, &source, vec![listen(MIDNIGHT + 20 * HOUR, 1, "a", "x")]);
    let closed = charts.top_songs(Window::Day, At::Closed, 9);
    assert_eq!((closed.plays, closed.previous), (1, None));
    assert_eq!(charts.top_songs(Window::Day, At::Live, 9).songs[0].previous_rank, Some(1));
}

#[test]
fn a_snapshot_is_refused_elsewhere() {
    let (mut charts, source) = charts_of(vec![listen(NOON, 1, "a", "x")]);
    let bytes = charts.snapshot(&source).unwrap();
    let mut same = Charts::new(ChartSettings::default());
    let other = Source { epoch: 2, ..source.clone() };
    assert!(matches!(same.restore(&other, &bytes), Err(SnapshotError::OtherSource { .. })));
    assert_eq!(same.end(&other), None);
    let mut different = Charts::new(ChartSettings { lateness: 0, ..ChartSettings::default() });
    assert_eq!(different.restore(&source, &bytes), Err(SnapshotError::OtherSettings));
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(same.restore(&source, &newer), Err(SnapshotError::Version { found: 9 }));
    assert_eq!(same.restore(&source, &bytes), Ok(1));
}

#[test]
fn listeners_are_distinct_in_large_panes() {
    // Users repeat within a pane, from pane to pane and between partitions; one song of many is looked up.
    let (mut charts, first) = charts_of(Vec::new());
    let second = source(EventKind::Listen, 1);
    charts.assign(&second, 0);
    for (partition, shift) in [(&first, 0), (&second, 500)] {
        let rows = (0..6000_i64)
            .map(|number| {
                let song = if number % 3 == 0 { "hit".to_owned() } else { format!("song {}", number % 1000) };
                listen(NOON + number * 30, shift + number % 999, "a", &song)
            })
            .collect();
        fold(&mut charts, partition, rows);
    }
    let answer = charts.top_songs(Window::Sliding5m, At::Live, 1);
    let hit = &answer.songs[0];
    // Multiples of 3 below 6000, modulo 999 (a multiple of 3): 333 users; shifted by 500: 333 others.
    assert_eq!((hit.song.as_str(), hit.plays, hit.listeners), ("hit", 4000, 666));
    assert_eq!(charts.active_users(Window::Sliding5m, At::Live, None).users, 1499);
}

#[test]
fn interners_shrink_with_the_panes() {
    let mut charts = Charts::new(ChartSettings::default());
    let source = source(EventKind::Listen, 0);
    charts.assign(&source, 0);
    let mut encoder = Encoder::default();
    let days = 40_i64;
    for day in 0..days {
        let rows: Vec<Row> = (0..3000)
            .map(|number| {
                let at = day * 3000 + number;
                let ts = MIDNIGHT + day * 72 * HOUR + number * 1000;
                Row { offset: at, ..listen(ts, at, "artist", &format!("song {at}")) }
            })
            .collect();
        let activity = encoder.encode(EventKind::Listen, &rows);
        charts.apply(&source, &activity.view(), day * 3000, (day + 1) * 3000);
    }
    // 120,000 users, songs and combinations went by; the last day's 3,000 of each are live.
    assert!(charts.tables.len() < 80_000, "{} entries", charts.tables.len());
    let answer = charts.top_songs(Window::Sliding24h, At::Live, 1000);
    assert_eq!(answer.songs.len(), 1000);
    assert_eq!(answer.songs[0].song, format!("song {}", (days - 1) * 3000));
    assert_eq!(charts.active_users(Window::Sliding24h, At::Live, None).users, 3000);
}

#[test]
fn what_a_rebuild_reads_gives_the_windows_of_the_whole() {
    // One listen an entry, each further from the newest than the retention, but not than what is kept of panes.
    let settings = ChartSettings { retention: 48 * HOUR, max_ahead: 2 * HOUR, ..ChartSettings::default() };
    let log: Vec<Row> = [-47 * HOUR - 50 * MINUTE, -47 * HOUR - 20 * MINUTE, HOUR]
        .into_iter()
        .map(|ago| listen(MIDNIGHT + ago, 1, "a", "song"))
        .collect();
    let source = source(EventKind::Listen, 0);
    let taken_on_at = |from: usize| {
        let mut charts = Charts::new(settings);
        charts.assign(&source, from as i64);
        fold(&mut charts, &source, log[from..].to_vec());
        charts
    };
    let mut reach = Reach::new(settings.reach());
    let wanted = (0..log.len()).rev().take_while(|&entry| reach.wants(Some(log[entry].ts))).count();
    let (whole, rebuilt) = (taken_on_at(0), taken_on_at(log.len() - wanted));
    let previous =
        |charts: &Charts| charts.top_songs(Window::Day, At::Closed, 10).previous.map(|day| day.plays);
    assert_eq!(previous(&whole), Some(2));
    assert_eq!(previous(&rebuilt), Some(2));
}

#[test]
fn a_partition_that_is_rebuilt_is_not_covered() {
    let (mut charts, source) = charts_of(vec![listen(NOON, 1, "a", "song")]);
    let covered = |charts: &Charts| {
        let partitions = charts.top_songs(Window::Hour, At::Live, 1).partitions;
        (partitions.covered, partitions.total)
    };
    assert_eq!(covered(&charts), (1, 1));
    assert!(charts.snapshot(&source).is_some());
    charts.set_partial(&source, true);
    assert_eq!(covered(&charts), (0, 1));
    assert_eq!(charts.snapshot(&source), None, "who restores it would take it for whole");
    charts.assign(&source, 0);
    assert_eq!(covered(&charts), (1, 1));
}
