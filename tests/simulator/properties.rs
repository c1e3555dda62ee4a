//! Any seed and any valid configuration: records that the engine takes whole, and the same bytes however they are asked for.

use std::collections::HashSet;

use beatlytica::schemas::EventKind;
use beatlytica::simulator::{
    Compat, Disorder, DisorderRates, Fate, RecordBuffer, Simulator, SimulatorConfig, SiteConfig, Trends,
    write_truth,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use super::runs::{DAY, START, own_world, small_world};
use super::sample::Collector;

/// A site of a few pages with any names, among them those that mean something.
fn any_site() -> impl Strategy<Value = Value> {
    let page = prop_oneof![
        Just("NextSong".to_owned()),
        Just("Login".to_owned()),
        Just("Submit Upgrade".to_owned()),
        Just("Home".to_owned()),
        "\\PC{1,8}",
        any::<String>(),
    ];
    let auth = prop_oneof![Just("Logged In".to_owned()), Just("Logged Out".to_owned()), "\\PC{0,6}"];
    let level = prop_oneof![Just("free".to_owned()), Just("paid".to_owned()), "\\PC{0,6}"];
    let status = prop_oneof![Just(200), Just(307), 100i64..600];
    let state = (page, auth, level, status, "[A-Z]{3,4}").prop_map(|(page, auth, level, status, method)| {
        json!({"page": page, "auth": auth, "level": level, "status": status, "method": method})
    });
    let states = prop::collection::vec(state, 1..8);
    let steps =
        prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1u32..10), 1..20);
    let numbers = (1.0f64..500.0, 600.0f64..400_000.0, 0.0f64..0.2, 0.0f64..0.9, 1i64..4_000);
    (states, steps, numbers, any::<bool>()).prop_map(|(states, steps, numbers, shows)| {
        let (alpha, beta, damping, weekend, gap) = numbers;
        let transitions: Vec<Value> = steps
            .iter()
            .map(|(from, to, weight)| {
                // Twenty steps of at most 0.045 leave a tenth for the end.
                json!({"source": from.get(&states), "dest": to.get(&states), "p": f64::from(*weight) * 0.005})
            })
            .collect();
        let with_weight = |state: &Value| {
            let mut start = state.clone();
            start["weight"] = json!(1);
            start
        };
        let starts: Vec<Value> = states.iter().map(with_weight).collect();
        let shown: Vec<Value> =
            states.iter().map(|state| json!({"auth": state["auth"], "show": shows || state["auth"] == "Logged In"})).collect();
        // Only pairs that some page has can be drawn.
        json!({
            "alpha": alpha, "beta": beta, "damping": damping, "weekend-damping": weekend, "session-gap": gap,
            "new-session": starts, "transitions": transitions, "show-user-details": shown,
            "auths": [{"auth": states[0]["auth"], "weight": 1}], "levels": [{"level": states[0]["level"], "weight": 2}],
            "new-user-auth": states[0]["auth"], "new-user-level": states[0]["level"],
        })
    })
}

fn any_config() -> impl Strategy<Value = SimulatorConfig> {
    let rates = (prop_oneof![Just(0.0), 0.0f64..20.0], prop_oneof![Just(0.0), 0.0f64..5.0], 0.0f64..=1.0);
    let start = START - 400 * DAY..START + 400 * DAY;
    (
        any_site(),
        1u32..40,
        any::<u64>(),
        any::<bool>(),
        any::<bool>(),
        rates,
        start,
        prop::option::of("\\PC{1,5}"),
    )
        .prop_map(
            |(site, users, seed, eventsim, trends, (growth, attrition, similarity), start, tag)| {
                let site = SiteConfig::from_json(site.to_string().as_bytes()).expect("a sound site");
                let mut config = SimulatorConfig::new(site, small_world(), start);
                (config.users, config.seed, config.tag) = (users, seed, tag);
                (config.growth_rate, config.attrition_rate, config.similarity) =
                    (growth, attrition, similarity);
                config.end_ms = Some(start + 3 * DAY);
                config.compat = if eventsim { Compat::Eventsim } else { Compat::Clean };
                config.trends = if trends { Trends::lively() } else { Trends::default() };
                config
            },
        )
}

/// At most so many records, taken so many at a time.
fn take(config: &SimulatorConfig, most: usize, at_a_time: usize) -> RecordBuffer {
    let mut simulator = Simulator::new(config.clone()).expect("sound settings");
    let mut records = RecordBuffer::default();
    while records.len() < most
        && simulator.advance(i64::MAX, at_a_time.min(most - records.len()), &mut records)
    {}
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_takes_every_record_whole(config in any_config()) {
        let records = take(&config, 3_000, 3_000);
        // It fails on anything rejected or unknown.
        let mut collector = Collector::new();
        let mut last = i64::MIN;
        for record in records.iter() {
            collector.push(record.envelope.kind, record.line);
            prop_assert!(record.envelope.ts >= last, "time does not go back");
            prop_assert!(record.envelope.ts > config.start_ms);
            last = record.envelope.ts;
            let value: Value = serde_json::from_slice(record.json()).expect("JSON");
            prop_assert_eq!(value["ts"].as_i64(), Some(record.envelope.ts));
            prop_assert_eq!(value["sessionId"].as_i64(), Some(record.envelope.session_id));
            prop_assert_eq!(value["userId"].as_i64(), record.envelope.user_id);
        }
        let views = records.iter().filter(|record| record.envelope.kind == EventKind::PageView).count();
        prop_assert_eq!(collector.finish().views.len(), views);
    }

    #[test]
    fn calls_do_not_change_the_bytes(config in any_config(), at_a_time in 1usize..50, step in 1i64..20_000_000) {
        let whole = take(&config, 500, 500);
        let piecemeal = take(&config, 500, at_a_time);
        prop_assert_eq!(piecemeal.bytes(), whole.bytes());
        // Nor does the pace.
        let mut simulator = Simulator::new(config.clone()).expect("sound settings");
        let (mut records, mut until) = (RecordBuffer::default(), config.start_ms);
        while records.len() < whole.len() && until < config.start_ms + 4 * DAY {
            until += step;
            let next = simulator.next_event_time();
            let before = records.len();
            while records.len() < whole.len() && simulator.advance(until, 1, &mut records) {}
            prop_assert_eq!(records.len() > before, next.is_some_and(|next| next < until));
        }
        prop_assert!(whole.bytes().starts_with(records.bytes()) || records.bytes().starts_with(whole.bytes()));
    }

    #[test]
    fn disorder_loses_nothing(
        seed in any::<u64>(),
        shares in (0.0f64..0.25, 0.0f64..0.25, 0.0f64..0.25, 0.0f64..0.25),
        at_a_time in 1usize..400,
    ) {
        let mut config = SimulatorConfig::new(SiteConfig::own().expect("a sound site"), small_world(), START);
        (config.users, config.seed) = (200, seed);
        let (late, out_of_order, duplicated, malformed) = shares;
        let rates = DisorderRates { late, late_by_ms: 600_000, out_of_order, duplicated, malformed };
        let mut disorder = Disorder::new(rates, seed).expect("sound rates");
        let mut simulator = Simulator::new(config).expect("sound settings");
        let (mut truth, mut given, mut text) = (RecordBuffer::default(), RecordBuffer::default(), Vec::new());
        let mut expected: Vec<Vec<u8>> = Vec::new();
        let mut broken = 0;
        for _ in 0..10 {
            truth.clear();
            simulator.advance(i64::MAX, at_a_time, &mut truth);
            let fates = disorder.apply(&truth, &mut given).to_vec();
            write_truth(&truth, &fates, &mut text);
            for (record, fate) in truth.iter().zip(fates) {
                let copies = match fate {
                    Fate::Malformed => { broken += 1; 0 }
                    Fate::Duplicated(_) => 2,
                    _ => 1,
                };
                expected.extend(std::iter::repeat_n(record.line.to_vec(), copies));
            }
        }
        disorder.finish(&mut given);
        let (whole, rest): (Vec<_>, Vec<_>) =
            given.iter().map(|record| record.line.to_vec()).partition(|line| is_taken(line));
        let mut whole = whole;
        whole.sort();
        expected.sort();
        prop_assert_eq!(whole, expected);
        prop_assert_eq!(rest.len(), broken);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let value: Value = serde_json::from_slice(line).expect("JSON");
            prop_assert!(value["record"]["ts"].is_i64() && value["fate"].is_string());
        }
    }
}

/// Whether the engine takes the line as a record.
fn is_taken(line: &[u8]) -> bool {
    use beatlytica::schemas::{Decoder, RawRecord, Source};
    let source = Source { topic: "t".into(), kind: EventKind::PageView, epoch: 1, partition: 0 };
    let mut decoder = Decoder::new(std::sync::Arc::new(source), false);
    decoder.push(RawRecord { offset: 0, timestamp: 0, key: None, value: Some(line) }, Vec::new);
    decoder.finish(1).rejected.is_empty()
}

/// So that runs into the same topics, one after the other, do not join strangers' sessions; however short the first was.
#[test]
fn a_run_that_goes_on_from_another_uses_none_of_its_session_ids() {
    let ids = |start_ms, end_ms| -> HashSet<i64> {
        let mut config =
            SimulatorConfig::new(SiteConfig::own().expect("a sound site"), small_world(), start_ms);
        (config.users, config.end_ms) = (20_000, Some(end_ms));
        let records = take(&config, usize::MAX, usize::MAX);
        records.iter().map(|record| record.envelope.session_id).collect()
    };
    for length in [10_000, 3_600_000] {
        let (middle, end) = (START + length, START + length + 3_600_000);
        let (first, second) = (ids(START, middle), ids(middle, end));
        assert!(!first.is_empty() && second.len() > 100, "{} and {}", first.len(), second.len());
        assert!(first.is_disjoint(&second), "{length} ms");
    }
}

/// The bytes of a seed are a promise: to whoever compares two machines, and to whoever repeats a test.
#[test]
fn a_seed_gives_the_same_bytes_everywhere() {
    let hash = |compat, trends, similarity| {
        let mut config = SimulatorConfig::new(SiteConfig::own().expect("a sound site"), own_world(), START);
        (config.users, config.seed, config.compat) = (500, 7, compat);
        (config.trends, config.similarity, config.growth_rate) = (trends, similarity, 1.0);
        config.end_ms = Some(START + 3 * DAY);
        let records = take(&config, 20_000, 20_000);
        assert!(records.len() > 5_000, "{}", records.len());
        XxHash3_64::oneshot(records.bytes())
    };
    let found = [
        hash(Compat::Eventsim, Trends::default(), 0.0),
        hash(Compat::Clean, Trends::default(), 0.0),
        hash(Compat::Clean, Trends::lively(), 0.3),
    ];
    assert_eq!(found, EXPECTED, "a change of the model or of the world: note it in CHANGELOG.md");
}

const EXPECTED: [u64; 3] = [91_630_852_220_051_429, 5_712_792_859_565_335_756, 8_207_839_823_103_413_947];
