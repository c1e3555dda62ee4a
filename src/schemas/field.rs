//! Field descriptions: what an event type's JSON members are called, and what column each becomes.

use serde::{Deserialize, Serialize};

/// The four event types, each with its own lake table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A song was played.
    #[serde(rename = "listen_events")]
    Listen,
    /// A page was viewed.
    #[serde(rename = "page_view_events")]
    PageView,
    /// A sign-in was tried.
    #[serde(rename = "auth_events")]
    Auth,
    /// A change of plan was submitted.
    #[serde(rename = "status_change_events")]
    StatusChange,
}

impl EventKind {
    /// Every kind, in a fixed order.
    pub const ALL: [EventKind; 4] =
        [EventKind::Listen, EventKind::PageView, EventKind::Auth, EventKind::StatusChange];

    /// The lake table (and default topic) of this kind.
    pub fn table(self) -> &'static str {
        match self {
            EventKind::Listen => "listen_events",
            EventKind::PageView => "page_view_events",
            EventKind::Auth => "auth_events",
            EventKind::StatusChange => "status_change_events",
        }
    }

    /// The event's fields in column order (kafka columns and `extra` are not among them).
    pub fn fields(self) -> &'static [Field] {
        match self {
            EventKind::Listen => super::listen::FIELDS,
            EventKind::PageView => super::page_view::FIELDS,
            EventKind::Auth => super::auth::FIELDS,
            EventKind::StatusChange => super::status_change::FIELDS,
        }
    }

    /// Index into [`EventKind::fields`] of the column called `column`.
    pub fn index_of(self, column: &str) -> Option<usize> {
        self.fields().iter().position(|field| field.column == column)
    }
}

/// The physical and logical type of a field's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// Dictionary-encoded UTF-8 text.
    Text,
    /// 64-bit signed integer.
    Int64,
    /// 64-bit float.
    Float64,
    /// true or false.
    Bool,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    TimestampMs,
}

/// How text that Eventsim mangled is repaired (when the setting asks for it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Stored as it arrives.
    None,
    /// Latin-1 read as UTF-8, escapes and wrapping quotes (song, artist).
    Decode,
    /// One pair of wrapping quotes is dropped (`user_agent`).
    Unquote,
}

/// One field of an event.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// JSON member name; `None` for a column derived from another (`song_raw`, `artist_raw`).
    pub json: Option<&'static str>,
    /// Column name in the lake.
    pub column: &'static str,
    /// Column type.
    pub kind: FieldType,
    /// Repair that applies to the field's text.
    pub repair: Repair,
    /// What it means, with its unit.
    pub doc: &'static str,
}
