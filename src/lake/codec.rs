//! What the ledger protocol asks of the objects' encoding.

use bytes::Bytes;
use thiserror::Error;

use super::ledger::{Decision, ReceiptObject};

/// An object that cannot be encoded or read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}: {cause}")]
pub struct CodecError {
    /// Object name.
    pub name: String,
    /// What is wrong, in words.
    pub cause: String,
}

/// An encoded object that is not in the store yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// Full name.
    pub name: String,
    /// Content.
    pub body: Bytes,
    /// Rows.
    pub rows: u64,
    /// CRC-32C of the content.
    pub crc32c: u32,
}

impl NewObject {
    /// What a receipt says of it.
    pub fn receipt(&self) -> ReceiptObject {
        ReceiptObject {
            name: self.name.clone(),
            rows: self.rows,
            bytes: self.body.len() as u64,
            crc32c: self.crc32c,
        }
    }
}

/// An object of a decision as it stands in the store.
#[derive(Debug, Clone)]
pub struct StandingObject {
    /// Full name.
    pub name: String,
    /// Content.
    pub body: Bytes,
}

/// Encodes and reads the objects of a decision. Pure: equal input gives equal bytes.
pub trait ObjectCodec: Send + Sync {
    /// Rows of an object read back.
    ///
    /// # Errors
    /// Content that is not what the name says.
    fn rows(&self, name: &str, body: &[u8]) -> Result<u64, CodecError>;

    /// The object called `name` without any row.
    ///
    /// # Errors
    /// A name that is not one of the decision's.
    fn empty(&self, decision: &Decision, name: &str) -> Result<NewObject, CodecError>;

    /// The decision's count objects, one for each decided name (empty where nothing counts), made of its record
    /// objects as they stand.
    ///
    /// # Errors
    /// Content that cannot be read.
    fn counts(&self, decision: &Decision, standing: &[StandingObject]) -> Result<Vec<NewObject>, CodecError>;
}
