//! A record as serde_json reads it, with the decoder's answers (`src/schemas/decode/mod.rs`) spelt out once more.

use beatlytica::schemas::{EventBatch, EventKind, Field, FieldType};

use crate::decimal::{Integer, integer};
use crate::json::{compact, members};
use crate::rows::Cell;

/// What is to be expected of a record.
#[derive(Debug, PartialEq, Eq)]
pub enum Expected {
    /// A row (without repair), and the text of `extra`.
    Row(Vec<Cell>, Option<String>),
    /// A rejected record.
    Rejected,
    /// Nested deeper than serde_json goes.
    Unknown,
}

/// What `json` becomes as a record of `kind`.
pub fn expected(kind: EventKind, json: &[u8]) -> Expected {
    match serde_json::from_slice::<serde_json::Value>(json) {
        Ok(serde_json::Value::Object(_)) => {}
        Err(error) if error.to_string().starts_with("recursion limit") => return Expected::Unknown,
        _ => return Expected::Rejected,
    }
    // Valid JSON is UTF-8.
    let text = std::str::from_utf8(json).unwrap();
    let members = members(text).unwrap();
    let named = |name: &str| serde_json::from_str::<String>(name).unwrap();
    let mut row = Vec::new();
    for field in kind.fields() {
        let value = members.iter().rev().find(|member| Some(named(member.0).as_str()) == field.json);
        match expected_cell(field, value.map_or("null", |member| member.1)) {
            Some(cell) => row.push(cell),
            None => return Expected::Rejected,
        }
    }
    if kind.index_of("ts").is_none_or(|ts| row[ts] == Cell::Null) {
        return Expected::Rejected;
    }
    let is_known = |name: &str| kind.fields().iter().any(|field| field.json == Some(name));
    let extra: Vec<String> = members
        .iter()
        .filter(|(name, _)| !is_known(&named(name)))
        .map(|(name, value)| format!("{name}:{}", compact(value)))
        .collect();
    Expected::Row(row, (!extra.is_empty()).then(|| format!("{{{}}}", extra.join(","))))
}

/// None: rejected.
fn expected_cell(field: &Field, value: &str) -> Option<Cell> {
    let within = |ms: i64| {
        let least = if field.column == "ts" { 0 } else { -62_135_596_800_000 };
        field.kind != FieldType::TimestampMs || (least..=253_402_300_799_999).contains(&ms)
    };
    let first = value.chars().next()?;
    let is_number = first == '-' || first.is_ascii_digit();
    match field.kind {
        _ if value == "null" => Some(Cell::Null),
        FieldType::Text if first == '"' => Some(Cell::Text(serde_json::from_str(value).ok()?)),
        FieldType::Text if is_number || first.is_ascii_alphabetic() => Some(Cell::Text(value.to_owned())),
        FieldType::Int64 if first == '"' => {
            let text: String = serde_json::from_str(value).ok()?;
            match text.parse::<i64>() {
                _ if text.is_empty() => Some(Cell::Null),
                Ok(value) if value.to_string() == text => Some(Cell::Int(value)),
                _ => None,
            }
        }
        FieldType::Int64 | FieldType::TimestampMs if is_number => match integer(value) {
            Integer::Is(value) if within(value) => Some(Cell::Int(value)),
            _ => None,
        },
        // The standard library rounds correctly, serde_json need not.
        FieldType::Float64 if is_number => value
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
            .map(Cell::from),
        FieldType::Bool if value == "true" || value == "false" => Some(Cell::Bool(value == "true")),
        _ => None,
    }
}

/// The text of `extra` of a row.
pub fn extra(batch: &EventBatch, row: usize) -> Option<&str> {
    batch.extra.values.iter().find(|(at, _)| *at as usize == row).map(|(_, text)| text.as_str())
}
