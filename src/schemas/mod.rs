//! The four event types: JSON decoding, columns, field documentation.
//!
//! One event type a file; [`batch`] is the columnar form that every part of the engine shares.

pub mod batch;
pub mod column;
pub mod decode;
pub mod dictionary;
pub mod field;
pub mod tuples;

pub mod auth;
pub mod listen;
pub mod page_view;
pub mod status_change;

pub use batch::{EventBatch, Rejected, Source};
pub use column::{BoolColumn, Column, Float64Column, Int64Column, PlainTextColumn, TextColumn, Validity};
pub use decode::{Decoder, RawRecord, Vocabularies, record_hash};
pub use dictionary::Dictionary;
pub use field::{EventKind, Field, FieldType};
