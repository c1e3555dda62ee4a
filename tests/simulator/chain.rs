//! The state machine against its own table, exactly: steps from a state are independent draws, so counts are multinomial.

use std::collections::HashMap;

use beatlytica::simulator::{SiteConfig, State};

use super::measure::SIGMAS;
use super::runs::{DAY, DAYS, START, real, simulated, site};
use super::sample::{Sample, View};
use super::sessions::sessions;

/// Page, auth value and level, which tell all states of this site apart.
type Key = [String; 3];

fn key(state: &State) -> Key {
    [state.page.clone(), state.auth.clone(), state.level.clone()]
}

/// For each state: where from here, and how probably; `None` is the end of the session.
fn table(site: &SiteConfig) -> HashMap<Key, HashMap<Option<Key>, f64>> {
    let mut table: HashMap<Key, HashMap<Option<Key>, f64>> = HashMap::new();
    for transition in &site.transitions {
        table.entry(key(&transition.source)).or_default().insert(Some(key(&transition.dest)), transition.p);
    }
    for steps in table.values_mut() {
        let sum: f64 = steps.values().sum();
        steps.insert(None, (1.0 - sum).max(0.0));
    }
    table
}

fn seen_as(view: &View) -> [&str; 3] {
    [&view.page, &view.auth, &view.level]
}

fn check_steps(sample: &Sample) {
    // A session whose last page is so early has ended: the mean wait between pages is 90 s.
    let judged = START + DAYS * DAY * 85 / 100;
    let table = table(&site());
    type Seen<'a> = [&'a str; 3];
    let mut seen: HashMap<Seen<'_>, HashMap<Option<Seen<'_>>, u64>> = HashMap::new();
    let (sessions, _) = sessions(sample);
    for session in &sessions {
        for (index, view) in session.views.iter().enumerate().filter(|(_, view)| view.ts < judged) {
            let next = session.views.get(index + 1).map(|next| seen_as(next));
            *seen.entry(seen_as(view)).or_default().entry(next).or_default() += 1;
        }
    }
    let mut checked = 0;
    for (from, steps) in &seen {
        let Some(expected) = table.get(&from.map(str::to_owned)) else {
            assert_eq!(from[0], "Cancellation Confirmation");
            continue;
        };
        let n: u64 = steps.values().sum();
        for (to, &p) in expected {
            let to = to.as_ref().map(|to| to.each_ref().map(String::as_str));
            let count = steps.get(&to).copied().unwrap_or_default() as f64;
            let (mean, sd) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
            // One event of leeway: counts of a few are not normal.
            assert!((count - mean).abs() <= SIGMAS * sd + 1.0, "{from:?} -> {to:?}: {count} of {n}, p = {p}");
            checked += 1;
        }
    }
    assert!(checked > 150, "most of the table is seen: {checked}");
}

#[test]
fn real_steps_have_their_probabilities() {
    if let Some(real) = real() {
        check_steps(real);
    }
}

#[test]
fn simulated_steps_have_their_probabilities() {
    if let Some(simulated) = simulated() {
        check_steps(simulated);
    }
}

/// Expected number of views of each page in a session, by the class that it starts in: exact, from the table alone.
fn expected_pages(site: &SiteConfig, class: (&str, &str)) -> HashMap<String, f64> {
    let table = table(site);
    let starts: Vec<(Key, f64)> = site
        .new_session
        .iter()
        .filter(|(state, _)| (state.auth.as_str(), state.level.as_str()) == class)
        .map(|(state, weight)| (key(state), f64::from(*weight)))
        .collect();
    let total: f64 = starts.iter().map(|(_, weight)| weight).sum();
    let mut here: HashMap<Key, f64> = HashMap::new();
    starts.into_iter().for_each(|(state, weight)| *here.entry(state).or_default() += weight / total);
    let mut pages: HashMap<String, f64> = HashMap::new();
    // After so many steps less than one session in 10^12 goes on.
    for _ in 0..800 {
        let mut next: HashMap<Key, f64> = HashMap::new();
        for (state, mass) in &here {
            *pages.entry(state[0].clone()).or_default() += mass;
            for (to, p) in table.get(state).into_iter().flatten() {
                if let Some(to) = to {
                    *next.entry(to.clone()).or_default() += mass * p;
                }
            }
        }
        here = next;
        here.retain(|_, mass| *mass > 1e-15);
    }
    pages
}

#[test]
fn sessions_have_the_pages_that_the_table_makes_expect() {
    let oracle = expected_pages(&site(), ("Logged In", "paid"));
    // SPEC.md's figure for the class.
    assert!((oracle.values().sum::<f64>() - 29.6416).abs() < 1e-3);
    let Some(sample) = simulated() else { return };
    let judged = START + DAYS * DAY * 85 / 100;
    let (sessions, _) = sessions(sample);
    for class in
        [("Logged In", "free"), ("Logged In", "paid"), ("Logged Out", "free"), ("Logged Out", "paid")]
    {
        let name = format!("{}/{}", class.0, class.1);
        let of_class: Vec<_> = sessions
            .iter()
            .filter(|session| session.is_whole() && session.start() < judged && session.class() == name)
            .collect();
        for (page, expected) in expected_pages(&site(), class) {
            // Sessions are independent given their class: the standard error is that of a mean.
            let counts = of_class
                .iter()
                .map(|session| session.views.iter().filter(|view| *view.page == *page).count());
            let (n, sum, squares) = counts.fold((0.0, 0.0, 0.0), |(n, sum, squares), count| {
                (n + 1.0, sum + count as f64, squares + (count * count) as f64)
            });
            let (mean, error) =
                (sum / n, (f64::max(squares / n - (sum / n) * (sum / n), expected / n) / n).sqrt());
            assert!(
                (mean - expected).abs() <= SIGMAS * error + 1.0 / n,
                "{name} {page}: {mean} for {expected}, n = {n}"
            );
        }
    }
}
