//! A second configuration: growth and attrition.

use std::collections::{HashMap, HashSet};

use beatlytica::simulator::{Compat, Simulator, SimulatorConfig};

use super::runs::{DAY, START, settings, simulate, simulate_with, small_world};
use super::sample::{Collector, Sample};
use super::sessions::sessions;

const YEAR: f64 = 365.25;

fn growing(compat: Compat) -> SimulatorConfig {
    let mut config = settings(small_world());
    config.compat = compat;
    config.growth_rate = 10.0;
    config.end_ms = Some(START + 7 * DAY);
    config
}

/// SPEC.md's run: 20,000 listeners and a growth of 10 become 24,310 in a week. Births at a rate r from n listeners have the
/// mean n·e^(rt) and the variance n·e^(rt)·(e^(rt) − 1).
fn check_newcomers(users: usize) {
    let growth = (10.0 * 7.0 / YEAR).exp();
    let (mean, sd) = (20_000.0 * growth, (20_000.0 * growth * (growth - 1.0)).sqrt());
    assert!((users as f64 - mean).abs() < 5.0 * sd, "{users} for {mean:.0} ± {sd:.0}");
}

/// With one in three seconds at first, newcomers at whole seconds would come a fifth faster.
#[test]
fn clean_growth_holds_where_newcomers_are_seconds_apart() {
    let mut config = settings(small_world());
    (config.compat, config.users, config.growth_rate) = (Compat::Clean, 5_000, 2_000.0);
    config.end_ms = Some(START + DAY / 6);
    let growth = (2_000.0 / 6.0 / YEAR).exp();
    let (mean, sd) = (5_000.0 * growth, (5_000.0 * growth * (growth - 1.0)).sqrt());
    simulate_with(config, Collector::new(), |simulator| {
        let users = simulator.users() as f64;
        assert!((users - mean).abs() < 5.0 * sd, "{users} for {mean:.0} ± {sd:.0}");
    });
}

/// Of a mean of ten years, cut at five: e^-0.5 of the first listeners have been there for exactly five years.
fn check_registrations(sample: &Sample) {
    let oldest = START - (5.0 * YEAR * 86_400_000.0) as i64;
    let first: Vec<i64> = sample
        .people
        .values()
        .map(|person| person.registration)
        .filter(|&registration| registration <= START)
        .collect();
    let (n, p) = (first.len() as f64, (-0.5f64).exp());
    let capped = first.iter().filter(|&&registration| registration == oldest).count() as f64;
    assert!((capped - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{capped} of {n}");
    assert!(first.iter().all(|&registration| registration >= oldest));
}

fn guests(sample: &Sample) -> Vec<usize> {
    let (sessions, _) = sessions(sample);
    let judged = START + 6 * DAY;
    let whole = sessions.iter().filter(|session| session.is_whole() && session.start() < judged);
    whole.filter(|session| session.class() == "Guest/free").map(|session| session.views.len()).collect()
}

#[test]
fn newcomers_come_as_in_eventsim() {
    let config = growing(Compat::Eventsim);
    check_newcomers(Simulator::new(config.clone()).expect("sound settings").users());
    let sample = simulate(config);
    check_registrations(&sample);
    // SPEC.md: 3.0601 events a session of guests, exactly; Eventsim's run had 3.048 in 3,811 sessions.
    let events = guests(&sample);
    let n = events.len() as f64;
    let mean = events.iter().sum::<usize>() as f64 / n;
    let variance = events.iter().map(|&count| (count as f64 - mean).powi(2)).sum::<f64>() / n;
    assert!((mean - 3.0601).abs() < 5.0 * (variance / n).sqrt(), "{mean} of {n} sessions");
    // So many sessions, too: within a fifth, for the listeners' own rates differ by much more.
    assert!((3_000.0..4_700.0).contains(&n), "{n}");
    let early = sample.views.iter().filter(|view| {
        let registration =
            view.user.and_then(|user| sample.people.get(&user)).map(|person| person.registration);
        registration.is_some_and(|registration| view.ts < registration)
    });
    assert!(early.count() > 0, "some are there before they sign up, as in Eventsim");
}

#[test]
fn clean_newcomers_are_there_once_they_sign_up() {
    let sample = simulate_with(growing(Compat::Clean), Collector::new(), |simulator| {
        check_newcomers(simulator.users())
    });
    check_registrations(&sample);
    assert!(guests(&sample).len() > 300);
    for view in &sample.views {
        if let Some(person) = view.user.and_then(|user| sample.people.get(&user)) {
            assert!(view.ts >= person.registration, "{view:?}");
        }
    }
}

#[test]
fn any_attrition_ends_everything_in_eventsim() {
    let mut config = settings(small_world());
    (config.users, config.attrition_rate) = (5_000, 0.01);
    let sample = simulate(config);
    let mut sessions: HashMap<i64, HashSet<i64>> = HashMap::new();
    for view in &sample.views {
        sessions.entry(view.user.unwrap_or(-view.session)).or_default().insert(view.session);
    }
    assert!(sessions.values().all(|sessions| sessions.len() == 1), "every session is its listener's last");
}

/// Five in a year leave: of those there at the start, e^(-5t) are left after t years, so in the fourth week
/// the sessions are fewer by the mean of that over the week.
#[test]
fn clean_attrition_is_a_rate() {
    let starts = |rate: f64| {
        let mut config = settings(small_world());
        (config.compat, config.attrition_rate, config.users) = (Compat::Clean, rate, 5_000);
        let sample = simulate(config);
        let (sessions, clusters) = sessions(&sample);
        let mut by_user = vec![0.0; clusters];
        let last_week = sessions.iter().filter(|session| session.is_whole() && session.day() >= 21);
        last_week.for_each(|session| by_user[session.cluster] += 1.0);
        let total: f64 = by_user.iter().sum();
        // Listeners are independent: the variance of the sum is the sum of the squares, about its mean.
        (total, by_user.iter().map(|count| count * count).sum::<f64>().sqrt())
    };
    let ((with, with_error), (without, without_error)) = (starts(5.0), starts(0.0));
    let (rate, from, to) = (5.0 / YEAR, 21.0, 28.0);
    let expected = ((-rate * from).exp() - (-rate * to).exp()) / (rate * (to - from));
    let error = with / without * (with_error / with).hypot(without_error / without);
    assert!((with / without - expected).abs() < 5.0 * error, "{} for {expected} ± {error}", with / without);
}
