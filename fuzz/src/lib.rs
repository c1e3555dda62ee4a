//! What the fuzz targets compare the program with: plain second readings of the same input.

pub mod decimal;
pub mod json;
pub mod oracle;
pub mod query;
pub mod records;
#[path = "../../src/schemas/decode/tests/rows.rs"]
pub mod rows;

use beatlytica::schemas;

/// Bytes taken from the front of an input, for what a target has to choose.
#[derive(Debug, Clone, Copy)]
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// The next `len` bytes, or what is left.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
