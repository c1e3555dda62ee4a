//! The effective settings as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use config::ValueKind;

use super::layers::{Merged, PROPERTIES, Sourced};
use super::secret::{HIDDEN, is_secret};

/// TOML of all values, secrets hidden, each line with its source behind it.
pub(super) fn toml(merged: &Merged) -> String {
    let mut sections: BTreeMap<&str, Vec<(&str, &str, &Sourced)>> = BTreeMap::new();
    for (key, sourced) in merged {
        let (section, name) = split(key);
        sections.entry(section).or_default().push((name, key, sourced));
    }
    let mut out = String::new();
    for (section, lines) in sections {
        let gap = if out.is_empty() { "" } else { "\n" };
        let _ = writeln!(out, "{gap}[{section}]");
        for (name, key, sourced) in lines {
            let line =
                ::toml::Table::from_iter([(name.to_owned(), value(key, &sourced.value.kind))]).to_string();
            // The name of a file or a variable may hold what a comment must not.
            let origin = sourced.origin.replace(char::is_control, "\u{FFFD}");
            let _ = writeln!(out, "{}  # {origin}", line.trim_end());
        }
    }
    out
}

fn split(key: &str) -> (&str, &str) {
    match key.strip_prefix(PROPERTIES) {
        Some(property) => (&PROPERTIES[..PROPERTIES.len() - 1], property),
        None => key.rsplit_once('.').unwrap_or(("", key)),
    }
}

fn value(key: &str, kind: &ValueKind) -> ::toml::Value {
    let text = kind.to_string();
    if is_secret(key) && !text.is_empty() {
        return ::toml::Value::from(HIDDEN);
    }
    match kind {
        ValueKind::Boolean(value) => ::toml::Value::from(*value),
        ValueKind::I64(value) => ::toml::Value::from(*value),
        ValueKind::Float(value) => ::toml::Value::from(*value),
        _ => ::toml::Value::from(text),
    }
}
