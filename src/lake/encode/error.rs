//! Why encoding or reading back failed.

use thiserror::Error;

/// Why a Parquet object could not be made or read.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// A batch does not have the columns of its event type, or is not as long as it says.
    #[error("column {column} of the batch does not fit its schema")]
    Batch {
        /// Column name.
        column: &'static str,
    },
    /// A text key that its dictionary never gave out.
    #[error("column {column} holds key {key}, which its dictionary does not know")]
    Key {
        /// Column name.
        column: &'static str,
        /// The key.
        key: u32,
    },
    /// More bytes or rows than the format can count in one page.
    #[error("column {column} has {size} bytes or values in one page, more than Parquet can count")]
    TooLarge {
        /// Column name.
        column: &'static str,
        /// Size that was asked for.
        size: usize,
    },
    /// Writing the format's own structures, or compression, failed.
    #[error("cannot write Parquet: {0}")]
    Write(String),
    /// The object is not a Parquet file that this engine wrote, or it is damaged.
    #[error("cannot read Parquet: {0}")]
    Read(String),
}

impl EncodeError {
    pub(super) fn write(cause: impl std::fmt::Display) -> Self {
        EncodeError::Write(cause.to_string())
    }

    pub(super) fn read(cause: impl std::fmt::Display) -> Self {
        EncodeError::Read(cause.to_string())
    }
}
