//! The bounds that are searched, and the rules without which a violation is found.

use super::super::Mutant;
use super::{Bounds, Found, Search};

fn search(name: &str, bounds: Bounds, mutant: Mutant) -> Found {
    let began = std::time::Instant::now();
    let most =
        std::env::var("BEATLYTICA_STATES").ok().and_then(|most| most.parse().ok()).unwrap_or(3_000_000);
    let found = Search::new(bounds, mutant).run(most);
    let Found { states, steps, grounds, complete, violation } = &found;
    println!(
        "{name}, {mutant:?}: {states} states, {steps} steps, {grounds} of bucket and log, complete {complete}, \
         {violation:?}, {:.1} s",
        began.elapsed().as_secs_f64()
    );
    found
}

const BASE: Bounds = Bounds {
    writers: 3,
    records: 2,
    longest: 2,
    appends: 0,
    crashes: 0,
    faults: 0,
    expiries: 0,
    recreations: 0,
    hints: false,
};

const TWO: Bounds = Bounds { writers: 2, ..BASE };
const LONGER: Bounds = Bounds { records: 3, ..TWO };
const EXPIRING: Bounds = Bounds { expiries: 1, ..TWO };
const GROWING: Bounds = Bounds { records: 1, appends: 1, ..TWO };
const ANEW: Bounds = Bounds { writers: 1, recreations: 1, ..BASE };
const HINTS: Bounds = Bounds { hints: true, ..TWO };

/// Every state within the bounds is seen, and in none of them an invariant is broken.
fn holds(name: &str, bounds: Bounds) {
    let found = search(name, bounds, Mutant::None);
    assert_eq!(found.violation, None, "{name}");
    assert!(found.complete, "{name}: not all was seen");
}

/// A test for each scenario, so that they are searched side by side; and the list of them.
macro_rules! scenarios {
    ($($name:ident: $bounds:expr;)*) => {
        const SCENARIOS: &[Bounds] = &[$($bounds),*];

        $(#[test]
        fn $name() {
            holds(stringify!($name), $bounds);
        })*
    };
}

scenarios! {
    three_writers: BASE;
    two_writers: TWO;
    three_records: LONGER;
    crash: Bounds { crashes: 1, ..TWO };
    fault: Bounds { faults: 1, ..TWO };
    crash_and_fault: Bounds { records: 1, longest: 1, crashes: 1, faults: 1, ..TWO };
    hints: HINTS;
    retention: EXPIRING;
    growth: GROWING;
    created_anew: ANEW;
}

/// A rule, what is done instead, where that is searched, and the invariant that it breaks.
const RULES: &[(&str, Mutant, Bounds, &str)] = &[
    ("An object is created only if it is absent", Mutant::OverwriteObjects, TWO, "immutable"),
    ("An existing decision is adopted", Mutant::IgnoreOthers, TWO, "glob-safe"),
    ("The receipt comes before the next decision", Mutant::DecideEarly, TWO, "receipt-before-next"),
    ("The receipt comes after the objects", Mutant::ReceiptFirst, TWO, "receipt-means-all-there"),
    ("Every decided name is written", Mutant::LeaveOutEmpty, EXPIRING, "receipt-means-all-there"),
    ("Counts are made of what stands", Mutant::CountOwnRows, EXPIRING, "counts-equal-data"),
    ("Counts are written last", Mutant::CountsFirst, EXPIRING, "counts-equal-data"),
    ("A hint counts only if the ledger bears it out", Mutant::BelieveHint, HINTS, "receipt-before-next"),
    ("Reading goes on at the head's end", Mutant::SkipTo, LONGER, "contiguous"),
    ("The log's end is read after the head", Mutant::LogBeforeHead, GROWING, "never-refused"),
    ("The topic id is read before each decision", Mutant::SkipIdentity, ANEW, "decision-equals-log"),
];

#[test]
fn without_any_rule_a_violation_is_found() {
    let page = include_str!("../../../../../docs/reliability.md");
    for (rule, mutant, bounds, invariant) in RULES {
        let violation = search(rule, *bounds, *mutant).violation.unwrap_or_default();
        assert!(violation.contains(invariant), "{rule}: {violation:?} is not {invariant}");
        let row = format!("| {rule} | `{mutant:?}` | `{invariant}` |");
        assert!(page.contains(&row), "docs/reliability.md lacks the row {row}");
        // The rule is what makes the difference: with it, nothing is found there.
        assert!(SCENARIOS.contains(bounds), "{rule}");
    }
}
