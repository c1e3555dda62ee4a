//! Every answer of some charts beside the oracle's.

use crate::charts::{At, Charts, Group, GroupBy, SongsAnswer, Window};

use super::oracle::Oracle;

type Span = Option<(i64, i64)>;

/// A question, for messages.
#[derive(Debug, Clone, Copy)]
struct Asked {
    window: Window,
    at: At,
    span: Span,
}

pub(crate) fn check(charts: &mut Charts, oracle: &Oracle<'_>, watermark: Option<i64>) {
    assert_eq!(charts.watermark(), watermark);
    assert_eq!(charts.newest(), oracle.newest);
    let too_old: u64 = charts.status().map(|status| status.counters.too_old).sum();
    let future: u64 = charts.status().map(|status| status.counters.future).sum();
    assert_eq!((too_old, future), (oracle.too_old, oracle.future));
    for (window, at) in Window::ALL.into_iter().flat_map(|window| At::ALL.map(|at| (window, at))) {
        let asked = Asked { window, at, span: oracle.span(window, at, watermark) };
        check_songs(charts, oracle, asked);
        check_found(charts, oracle, asked);
        check_users(charts, oracle, asked);
        check_details(charts, oracle, asked);
    }
}

type Line = (String, String, u64, u64, i64);

fn lines(answer: &SongsAnswer) -> Vec<Line> {
    let line = |row: &crate::charts::SongRow| {
        (row.artist.clone(), row.song.clone(), row.plays, row.listeners, row.last_played.0)
    };
    answer.songs.iter().map(line).collect()
}

fn check_songs(charts: &Charts, oracle: &Oracle<'_>, asked: Asked) {
    let (revision, expected) = oracle.songs(asked.span);
    for limit in [1, 2, 100] {
        let answer = charts.top_songs(asked.window, asked.at, limit);
        let times = (answer.window.start.map(|time| time.0), answer.window.end.map(|time| time.0));
        assert_eq!(times, asked.span.unzip(), "{asked:?}");
        assert_eq!(answer.revision, revision, "{asked:?}");
        assert_eq!(answer.plays, expected.iter().map(|line| line.2).sum::<u64>(), "{asked:?}");
        assert_eq!(
            lines(&answer),
            expected.iter().take(limit).cloned().collect::<Vec<_>>(),
            "{asked:?} {limit}"
        );
        assert!(answer.songs.iter().enumerate().all(|(place, row)| row.rank == Some(place + 1)));
        check_context(oracle, &answer, asked);
    }
}

/// What the answer says of the window before and of the course of time.
fn check_context(oracle: &Oracle<'_>, answer: &SongsAnswer, asked: Asked) {
    let before = asked.span.and_then(|span| oracle.span_before(span));
    let (_, lines_before) = oracle.songs(before);
    let previous = answer.previous.as_ref().map(|window| (window.start.0, window.end.0, window.plays));
    let plays = lines_before.iter().map(|line| line.2).sum();
    assert_eq!(previous, before.map(|(start, end)| (start, end, plays)), "{asked:?}");
    let (count, minutes) = match asked.window {
        Window::Minute | Window::Sliding5m => (30, 1),
        Window::Hour | Window::Sliding1h => (30, 2),
        Window::Day | Window::Sliding24h => (48, 30),
    };
    let steps = oracle.steps(asked.span, count, minutes);
    assert_eq!(answer.trend.start.map(|time| time.0), steps.first().map(|step| step.0), "{asked:?}");
    assert_eq!(answer.trend.step_seconds, minutes as u64 * 60);
    for row in &answer.songs {
        let place = lines_before.iter().position(|line| (&line.0, &line.1) == (&row.artist, &row.song));
        assert_eq!(row.previous_rank, place.map(|place| place + 1), "{asked:?} {row:?}");
        let trend: Vec<u32> = steps.iter().map(|&step| oracle.plays(step, &row.artist, &row.song)).collect();
        assert_eq!(row.trend, trend, "{asked:?}");
    }
}

fn check_found(charts: &mut Charts, oracle: &Oracle<'_>, asked: Asked) {
    let (revision, all) = oracle.songs(asked.span);
    for words in [&["x"][..], &["be"], &["a", "Y"], &["é", "b", "z"], &["q"]] {
        let expected: Vec<(usize, &Line)> = all
            .iter()
            .enumerate()
            .filter(|(_, line)| {
                let names = [&line.0, &line.1].map(|name| name.to_lowercase().replace('é', "e"));
                let held = |word: &&str| {
                    let word = word.to_lowercase().replace('é', "e");
                    names.iter().any(|name| name.contains(&word))
                };
                words.iter().all(held)
            })
            .map(|(place, line)| (place + 1, line))
            .take(2)
            .collect();
        let answer = charts.find_songs(asked.window, asked.at, 2, &words.join(" "));
        let found = lines(&answer);
        let ranks = answer.songs.iter().filter_map(|row| row.rank);
        assert_eq!(ranks.zip(&found).collect::<Vec<_>>(), expected, "{asked:?} {words:?}");
        assert_eq!(answer.revision, revision);
        check_context(oracle, &answer, asked);
    }
}

fn values(groups: &[Group]) -> Vec<(Option<&str>, u64)> {
    groups.iter().map(|group| (group.value.as_deref(), group.users)).collect()
}

fn check_users(charts: &Charts, oracle: &Oracle<'_>, asked: Asked) {
    for by in GroupBy::ALL {
        let (revision, users, groups) = oracle.users(asked.span, by);
        let answer = charts.active_users(asked.window, asked.at, Some(by));
        let found = values(answer.groups.as_deref().unwrap());
        assert_eq!((answer.revision, answer.users, found), (revision, users, groups), "{asked:?}");
        assert_eq!(answer.details, None);
    }
}

fn check_details(charts: &Charts, oracle: &Oracle<'_>, asked: Asked) {
    let answer = charts.active_users_in_detail(asked.window, asked.at, None);
    let details = answer.details.as_ref().unwrap();
    let splits = [&details.splits.level, &details.splits.gender, &details.splits.state];
    for (by, groups) in GroupBy::ALL.into_iter().zip(splits) {
        assert_eq!(values(groups), oracle.users(asked.span, by).2, "{asked:?}");
    }
    let (count, minutes) =
        if matches!(asked.window, Window::Day | Window::Sliding24h) { (96, 15) } else { (60, 1) };
    let steps = oracle.steps(asked.span, count, minutes);
    let expected: Vec<u64> = steps.iter().map(|&step| oracle.users(Some(step), GroupBy::Level).1).collect();
    assert_eq!(details.series.users, expected, "{asked:?}");
    assert_eq!(details.series.steps.start.map(|time| time.0), steps.first().map(|step| step.0));
    assert_eq!(details.series.steps.step_seconds, minutes as u64 * 60);
}
