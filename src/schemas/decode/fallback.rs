//! The validating path: simd-json finds structure, types and strings; numbers are read from the record's own digits.

use simd_json::{Buffers, Node, StaticNode, Tape};

use super::Interners;
use super::build::Row;
use super::members::{Members, push_compact};
use super::number::{self, NumberError};
use super::plan::{MAX_FIELDS, Plan};
use super::reject::Rejection;
use crate::schemas::field::{Field, FieldType};

/// Whether event time lies in the years 1970 to 9999.
#[inline(always)]
pub(super) fn is_ts(ms: i64) -> bool {
    (0..=253_402_300_799_999).contains(&ms)
}

/// Whether a timestamp lies in the years 1 to 9999, which is what BigQuery's holds.
#[inline(always)]
pub(super) fn is_registration(ms: i64) -> bool {
    (-62_135_596_800_000..=253_402_300_799_999).contains(&ms)
}

/// A member's value.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Null,
    Bool(bool),
    /// As it is written.
    Number(&'a [u8]),
    /// Unescaped.
    Text(&'a str),
    Object,
    Array,
}

impl Value<'_> {
    fn name(self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::Text(_) => "a string",
            Value::Object => "an object",
            Value::Array => "an array",
        }
    }
}

/// Scratch of the validating path, kept from record to record.
pub(super) struct Fallback {
    /// simd-json writes into what it parses.
    copy: Vec<u8>,
    buffers: Buffers,
    tape: Tape<'static>,
}

impl Default for Fallback {
    fn default() -> Self {
        Self { copy: Vec::new(), buffers: Buffers::default(), tape: Tape(Vec::new()) }
    }
}

impl Fallback {
    /// Fills `row` (which must be clear) from the record `json`; returns the text of `extra`.
    #[cold]
    #[inline(never)]
    pub(super) fn decode(
        &mut self,
        plan: &Plan,
        interners: &mut Interners,
        row: &mut Row,
        json: &[u8],
    ) -> Result<Option<String>, Rejection> {
        simdutf8::compat::from_utf8(json).map_err(|error| Rejection::Utf8(error.valid_up_to()))?;
        if json.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            return Err(Rejection::Empty);
        }
        self.copy.clear();
        self.copy.extend_from_slice(json);
        let mut tape = std::mem::replace(&mut self.tape, Tape(Vec::new())).reset();
        let decoded = simd_json::fill_tape(&mut self.copy, &mut self.buffers, &mut tape)
            .map_err(|error| Rejection::Json(error.to_string()))
            .and_then(|()| decode_tape(&tape.0, plan, interners, row, json));
        self.tape = tape.reset();
        decoded
    }
}

fn decode_tape(
    tape: &[Node<'_>],
    plan: &Plan,
    interners: &mut Interners,
    row: &mut Row,
    json: &[u8],
) -> Result<Option<String>, Rejection> {
    let Some((Node::Object { len, .. }, nodes)) = tape.split_first() else {
        return Err(Rejection::NotObject);
    };
    let mut values = [Value::Null; MAX_FIELDS];
    let mut extra = Vec::new();
    let found = collect(nodes, plan, json, &mut values, &mut extra);
    if found != Some(*len) {
        // The two walks over the same valid object cannot differ; if they do, no row may come of it.
        return Err(Rejection::Json("its members cannot be told apart".to_owned()));
    }
    for (index, (field, value)) in plan.fields.iter().zip(values).enumerate() {
        assign(plan, interners, row, index, field, value)?;
    }
    match row.integer(plan.ts) {
        None => Err(Rejection::MissingTs),
        Some(ts) if !is_ts(ts) => Err(Rejection::TsRange(ts)),
        Some(_) => finish_extra(extra),
    }
}

/// Walks tape and text side by side: known members to `values`, the others to `extra`. Returns how many there were.
fn collect<'a>(
    mut nodes: &[Node<'a>],
    plan: &Plan,
    json: &'a [u8],
    values: &mut [Value<'a>; MAX_FIELDS],
    extra: &mut Vec<u8>,
) -> Option<usize> {
    let mut guess = 0;
    let mut found = 0;
    for (name_text, value_text) in Members::new(json) {
        let [Node::String(name), rest @ ..] = nodes else { return None };
        let (value, nested) = match *rest.first()? {
            Node::Static(StaticNode::Null) => (Value::Null, 0),
            Node::Static(StaticNode::Bool(value)) => (Value::Bool(value), 0),
            Node::Static(_) => (Value::Number(value_text), 0),
            Node::String(text) => (Value::Text(text), 0),
            Node::Object { count, .. } => (Value::Object, count),
            Node::Array { count, .. } => (Value::Array, count),
        };
        nodes = rest.get(1 + nested..)?;
        found += 1;
        match plan.field_called(name, guess) {
            Some(index) => {
                *values.get_mut(index)? = value;
                guess = index + 1;
            }
            None => {
                extra.push(if extra.is_empty() { b'{' } else { b',' });
                extra.extend_from_slice(name_text);
                extra.push(b':');
                push_compact(extra, value_text);
            }
        }
    }
    nodes.is_empty().then_some(found)
}

fn finish_extra(mut extra: Vec<u8>) -> Result<Option<String>, Rejection> {
    if extra.is_empty() {
        return Ok(None);
    }
    extra.push(b'}');
    String::from_utf8(extra).map(Some).map_err(|error| Rejection::Utf8(error.utf8_error().valid_up_to()))
}

fn assign(
    plan: &Plan,
    interners: &mut Interners,
    row: &mut Row,
    index: usize,
    field: &Field,
    value: Value<'_>,
) -> Result<(), Rejection> {
    let Some(name) = field.json else { return Ok(()) };
    let wrong = |expected| Rejection::Type { field: name, expected, found: value.name() };
    match (field.kind, value) {
        (_, Value::Null) => {}
        (FieldType::Text, Value::Object | Value::Array) => return Err(wrong("text")),
        (FieldType::Text, _) => {
            let text = match value {
                Value::Text(text) => text,
                Value::Bool(true) => "true",
                Value::Bool(false) => "false",
                Value::Number(digits) => std::str::from_utf8(digits).map_err(|_| wrong("text"))?,
                Value::Null | Value::Object | Value::Array => return Err(wrong("text")),
            };
            if let Some(Some(interner)) = interners.get_mut(index) {
                row.set_text(index, plan.raw_of.get(index).copied().flatten(), interner.intern(text));
            }
        }
        (FieldType::Int64, Value::Text("")) => {}
        (FieldType::Int64, Value::Text(text)) => {
            row.set_integer(index, quoted_integer(text, name)?);
        }
        (FieldType::Int64 | FieldType::TimestampMs, Value::Number(digits)) => {
            let value = number::integer(digits).map_err(|error| match error {
                NumberError::Fraction => {
                    Rejection::Type { field: name, expected: "an integer", found: "a number with a fraction" }
                }
                NumberError::Range => Rejection::Range { field: name, expected: "64-bit integers" },
            })?;
            if field.kind == FieldType::TimestampMs && index != plan.ts && !is_registration(value) {
                return Err(Rejection::Range { field: name, expected: "timestamps (the years 1 to 9999)" });
            }
            row.set_integer(index, value);
        }
        (FieldType::Int64, _) => return Err(wrong("an integer")),
        (FieldType::TimestampMs, _) => return Err(wrong("milliseconds since 1970, an integer")),
        (FieldType::Float64, Value::Number(digits)) => {
            let value = number::float(digits)
                .map_err(|_| Rejection::Range { field: name, expected: "64-bit floats" })?;
            row.set_float(index, value);
        }
        (FieldType::Float64, _) => return Err(wrong("a number")),
        (FieldType::Bool, Value::Bool(value)) => row.set_bool(index, value),
        (FieldType::Bool, _) => return Err(wrong("true or false")),
    }
    Ok(())
}

/// An integer that a producer wrote as a string: only as JSON writes integers, so that no text loses anything.
fn quoted_integer(text: &str, field: &'static str) -> Result<i64, Rejection> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_json = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
        && text != "-0";
    if !is_json {
        return Err(Rejection::Type { field, expected: "an integer", found: "a string" });
    }
    text.parse().map_err(|_| Rejection::Range { field, expected: "64-bit integers" })
}
