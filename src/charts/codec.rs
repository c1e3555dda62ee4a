//! Bytes of a snapshot's body: LEB128 numbers, text with its length, sorted lists as differences.

/// Appends to a body.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what was written, keeping the room.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Zigzag, so that small negative numbers stay short.
    pub(super) fn signed(&mut self, value: i64) {
        self.unsigned((value << 1 ^ value >> 63) as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.unsigned(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A list in ascending order.
    pub(super) fn ascending(&mut self, items: &[u64]) {
        self.unsigned(items.len() as u64);
        let mut before = 0;
        for &item in items {
            self.unsigned(item.wrapping_sub(before));
            before = item;
        }
    }
}

/// Reads a body; every method answers none at its end or where it is not what was written.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn narrow(&mut self) -> Option<u32> {
        u32::try_from(self.unsigned()?).ok()
    }

    /// A count of items that take at least one byte each, so that a wrong one cannot make a reader reserve room.
    pub(super) fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.unsigned()?).ok()?;
        (count <= self.bytes.len()).then_some(count)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let len = self.count()?;
        let (text, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        std::str::from_utf8(text).ok()
    }

    pub(super) fn ascending(&mut self) -> Option<Vec<u64>> {
        let count = self.count()?;
        let mut items = Vec::with_capacity(count);
        let mut before = 0_u64;
        for _ in 0..count {
            before = before.wrapping_add(self.unsigned()?);
            items.push(before);
        }
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            numbers in prop::collection::vec(any::<i64>(), 0..20),
            mut list in prop::collection::vec(any::<u64>(), 0..20),
            text in ".*",
        ) {
            list.sort_unstable();
            let mut writer = Writer::default();
            numbers.iter().for_each(|&number| writer.signed(number));
            writer.ascending(&list);
            writer.text(&text);
            let bytes = writer.bytes();
            let mut reader = Reader::new(bytes);
            for number in numbers {
                prop_assert_eq!(reader.signed(), Some(number));
            }
            prop_assert_eq!(reader.ascending(), Some(list));
            prop_assert_eq!(reader.text(), Some(text.as_str()));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Reader::new(&bytes).signed();
            let _ = Reader::new(&bytes).text();
            let _ = Reader::new(&bytes).ascending();
        }
    }
}
