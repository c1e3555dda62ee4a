//! What holds for every record, without exception, of the real run and of the simulated one.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::runs::{START, real, settings, simulate, simulated, site, small_world};
use super::sample::{Sample, View};
use super::sessions::{Session, sessions};
use beatlytica::simulator::Compat;

fn is_redirect(page: &str) -> bool {
    matches!(page, "Login" | "Logout" | "Cancel" | "Save Settings") || page.starts_with("Submit ")
}

fn check(sample: &Sample, compat: Compat) {
    let (sessions, _) = sessions(sample);
    let allowed: HashSet<[String; 6]> = site()
        .transitions
        .into_iter()
        .map(|t| [t.source.page, t.source.auth, t.source.level, t.dest.page, t.dest.auth, t.dest.level])
        .collect();
    let key = |view: &View| [view.page.to_string(), view.auth.to_string(), view.level.to_string()];
    let mut used: HashMap<[&str; 6], u64> = HashMap::new();
    for session in &sessions {
        check_session(session);
        for pair in session.views.windows(2) {
            let (from, to) = (pair[0], pair[1]);
            *used.entry([&from.page, &from.auth, &from.level, &to.page, &to.auth, &to.level]).or_default() +=
                1;
        }
    }
    for step in used.keys() {
        assert!(allowed.contains(&step.map(str::to_owned)), "no such transition: {step:?}");
    }
    for view in &sample.views {
        let shown = matches!(&*view.auth, "Logged In" | "Cancelled");
        assert_eq!(view.user.is_some(), shown, "{:?}", key(view));
        assert_eq!(view.duration.is_some(), &*view.page == "NextSong");
        assert!(view.ts > START);
    }
    check_routing(sample, &sessions, compat);
}

fn check_session(session: &Session<'_>) {
    let users: HashSet<i64> = session.views.iter().filter_map(|view| view.user).collect();
    assert!(users.len() <= 1, "one listener a session");
    assert!(
        session.start() < START + 3_600_000 * 24 || session.is_whole(),
        "only old sessions begin in their middle"
    );
    let mut song_end = None;
    for pair in session.views.windows(2) {
        let (from, to) = (pair[0], pair[1]);
        assert_eq!(to.item, from.item + 1);
        if let Some(duration) = from.duration {
            song_end = Some(from.ts + duration as i64 * 1000);
        }
        if is_redirect(&to.page) {
            assert_eq!(to.ts, from.ts + 1000, "a redirect takes a second");
        } else if let (true, Some(end)) = (to.duration.is_some(), song_end.filter(|end| from.ts < *end)) {
            assert_eq!(to.ts, end, "the next song waits for the end of this one");
        }
    }
}

/// Which records an event gives. What came before the start is not known, so sessions seen from their beginning only.
fn check_routing(sample: &Sample, sessions: &[Session<'_>], compat: Compat) {
    let whole: HashSet<i64> = sessions
        .iter()
        .filter(|session| session.is_whole())
        .map(|session| session.views[0].session)
        .collect();
    let mut expected: [BTreeMap<(i64, i64), Option<bool>>; 3] = Default::default();
    for session in sessions.iter().filter(|session| session.is_whole()) {
        let mut after_login = false;
        for (index, view) in session.views.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| session.views.get(before));
            if let Some(before) = before
                && (compat == Compat::Clean || !is_redirect(&view.page))
            {
                after_login = &*before.page == "Login";
            }
            let at = (view.session, view.item);
            if view.duration.is_some() {
                expected[0].insert(at, None);
            }
            if after_login {
                expected[1].insert(at, Some(&*view.auth == "Logged In"));
            }
            if matches!(&*view.page, "Submit Upgrade" | "Submit Downgrade") {
                expected[2].insert(at, None);
            }
        }
    }
    for (records, expected) in [&sample.listens, &sample.auths, &sample.changes].into_iter().zip(&expected) {
        let found: BTreeMap<_, _> = records
            .iter()
            .filter(|record| whole.contains(&record.session))
            .map(|record| ((record.session, record.item), record.success))
            .collect();
        assert_eq!(found.len(), expected.len());
        assert!(found == *expected);
    }
    for records in [&sample.listens, &sample.auths, &sample.changes] {
        assert!(records.windows(2).all(|pair| pair[0].ts <= pair[1].ts), "time does not go back");
    }
    assert!(sample.auths.iter().all(|auth| auth.user.is_some() == (auth.success == Some(true))));
    assert!(sample.listens.iter().all(|listen| listen.user.is_some()));
}

#[test]
fn the_real_run_keeps_the_rules() {
    if let Some(real) = real() {
        check(real, Compat::Eventsim);
    }
}

#[test]
fn the_simulated_run_keeps_the_rules() {
    if let Some(simulated) = simulated() {
        check(simulated, Compat::Eventsim);
    }
}

#[test]
fn the_clean_model_records_a_sign_in_once() {
    let mut config = settings(small_world());
    (config.compat, config.users) = (Compat::Clean, 4_000);
    let sample = simulate(config);
    check(&sample, Compat::Clean);
    let pages: HashMap<(i64, i64), &str> =
        sample.views.iter().map(|view| ((view.session, view.item), &*view.page)).collect();
    assert!(sample.auths.len() > 1_000, "{}", sample.auths.len());
    assert!(sample.auths.iter().all(|auth| !is_redirect(pages[&(auth.session, auth.item)])));
    assert!(
        sample.views.iter().all(|view| view.ts < START + 28 * super::runs::DAY),
        "nothing at or after the end"
    );
}
