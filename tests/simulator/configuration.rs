//! Mistakes in a site file are answered with the key and what to do.

use beatlytica::simulator::{Compat, Simulator, SimulatorConfig, SiteConfig};
use serde_json::{Value, json};

use super::runs::{START, small_world};

const FILE: &[u8] = include_bytes!("../fixtures/eventsim-site.json");

/// The answer to the file with one change.
fn answer(change: impl FnOnce(&mut Value)) -> String {
    let mut site: Value = serde_json::from_slice(FILE).expect("JSON");
    change(&mut site);
    let read = SiteConfig::from_json(site.to_string().as_bytes());
    let config = match read {
        Ok(site) => SimulatorConfig::new(site, small_world(), START),
        Err(error) => return error.to_string(),
    };
    Simulator::new(config).map(|_| "taken".to_owned()).unwrap_or_else(|error| error.to_string())
}

#[test]
fn eventsims_own_file_is_taken() {
    assert_eq!(answer(|_| {}), "taken");
    let site = SiteConfig::from_json(FILE).expect("a sound site");
    assert_eq!((site.transitions.len(), site.new_session.len()), (198, 25));
    assert_eq!(site.ignored, ["end-date", "start-date"]);
    assert!(SiteConfig::own().is_ok_and(|site| site.ignored.is_empty()));
}

/// What makes a good configuration a bad one.
type Change = Box<dyn FnOnce(&mut Value)>;

#[test]
fn mistakes_name_the_key() {
    let cases: [(&str, Change); 14] = [
        ("alpha: is \"x\"; it must be a number from 1", Box::new(|site| site["alpha"] = json!("x"))),
        ("beta: is -5; it must be a number from 60", Box::new(|site| site["beta"] = json!(-5))),
        ("weekend-damping: is 1.5; it must be", Box::new(|site| site["weekend-damping"] = json!(1.5))),
        (
            "transitions[3].source.page: is missing; give text",
            Box::new(|site| {
                site["transitions"][3]["source"].as_object_mut().expect("an object").remove("page");
            }),
        ),
        (
            "transitions[5].p: is 2; it must be a number from 0 to 1",
            Box::new(|site| site["transitions"][5]["p"] = json!(2)),
        ),
        (
            "transitions[4].p: brings the probabilities from \"About\" (Guest, free) to 1.4",
            Box::new(|site| {
                site["transitions"][4]["p"] = json!(0.9);
            }),
        ),
        ("transitions[0]: is 7; it must be an object", Box::new(|site| site["transitions"][0] = json!(7))),
        ("transitions: is {}; it must be a list", Box::new(|site| site["transitions"] = json!({}))),
        ("new-session: is empty", Box::new(|site| site["new-session"] = json!([]))),
        ("new-session[1].weight: is \"a\"", Box::new(|site| site["new-session"][1]["weight"] = json!("a"))),
        (
            "show-user-details: does not name auth \"Guest\", which new-session[0] uses; add it",
            Box::new(|site| {
                site["show-user-details"][0]["auth"] = json!("Visitor");
            }),
        ),
        (
            "levels: has no weight above 0",
            Box::new(|site| site["levels"] = json!([{"level": "free", "weight": 0}])),
        ),
        (
            "new-session: has no page of positive weight for auth \"Logged In\" and level \"gold\"",
            Box::new(|site| {
                site["levels"][0]["level"] = json!("gold");
            }),
        ),
        (
            "auths: is missing; give a list",
            Box::new(|site| {
                site.as_object_mut().expect("an object").remove("auths");
            }),
        ),
    ];
    for (expected, change) in cases {
        let found = answer(change);
        assert!(found.starts_with(expected), "{found:?} instead of {expected:?}");
    }
    let cut = SiteConfig::from_json(&FILE[..FILE.len() / 2]).expect_err("half a file").to_string();
    assert!(cut.starts_with("site configuration: is not valid JSON: EOF"), "{cut}");
    assert!(
        SiteConfig::from_json(b"[]").expect_err("no object").to_string().contains("must be a JSON object")
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let refused = |change: fn(&mut SimulatorConfig)| {
        let mut config = SimulatorConfig::new(SiteConfig::own().expect("a sound site"), small_world(), START);
        change(&mut config);
        Simulator::new(config).map(|_| ()).expect_err("refused").to_string()
    };
    assert!(refused(|config| config.growth_rate = f64::NAN).starts_with("growth-rate: is NaN"));
    assert!(refused(|config| config.similarity = 1.5).starts_with("similarity: is 1.5"));
    assert!(refused(|config| config.end_ms = Some(START)).starts_with("end: is not after the start"));
    assert!(refused(|config| config.start_ms = -1).starts_with("start: is -1 ms"));
    let endless =
        |config: &mut SimulatorConfig| (config.compat, config.growth_rate) = (Compat::Eventsim, 1.0);
    assert!(refused(endless).starts_with("end: is needed for growth"));
    // Eventsim's default level of newcomers is spelt in a way that no page has.
    let spelt = |config: &mut SimulatorConfig| {
        (config.compat, config.growth_rate, config.end_ms) = (Compat::Eventsim, 1.0, Some(START + 1_000));
        config.site.new_user_level = None;
    };
    assert!(refused(spelt).contains("level \"Free\""));
}
