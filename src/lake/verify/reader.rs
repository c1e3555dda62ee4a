//! What `verify` asks of the objects' encoding.

use crate::lake::codec::CodecError;
use crate::schemas::EventKind;
use crate::schemas::batch::OwnedActivity;

/// One row of `song_counts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SongCountRow {
    /// Start of the one-minute pane, ms since 1970 UTC.
    pub pane_start_ms: i64,
    /// Artist.
    pub artist: Option<String>,
    /// Song.
    pub song: Option<String>,
    /// `free` or `paid`.
    pub level: Option<String>,
    /// Plays.
    pub plays: i64,
}

/// One row of `user_activity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserActivityRow {
    /// Start of the one-minute pane, ms since 1970 UTC.
    pub pane_start_ms: i64,
    /// Who.
    pub user_id: i64,
    /// `free` or `paid`.
    pub level: Option<String>,
    /// Gender.
    pub gender: Option<String>,
    /// US state.
    pub state: Option<String>,
}

/// Reads the lake's objects back. `name` is for messages.
pub trait LakeReader: Send + Sync {
    /// Rows of any object.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError>;

    /// Kafka offsets of a data or rejected object, as stored.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn offsets(&self, name: &str, body: &[u8]) -> Result<Vec<i64>, CodecError>;

    /// The columns that counts are made of.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn activity(&self, table: EventKind, name: &str, body: &[u8]) -> Result<OwnedActivity, CodecError>;

    /// All rows of a `song_counts` object.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn song_counts(&self, name: &str, body: &[u8]) -> Result<Vec<SongCountRow>, CodecError>;

    /// All rows of a `user_activity` object.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn user_activity(&self, name: &str, body: &[u8]) -> Result<Vec<UserActivityRow>, CodecError>;
}
