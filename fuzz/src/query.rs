//! Which queries the API answers, by a plain second reading of its parameters.

use std::collections::BTreeMap;

/// Names and allowed values of a route's parameters; `None`: any text.
type Parameters = &'static [(&'static str, Option<&'static [&'static str]>)];

const WINDOWS: &[&str] = &["5m", "1h", "24h", "minute", "hour", "day"];
const AT: &[&str] = &["live", "closed"];

/// The routes that take parameters.
pub const ROUTES: [(&str, Parameters); 4] = [
    (
        "/api/v1/charts/songs",
        &[("window", Some(WINDOWS)), ("at", Some(AT)), ("limit", Some(&[])), ("q", None)],
    ),
    (
        "/api/v1/active-users",
        &[
            ("window", Some(WINDOWS)),
            ("at", Some(AT)),
            ("by", Some(&["level", "gender", "state"])),
            ("detail", Some(&["true", "false"])),
        ],
    ),
    ("/api/v1/status", &[]),
    ("/api/v1/complete", &[]),
];

/// Whether `query` of the route is answered with 200 (else with 400), and its limit.
pub fn is_answered(route: usize, query: &str) -> Option<usize> {
    if query.len() > 2048 {
        return None;
    }
    let mut given = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let (_, allowed) = ROUTES[route].1.iter().find(|(known, _)| *known == name)?;
        let fits = match allowed {
            None => true,
            Some([]) => value.parse::<usize>().is_ok_and(|limit| (1..=1000).contains(&limit)),
            Some(allowed) => allowed.contains(&&*value),
        };
        if !fits || given.insert(name, value.clone()).is_some() {
            return None;
        }
    }
    Some(given.get("limit").map_or(50, |limit| limit.parse().unwrap_or(0)))
}
