//! Values to pages: definition levels, dictionary indices, plain values, and the choice between them.
//!
//! Only PLAIN and RLE_DICTIONARY are used, in version 1 pages: what every reader understands.

use parquet2::encoding::hybrid_rle::{bitpacked_encode, encode_bool};
use parquet2::encoding::uleb128;

use super::error::EncodeError;
use super::file::{ChunkStats, FileBuilder};
use super::hybrid::append_packed;
use super::numbers::NumberDictionary;

/// Plain text is cut into pages of about this many bytes (dictionary and fixed-width pages are bounded by the row
/// group's rows).
const PLAIN_PAGE_BYTES: usize = 1 << 20;

/// A larger dictionary is not worth its page: such text does not repeat.
const MAX_DICTIONARY_BYTES: usize = 16 << 20;

/// Text bounds longer than this are left out of the statistics rather than cut: readers may take them as exact.
const MAX_BOUND_BYTES: usize = 256;

/// Which rows of a row group's column hold a value. Costs nothing until the first null.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// One entry a row; empty while no row is null.
    valid: Vec<bool>,
    rows: usize,
    nulls: usize,
}

impl Levels {
    pub(super) fn clear(&mut self) {
        self.valid.clear();
        (self.rows, self.nulls) = (0, 0);
    }

    #[inline]
    pub(super) fn push(&mut self, valid: bool) {
        if valid {
            self.push_valid(1);
        } else {
            self.push_nulls(1);
        }
    }

    #[inline]
    pub(super) fn push_valid(&mut self, count: usize) {
        self.rows += count;
        if self.nulls > 0 {
            self.valid.resize(self.rows, true);
        }
    }

    #[inline]
    pub(super) fn push_nulls(&mut self, count: usize) {
        self.valid.resize(self.rows, true);
        self.rows += count;
        self.nulls += count;
        self.valid.resize(self.rows, false);
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn nulls(&self) -> usize {
        self.nulls
    }

    /// Appends the levels of rows `[start, end)`, with their length before them.
    fn encode(&self, start: usize, end: usize, page: &mut Vec<u8>) -> Result<(), EncodeError> {
        let rows = end - start;
        let at = page.len();
        page.extend_from_slice(&[0; 4]);
        match self.valid.get(start..end).filter(|_| self.nulls > 0) {
            None => rle_run(rows, 1, page),
            Some(_) if self.nulls == self.rows => rle_run(rows, 0, page),
            Some(valid) => encode_bool(page, valid.iter().copied()).map_err(EncodeError::write)?,
        }
        let length = (page.len() - at - 4) as u32;
        if let Some(prefix) = page.get_mut(at..at + 4) {
            prefix.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    /// How many of the rows `[start, end)` hold a value.
    fn values_in(&self, start: usize, end: usize) -> usize {
        match self.valid.get(start..end) {
            Some(valid) if self.nulls > 0 => valid.iter().filter(|valid| **valid).count(),
            _ => end - start,
        }
    }
}

/// Appends 64-bit values in plain encoding.
fn append_words(words: &[u64], page: &mut Vec<u8>) {
    let start = page.len();
    page.resize(start + words.len() * 8, 0);
    let (to, _) = page.split_at_mut(start).1.as_chunks_mut::<8>();
    to.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
}

/// A run of one-byte values (bit width 1 to 8) in the RLE hybrid.
fn rle_run(count: usize, value: u8, page: &mut Vec<u8>) {
    let mut header = [0; 10];
    let used = uleb128::encode((count as u64) << 1, &mut header);
    page.extend(header.iter().take(used));
    page.push(value);
}

/// Bits that tell `distinct` indices apart; at least 1, since some readers do not take a width of 0.
fn index_bits(distinct: usize) -> u32 {
    (usize::BITS - distinct.saturating_sub(1).leading_zeros()).max(1)
}

/// Distinct byte strings laid out as a dictionary page (`length, bytes`), in order of first use.
#[derive(Debug, Default)]
pub(super) struct ByteValues {
    plain: Vec<u8>,
    /// Where each value's length field begins, and the end of the last value.
    starts: Vec<usize>,
}

impl ByteValues {
    pub(super) fn clear(&mut self) {
        self.plain.clear();
        self.starts.clear();
    }

    pub(super) fn push(&mut self, value: &[u8]) -> u32 {
        self.starts.push(self.plain.len());
        self.plain.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.plain.extend_from_slice(value);
        (self.starts.len() - 1) as u32
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The value with its length field before it.
    fn prefixed(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let Some(&start) = self.starts.get(index) else { return &[] };
        let end = self.starts.get(index + 1).copied().unwrap_or(self.plain.len());
        self.plain.get(start..end).unwrap_or(&[])
    }

    pub(super) fn get(&self, index: u32) -> &[u8] {
        self.prefixed(index).get(4..).unwrap_or(&[])
    }

    fn stats(&self, nulls: usize) -> ChunkStats {
        let values = || (0..self.len() as u32).map(|index| self.get(index));
        let short = |value: &&[u8]| value.len() <= MAX_BOUND_BYTES;
        let bounds = values().min().filter(short).zip(values().max().filter(short));
        let (min, max) = bounds.map(|(min, max)| (min.to_vec(), max.to_vec())).unzip();
        ChunkStats { nulls, min, max }
    }
}

/// Buffers for one column of one row group, reused from column to column.
#[derive(Debug, Default)]
pub(super) struct ColumnBuffers {
    pub levels: Levels,
    /// Indices into `texts`, of the rows that hold a value.
    pub indices: Vec<u32>,
    pub texts: ByteValues,
    /// Values of a fixed-width column, as raw 64-bit patterns, of the rows that hold a value.
    pub words: Vec<u64>,
    pub bools: Vec<bool>,
    numbers: NumberDictionary,
    /// A fixed-width column's dictionary page.
    dictionary: Vec<u8>,
    page: Vec<u8>,
}

impl ColumnBuffers {
    pub(super) fn clear(&mut self) {
        self.levels.clear();
        self.indices.clear();
        self.texts.clear();
        self.words.clear();
        self.bools.clear();
    }

    /// Writes the text or binary column gathered in `levels`, `indices` and `texts`.
    pub(super) fn write_texts(&mut self, file: &mut FileBuilder<'_>) -> Result<(), EncodeError> {
        let stats = self.texts.stats(self.levels.nulls());
        if self.texts_repeat() {
            let distinct = self.texts.len();
            self.index_page(distinct)?;
            file.dictionary_pages(&self.texts.plain, distinct, &self.page, self.levels.rows())?;
        } else {
            self.write_plain_texts(file)?;
        }
        file.end_chunk(stats);
        Ok(())
    }

    /// Whether a dictionary is smaller than writing every value.
    fn texts_repeat(&self) -> bool {
        let dictionary = self.texts.plain.len();
        if dictionary == 0 || dictionary > MAX_DICTIONARY_BYTES {
            return false;
        }
        if self.texts.len() * 2 <= self.indices.len() {
            return true;
        }
        let indices = self.indices.len() * index_bits(self.texts.len()) as usize / 8;
        let plain: usize = self.indices.iter().map(|&index| self.texts.prefixed(index).len()).sum();
        dictionary + indices < plain
    }

    fn write_plain_texts(&mut self, file: &mut FileBuilder<'_>) -> Result<(), EncodeError> {
        let rows = self.levels.rows();
        let mut indices = self.indices.iter();
        let mut start = 0;
        while start < rows {
            let end = self.plain_page_end(start, rows, indices.as_slice());
            self.page.clear();
            self.levels.encode(start, end, &mut self.page)?;
            for &index in indices.by_ref().take(self.levels.values_in(start, end)) {
                self.page.extend_from_slice(self.texts.prefixed(index));
            }
            file.plain_page(&self.page, end - start)?;
            start = end;
        }
        Ok(())
    }

    /// Where the page that begins at row `start` ends: at its size limit, but after one row at least.
    fn plain_page_end(&self, start: usize, rows: usize, indices: &[u32]) -> usize {
        if indices.is_empty() {
            return rows;
        }
        let mut values = indices.iter();
        let mut bytes = 0;
        for row in start..rows {
            if self.levels.nulls() == 0 || self.levels.valid.get(row) == Some(&true) {
                bytes += values.next().map_or(0, |&index| self.texts.prefixed(index).len());
            }
            if bytes >= PLAIN_PAGE_BYTES {
                return row + 1;
            }
        }
        rows
    }

    /// Writes the 64-bit column gathered in `levels` and `words`; `stats` is what the caller knows of its order.
    pub(super) fn write_words(
        &mut self,
        file: &mut FileBuilder<'_>,
        stats: ChunkStats,
    ) -> Result<(), EncodeError> {
        let rows = self.levels.rows();
        if self.numbers.build(&self.words, &mut self.indices) {
            let distinct = self.numbers.values().len();
            self.index_page(distinct)?;
            self.dictionary.clear();
            append_words(self.numbers.values(), &mut self.dictionary);
            file.dictionary_pages(&self.dictionary, distinct, &self.page, rows)?;
        } else {
            self.page.clear();
            self.levels.encode(0, rows, &mut self.page)?;
            append_words(&self.words, &mut self.page);
            file.plain_page(&self.page, rows)?;
        }
        file.end_chunk(stats);
        Ok(())
    }

    /// Writes a 32-bit column that has the same value in every row.
    pub(super) fn write_constant_i32(
        &mut self,
        file: &mut FileBuilder<'_>,
        value: i32,
        rows: usize,
    ) -> Result<(), EncodeError> {
        let bytes = value.to_le_bytes();
        self.levels.push_valid(rows);
        self.page.clear();
        self.levels.encode(0, rows, &mut self.page)?;
        self.page.push(1);
        rle_run(rows, 0, &mut self.page);
        file.dictionary_pages(&bytes, 1, &self.page, rows)?;
        file.end_chunk(ChunkStats { nulls: 0, min: Some(bytes.to_vec()), max: Some(bytes.to_vec()) });
        Ok(())
    }

    /// Writes the boolean column gathered in `levels` and `bools`.
    pub(super) fn write_bools(&mut self, file: &mut FileBuilder<'_>) -> Result<(), EncodeError> {
        let rows = self.levels.rows();
        self.page.clear();
        self.levels.encode(0, rows, &mut self.page)?;
        bitpacked_encode(&mut self.page, self.bools.iter().copied()).map_err(EncodeError::write)?;
        file.plain_page(&self.page, rows)?;
        let bound = |value: Option<bool>| value.map(|value| vec![u8::from(value)]);
        let (min, max) = (self.bools.iter().min().copied(), self.bools.iter().max().copied());
        file.end_chunk(ChunkStats { nulls: self.levels.nulls(), min: bound(min), max: bound(max) });
        Ok(())
    }

    /// Makes the data page of a dictionary-encoded column: levels, then indices into `distinct` values.
    fn index_page(&mut self, distinct: usize) -> Result<(), EncodeError> {
        let bits = index_bits(distinct);
        self.page.clear();
        self.levels.encode(0, self.levels.rows(), &mut self.page)?;
        self.page.push(bits as u8);
        if distinct == 1 {
            rle_run(self.indices.len(), 0, &mut self.page);
        } else {
            append_packed(&mut self.indices, bits, &mut self.page);
        }
        Ok(())
    }
}
