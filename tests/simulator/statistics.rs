//! The simulated run beside the real one.

use std::collections::HashMap;

use beatlytica::schemas::EventKind;

use super::measure::{Measures, differences};
use super::runs::{DAY, DAYS, START, USERS, real, simulated};
use super::sample::Sample;
use super::sessions::{Session, sessions};

/// Sessions that begin later may be cut off by the end of the run.
const LAST_START: i64 = START + DAYS * DAY * 85 / 100;

/// Bounds of a scale, as words.
fn bucket(value: i64, bounds: &[i64]) -> String {
    match bounds.iter().find(|&&bound| value < bound) {
        Some(bound) => format!("below {bound}"),
        None => "above".to_owned(),
    }
}

fn hour(ts: i64) -> String {
    format!("{:02} h", ts / 3_600_000 % 24)
}

fn measures(sample: &Sample) -> Measures {
    let (sessions, clusters) = sessions(sample);
    let mut measures = Measures::new(clusters);
    for session in &sessions {
        of_views(&mut measures, session);
        if session.is_whole() {
            of_session(&mut measures, session);
        }
    }
    of_gaps(&mut measures, &sessions);
    of_records(&mut measures, sample, &sessions);
    measures
}

fn of_views(measures: &mut Measures, session: &Session<'_>) {
    for view in &session.views {
        measures.share("pages", session.cluster, &view.page);
        measures.share("views by hour", session.cluster, &hour(view.ts));
        measures.share("views by auth and level", session.cluster, &format!("{}/{}", view.auth, view.level));
        let change = match &*view.page {
            "Submit Upgrade" | "Submit Downgrade" | "Cancel" => &view.page,
            _ => "none",
        };
        let figure = if &*view.level == "free" { "changes on free pages" } else { "changes on paid pages" };
        measures.share(figure, session.cluster, change);
        if view.duration.is_some() {
            measures.share("listens by level", session.cluster, &view.level);
        }
    }
}

fn of_session(measures: &mut Measures, session: &Session<'_>) {
    let (cluster, class) = (session.cluster, session.class());
    measures.share("starts by class", cluster, &class);
    measures.share("starts by hour", cluster, &hour(session.start()));
    measures.share("starts by day of the week", cluster, &(session.day() % 7).to_string());
    measures.share("starts on Memorial Day", cluster, if session.day() == 21 { "yes" } else { "no" });
    measures.share("starts by week", cluster, &(session.day() / 7).to_string());
    measures.share("first pages", cluster, &format!("{class} {}", session.views[0].page));
    if session.start() >= LAST_START {
        return;
    }
    let events = session.views.len() as i64;
    let listens = session.views.iter().filter(|view| view.duration.is_some()).count();
    measures.add("events a session", cluster, "all", events as f64);
    measures.per("events a session", cluster);
    measures.add("listens a session", cluster, "all", listens as f64);
    measures.per("listens a session", cluster);
    measures.share("sessions by events", cluster, &bucket(events, &[2, 3, 5, 10, 20, 50, 100]));
    let seconds = (session.end() - session.start()) / 1000;
    measures.share(
        "sessions by seconds",
        cluster,
        &bucket(seconds, &[1, 60, 300, 1_000, 3_000, 10_000, 30_000]),
    );
    // Steps between pages other than songs: a mixture over listeners, and over the redirects' one second.
    for pair in session.views.windows(2).filter(|pair| pair[1].duration.is_none()) {
        let seconds = (pair[1].ts - pair[0].ts) / 1000;
        measures.share("steps by seconds", cluster, &bucket(seconds, &[1, 2, 10, 30, 100, 300, 1_000]));
    }
    for figure in ["Logged In/free", "Logged In/paid", "Logged Out/free", "Logged Out/paid"] {
        if class == figure {
            measures.add(figure, cluster, "events a session", events as f64);
            measures.per(figure, cluster);
        }
    }
}

/// Time from a listener's session to the next.
fn of_gaps(measures: &mut Measures, sessions: &[Session<'_>]) {
    let mut last: HashMap<i64, i64> = HashMap::new();
    let mut known: Vec<&Session<'_>> = sessions.iter().filter(|session| session.user.is_some()).collect();
    known.sort_by_key(|session| session.start());
    for session in known {
        let Some(user) = session.user else { continue };
        if let Some(end) = last.insert(user, session.end()) {
            let bounds = [1_800, 3_600, 14_400, 43_200, 86_400, 172_800, 345_600, 691_200];
            let gap = bucket((session.start() - end) / 1000, &bounds);
            measures.share("gaps between sessions by seconds", session.cluster, &gap);
        }
    }
}

fn of_records(measures: &mut Measures, sample: &Sample, sessions: &[Session<'_>]) {
    let mut pages: HashMap<(i64, i64), &str> = HashMap::new();
    let mut clusters: HashMap<i64, usize> = HashMap::new();
    for session in sessions {
        clusters.insert(session.views[0].session, session.cluster);
        for view in &session.views {
            measures.per("records a page view", session.cluster);
            pages.insert((view.session, view.item), &view.page);
        }
    }
    for (name, records) in [("listen", &sample.listens), ("auth", &sample.auths), ("change", &sample.changes)]
    {
        for record in records {
            measures.add("records a page view", clusters[&record.session], name, 1.0);
        }
    }
    for record in &sample.auths {
        let page = pages[&(record.session, record.item)];
        let outcome = if record.success == Some(true) { "success" } else { "failure" };
        // Eventsim records a sign-in again on the redirect after it.
        let doubled = matches!(page, "Login" | "Logout");
        measures.share("sign-ins", clusters[&record.session], outcome);
        measures.share(
            "sign-ins recorded twice",
            clusters[&record.session],
            if doubled { "yes" } else { "no" },
        );
    }
    for record in &sample.changes {
        measures.share("changes by level before", clusters[&record.session], &record.level);
    }
}

#[test]
fn simulated_listeners_behave_like_real_ones() {
    let (Some(real), Some(simulated)) = (real(), simulated()) else { return };
    let differing = differences(&measures(real), &measures(simulated));
    assert!(differing.is_empty(), "{} figures differ:\n{}", differing.len(), differing.join("\n"));
}

/// Shares of independent listeners: a binomial's standard error.
#[test]
fn listeners_are_alike() {
    let (Some(real), Some(simulated)) = (real(), simulated()) else { return };
    let compare = |name: &str, real: (usize, usize), simulated: (usize, usize)| {
        let share = |(part, all): (usize, usize)| part as f64 / all as f64;
        let variance =
            |(part, all): (usize, usize)| share((part, all)) * (1.0 - share((part, all))) / all as f64;
        let error = (variance(real) + variance(simulated)).sqrt();
        let difference = share(simulated) - share(real);
        assert!(difference.abs() <= 5.0 * error, "{name}: {real:?} against {simulated:?}");
    };
    let seen = |sample: &Sample| (sample.people.len(), USERS as usize);
    compare("seen at all", seen(real), seen(simulated));
    let of = |sample: &Sample, what: fn(&super::sample::Person) -> bool| {
        (sample.people.values().filter(|person| what(person)).count(), sample.people.len())
    };
    let men = |person: &super::sample::Person| &*person.gender == "M";
    compare("men", of(real, men), of(simulated, men));
    let quoted = |person: &super::sample::Person| person.quoted_agent;
    compare("quoted user agents", of(real, quoted), of(simulated, quoted));
    for sample in [real, simulated] {
        assert!(
            sample.people.values().all(|person| person.registration == START),
            "no growth: all sign up at the start"
        );
    }
}

/// The world is the same, so sizes differ by chance alone: by which listeners and songs came up how often. Four seeds of
/// Eventsim differ by 1.4 % in listens; a record's size varies by a fifth between listeners, of whom a hundred or so
/// make a tenth of the records. Half a percent is three times what that allows.
#[test]
fn records_are_as_large() {
    let (Some(real), Some(simulated)) = (real(), simulated()) else { return };
    for kind in EventKind::ALL {
        let mean = |sample: &Sample| sample.bytes[kind as usize] as f64 / sample.of(kind) as f64;
        let (real, simulated) = (mean(real), mean(simulated));
        println!("{}: {real:.1} bytes against {simulated:.1}", kind.table());
        let tolerance = if kind == EventKind::StatusChange { 0.02 } else { 0.005 };
        assert!((simulated / real - 1.0).abs() < tolerance, "{}: {real} against {simulated}", kind.table());
    }
}
