//! The same records read by serde_json, with the module's answers spelt out once more, plainly.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::*;
use crate::schemas::field::{Field, FieldType};

/// What is to be expected of a record.
#[derive(Debug)]
pub(super) enum Expected {
    /// A row (without repair) and the members of `extra`.
    Row(Vec<Cell>, Vec<(String, Value)>),
    Rejected,
    /// A number of which serde_json keeps too little to tell.
    Unknown,
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, to: &mut std::fmt::Formatter) -> std::fmt::Result {
        to.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

/// The members of a JSON object, repeated ones too.
pub(super) fn members(json: &[u8]) -> serde_json::Result<Vec<(String, Value)>> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let members = deserializer.deserialize_map(Object)?;
    deserializer.end()?;
    Ok(members)
}

pub(super) fn expected(kind: EventKind, json: &[u8]) -> Expected {
    let Ok(members) = members(json) else { return Expected::Rejected };
    let mut row = Vec::new();
    for field in kind.fields() {
        let value = members.iter().rev().find(|member| Some(member.0.as_str()) == field.json);
        match expected_cell(field, value.map_or(&Value::Null, |member| &member.1)) {
            Ok(Some(cell)) => row.push(cell),
            Ok(None) => return Expected::Unknown,
            Err(()) => return Expected::Rejected,
        }
    }
    if row[kind.index_of("ts").unwrap()] == Cell::Null {
        return Expected::Rejected;
    }
    let is_unknown = |name: &str| !kind.fields().iter().any(|field| field.json == Some(name));
    Expected::Row(row, members.into_iter().filter(|member| is_unknown(&member.0)).collect())
}

/// Error: rejected. None: cannot be told.
fn expected_cell(field: &Field, value: &Value) -> Result<Option<Cell>, ()> {
    let in_bounds = |ms: i64| {
        let least = if field.column == "ts" { 0 } else { -62_135_596_800_000 };
        field.kind != FieldType::TimestampMs || (least..=253_402_300_799_999).contains(&ms)
    };
    Ok(Some(match (field.kind, value) {
        (_, Value::Null) => Cell::Null,
        (FieldType::Text, Value::String(text)) => Cell::Text(text.clone()),
        (FieldType::Text, Value::Bool(value)) => Cell::Text(value.to_string()),
        (FieldType::Text, Value::Number(number)) if number.is_f64() => return Ok(None),
        (FieldType::Text, Value::Number(number)) => Cell::Text(number.to_string()),
        (FieldType::Int64, Value::String(text)) if text.is_empty() => Cell::Null,
        (FieldType::Int64, Value::String(text)) => match text.parse::<i64>() {
            Ok(value) if value.to_string() == *text => Cell::Int(value),
            _ => return Err(()),
        },
        (FieldType::Int64 | FieldType::TimestampMs, Value::Number(number)) => {
            match (number.as_i64(), number.as_f64()) {
                (Some(value), _) if in_bounds(value) => Cell::Int(value),
                (Some(_), _) => return Err(()),
                // Of a greater float the fraction may be lost.
                (None, Some(value)) if number.is_u64() || value.abs() > 1e9 || value.abs() < 1e-300 => {
                    return Ok(None);
                }
                (None, Some(value)) if value.fract() == 0.0 && in_bounds(value as i64) => {
                    Cell::Int(value as i64)
                }
                (None, _) => return Err(()),
            }
        }
        (FieldType::Float64, Value::Number(number)) => number.as_f64().ok_or(())?.into(),
        (FieldType::Bool, Value::Bool(value)) => Cell::Bool(*value),
        _ => return Err(()),
    }))
}

/// serde_json's floats may be off by the last bit.
pub(super) fn is_near(left: &Cell, right: &Cell) -> bool {
    match (left, right) {
        (Cell::Float(left), Cell::Float(right)) => {
            let (left, right) = (f64::from_bits(*left), f64::from_bits(*right));
            (left - right).abs() <= left.abs() * 4e-16
        }
        _ => left == right,
    }
}
