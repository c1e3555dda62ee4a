//! Why a record does not decode.

use thiserror::Error;

/// Every label that [`crate::schemas::Rejected::reason`] can have, for counters that start at zero.
pub const REASONS: [&str; 9] =
    ["tombstone", "empty", "utf8", "json", "not_object", "missing_ts", "ts_range", "type", "range"];

/// Why a record does not decode; its text is the detail, which names the field.
#[derive(Debug, Error)]
pub(super) enum Rejection {
    #[error("the record has no value (a tombstone)")]
    Tombstone,
    #[error("the value is empty")]
    Empty,
    #[error("the value is not UTF-8 after byte {0}")]
    Utf8(usize),
    #[error("the value is not JSON: {0}")]
    Json(String),
    #[error("the value is not a JSON object")]
    NotObject,
    #[error("field `ts` is absent or null")]
    MissingTs,
    #[error("field `ts` is {0} ms, outside the years 1970 to 9999")]
    TsRange(i64),
    #[error("field `{field}` is {found}, expected {expected}")]
    Type { field: &'static str, expected: &'static str, found: &'static str },
    #[error("field `{field}` is outside the range of {expected}")]
    Range { field: &'static str, expected: &'static str },
}

impl Rejection {
    /// Short label, one of [`REASONS`].
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Rejection::Tombstone => "tombstone",
            Rejection::Empty => "empty",
            Rejection::Utf8(_) => "utf8",
            Rejection::Json(_) => "json",
            Rejection::NotObject => "not_object",
            Rejection::MissingTs => "missing_ts",
            Rejection::TsRange(_) => "ts_range",
            Rejection::Type { .. } => "type",
            Rejection::Range { .. } => "range",
        }
    }
}
