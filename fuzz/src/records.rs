//! Kafka records out of an input.

use crate::Choices;

/// One record, or a place where the batch is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Offsets without a record before it.
    pub hole: i64,
    /// Kafka timestamp, ms; -1 for none.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; none for a tombstone.
    pub value: Option<&'a [u8]>,
    /// Whether a batch ends behind it.
    pub cut: bool,
}

/// Records one after the other: a byte of flags, a byte for timestamp and hole, two bytes of length, the value.
pub fn records(mut input: Choices<'_>) -> Vec<Record<'_>> {
    let mut records = Vec::new();
    while !input.0.is_empty() && records.len() < 64 {
        let (flags, second) = (input.byte(), input.byte());
        let len = usize::from(u16::from_le_bytes([input.byte(), input.byte()]));
        let key = (flags & 1 != 0).then(|| input.bytes(usize::from(flags >> 4)));
        let value = (flags & 2 == 0).then(|| input.bytes(len));
        let timestamp = match second & 15 {
            0 => -1,
            hours => 1_714_953_600_000 + i64::from(hours) * 1_700_000,
        };
        let hole = if second >> 4 > 12 { i64::from(second >> 4) - 12 } else { 0 };
        records.push(Record { hole, timestamp, key, value, cut: flags & 4 != 0 });
    }
    records
}
