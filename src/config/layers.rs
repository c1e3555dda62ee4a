//! The layers: read, checked against the keys there are, merged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config::{File, FileFormat, Source, Value, ValueKind};

use super::{ConfigError, Override, Problem};

/// A layer that is part of the program: its text, and what it is called.
pub(super) type BuiltIn = (&'static str, &'static str);

/// The lowest layer; it names every key.
pub(super) const DEFAULTS: BuiltIn = (include_str!("../../config/default.toml"), "built-in default");

/// What `demo` does differently.
pub(super) const DEMO: BuiltIn = (include_str!("../../config/demo.toml"), "built-in default of the demo");

/// Keys below it are librdkafka's, not ours.
pub(super) const PROPERTIES: &str = "kafka.properties.";

/// Prefix of the environment variables that are settings.
pub const VARIABLE_PREFIX: &str = "BEATLYTICA__";

/// Every key with its value and where that came from.
pub(super) type Merged = BTreeMap<String, Sourced>;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Sourced {
    pub(super) value: Value,
    pub(super) origin: String,
}

/// All layers, later ones over earlier ones, and the keys that are not known.
pub(super) fn merge(
    built_in: &[BuiltIn],
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Override],
) -> Result<(Merged, Vec<Problem>), ConfigError> {
    let mut merged = Merged::new();
    for (text, origin) in built_in {
        let table = File::from_str(text, FileFormat::Toml).collect().unwrap_or_default();
        merged.extend(flatten(table, origin));
    }
    let known: BTreeSet<String> = merged.keys().cloned().collect();
    let mut problems = Vec::new();
    let mut apply = |layer: Merged, merged: &mut Merged| {
        for (key, sourced) in layer {
            match unknown(&key, &known) {
                Some(message) => problems.push(Problem { key, origin: sourced.origin, message }),
                None => {
                    merged.insert(key, sourced);
                }
            }
        }
    };
    if let Some(path) = file {
        apply(file_layer(path)?, &mut merged);
    }
    apply(environment_layer(environment), &mut merged);
    apply(flag_layer(flags), &mut merged);
    Ok((merged, problems))
}

fn file_layer(path: &Path) -> Result<Merged, ConfigError> {
    let failed = |cause: String| ConfigError::File { path: path.to_owned(), cause };
    let text = std::fs::read_to_string(path)
        .map_err(|error| failed(format!("{error}; name an existing TOML file with --config")))?;
    let table = File::from_str(&text, FileFormat::Toml)
        .collect()
        .map_err(|error| failed(without_source(&error.to_string())))?;
    Ok(flatten(table, &format!("file {}", path.display())))
}

/// A parser's words less the line that it quotes, which may hold a secret: where it is, and what is wrong with it.
fn without_source(words: &str) -> String {
    let quotes = |line: &&str| {
        line.split_once('|')
            .is_some_and(|(number, _)| number.trim().parse::<u32>().is_ok() || number.trim().is_empty())
    };
    let said: Vec<&str> =
        words.lines().map(str::trim_end).filter(|line| !line.is_empty() && !quotes(line)).collect();
    said.join(": ")
}

fn environment_layer(environment: impl IntoIterator<Item = (String, String)>) -> Merged {
    let mut layer = Merged::new();
    for (name, value) in environment {
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let key = rest.to_lowercase().replace("__", ".");
        // librdkafka's names have dots, which a variable's name cannot have.
        let key = match key.strip_prefix(PROPERTIES) {
            Some(property) => format!("{PROPERTIES}{}", property.replace('_', ".")),
            None => key,
        };
        let origin = format!("environment variable {name}");
        layer.insert(key, Sourced { value: Value::new(None, value), origin });
    }
    layer
}

fn flag_layer(flags: &[Override]) -> Merged {
    let sourced = |flag: &Override| Sourced {
        value: Value::new(None, flag.value.clone()),
        origin: format!("flag {}", flag.flag),
    };
    flags.iter().map(|flag| (flag.key.to_owned(), sourced(flag))).collect()
}

/// Leaves of a nested table by dotted key.
fn flatten(table: config::Map<String, Value>, origin: &str) -> Merged {
    let mut merged = Merged::new();
    let mut pending: Vec<(String, Value)> = table.into_iter().collect();
    while let Some((key, value)) = pending.pop() {
        match value.kind {
            ValueKind::Table(inner) => {
                pending.extend(inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            kind => {
                let value = Value::new(None, kind);
                merged.insert(key, Sourced { value, origin: origin.to_owned() });
            }
        }
    }
    merged
}

/// Why `key` is refused, if it is.
fn unknown(key: &str, known: &BTreeSet<String>) -> Option<String> {
    if known.contains(key) || key.strip_prefix(PROPERTIES).is_some_and(|property| !property.is_empty()) {
        return None;
    }
    let section = format!("{key}.");
    if known.iter().any(|name| name.starts_with(&section)) || key == "kafka.properties" {
        return Some("is a section, not a setting".to_owned());
    }
    let nearest = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(key, name), name));
    let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.5);
    Some(match nearest {
        Some((_, name)) => format!("there is no such setting; did you mean {name}?"),
        None => "there is no such setting; `beatlytica config show` lists those there are".to_owned(),
    })
}
