//! Reading objects back: only the columns that are asked for, page by page.
//!
//! Reads what [`super::Encoder`] writes: optional columns, version 1 pages, plain or dictionary encoding.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use parquet2::encoding::Encoding;
use parquet2::metadata::{ColumnChunkMetaData, FileMetaData};
use parquet2::page::{DataPage, DataPageHeader, Page, split_buffer};
use parquet2::read::{decompress, get_page_iterator, read_metadata};

use super::arena::TextArena;
use super::error::EncodeError;
use super::hybrid::Runs;
use crate::schemas::batch::OwnedActivity;
use crate::schemas::column::NULL_KEY;
use crate::schemas::{Dictionary, EventKind, Int64Column, TextColumn};

/// More rows than a page of this engine ever has: a damaged count must not ask for all memory.
const MAX_PAGE_ROWS: usize = 1 << 22;

/// Number of rows of an object, from its footer.
///
/// # Errors
/// Not a Parquet file.
pub fn row_count(bytes: &[u8]) -> Result<u64, EncodeError> {
    u64::try_from(Object::open(bytes)?.metadata.num_rows).map_err(EncodeError::read)
}

/// The key-value metadata of an object (`beatlytica.topic`, `beatlytica.start_offset`, …).
///
/// # Errors
/// Not a Parquet file.
pub fn read_metadata_pairs(bytes: &[u8]) -> Result<BTreeMap<String, String>, EncodeError> {
    let pairs = Object::open(bytes)?.metadata.key_value_metadata.unwrap_or_default();
    Ok(pairs.into_iter().map(|pair| (pair.key, pair.value.unwrap_or_default())).collect())
}

/// The Kafka offsets of an event or rejected object, as stored: ascending.
///
/// # Errors
/// Not such an object, or damaged.
pub fn read_offsets(bytes: &[u8]) -> Result<Vec<i64>, EncodeError> {
    Object::open(bytes)?.required_i64("kafka_offset")
}

/// The activity columns of an event object of `kind`, rows as stored: in offset order.
///
/// # Errors
/// Not such an object, or damaged.
pub fn read_activity(kind: EventKind, bytes: &[u8]) -> Result<OwnedActivity, EncodeError> {
    let object = Object::open(bytes)?;
    let song = match kind {
        EventKind::Listen => Some((object.text("artist")?, object.text("song")?)),
        _ => None,
    };
    let timestamps = object.int64("kafka_timestamp")?;
    let timestamps = (0..timestamps.values.len()).map(|row| timestamps.get(row).unwrap_or(-1)).collect();
    Ok(OwnedActivity {
        offsets: object.required_i64("kafka_offset")?,
        timestamps,
        ts: object.required_i64("ts")?,
        user_id: object.int64("user_id")?,
        level: object.text("level")?,
        gender: object.text("gender")?,
        state: object.text("state")?,
        song,
    })
}

/// An object whose footer has been read.
struct Object<'a> {
    bytes: &'a [u8],
    metadata: FileMetaData,
}

/// One page's rows: for each whether it holds a value, and where the values are.
struct Rows<'p> {
    valid: Vec<bool>,
    encoding: Encoding,
    values: &'p [u8],
}

impl<'a> Object<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, EncodeError> {
        let metadata = read_metadata(&mut Cursor::new(bytes)).map_err(EncodeError::read)?;
        Ok(Self { bytes, metadata })
    }

    fn required_i64(&self, name: &str) -> Result<Vec<i64>, EncodeError> {
        let column = self.int64(name)?;
        match column.validity.nulls() {
            0 => Ok(column.values),
            nulls => Err(EncodeError::read(format!("{name} has {nulls} nulls"))),
        }
    }

    fn int64(&self, name: &str) -> Result<Int64Column, EncodeError> {
        let mut column = Int64Column::default();
        let mut dictionary: Vec<i64> = Vec::new();
        self.pages(name, |page| {
            match page {
                Page::Dict(page) => dictionary = words(&page.buffer).collect(),
                Page::Data(page) => {
                    let rows = Rows::of(&page)?;
                    let present: Vec<i64> = match rows.encoding {
                        Encoding::Plain => words(rows.values).collect(),
                        _ => rows.indexed(|index| dictionary.get(index as usize).copied())?,
                    };
                    rows.each(&present, |value| column.push(value))?;
                }
            }
            Ok(())
        })?;
        self.check_rows(name, column.values.len())?;
        Ok(column)
    }

    fn text(&self, name: &str) -> Result<TextColumn, EncodeError> {
        let mut interner = Interner::default();
        let mut keys: Vec<u32> = Vec::new();
        let mut dictionary: Vec<u32> = Vec::new();
        self.pages(name, |page| {
            match page {
                Page::Dict(page) => dictionary = interner.plain(&page.buffer)?,
                Page::Data(page) => {
                    let rows = Rows::of(&page)?;
                    let present: Vec<u32> = match rows.encoding {
                        Encoding::Plain => interner.plain(rows.values)?,
                        _ => rows.indexed(|index| dictionary.get(index as usize).copied())?,
                    };
                    rows.each(&present, |key| keys.push(key.unwrap_or(NULL_KEY)))?;
                }
            }
            Ok(())
        })?;
        self.check_rows(name, keys.len())?;
        Ok(TextColumn { keys, dictionary: Arc::new(interner.dictionary) })
    }

    /// Every page of the column `name`, row group by row group.
    fn pages(
        &self,
        name: &str,
        mut each: impl FnMut(Page) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        for group in &self.metadata.row_groups {
            let named = |chunk: &&ColumnChunkMetaData| {
                chunk.descriptor().path_in_schema.first().is_some_and(|path| path == name)
            };
            let chunk = group.columns().iter().find(named);
            let chunk = chunk.ok_or_else(|| EncodeError::read(format!("there is no column {name}")))?;
            self.check_bounds(chunk)?;
            let reader = Cursor::new(self.bytes);
            let pages = get_page_iterator(chunk, reader, None, Vec::new(), self.bytes.len());
            for page in pages.map_err(EncodeError::read)? {
                let page = decompress(page.map_err(EncodeError::read)?, &mut Vec::new());
                each(page.map_err(EncodeError::read)?)?;
            }
        }
        Ok(())
    }

    /// A column that lost rows must not shift the others' rows against each other.
    fn check_rows(&self, name: &str, rows: usize) -> Result<(), EncodeError> {
        match rows == self.metadata.num_rows {
            true => Ok(()),
            false => Err(EncodeError::read(format!("{name} has {rows} of {} rows", self.metadata.num_rows))),
        }
    }

    /// parquet2 panics at offsets that cannot be.
    fn check_bounds(&self, chunk: &ColumnChunkMetaData) -> Result<(), EncodeError> {
        let meta = chunk.metadata();
        let start = meta.dictionary_page_offset.unwrap_or(meta.data_page_offset);
        let end = start.checked_add(meta.total_compressed_size);
        let inside = end.is_some_and(|end| usize::try_from(end).is_ok_and(|end| end <= self.bytes.len()));
        match start >= 0 && meta.data_page_offset >= 0 && meta.total_compressed_size >= 0 && inside {
            true => Ok(()),
            false => Err(EncodeError::read("a column lies outside the file")),
        }
    }
}

impl<'p> Rows<'p> {
    fn of(page: &'p DataPage) -> Result<Self, EncodeError> {
        if !matches!(page.header(), DataPageHeader::V1(_)) || page.descriptor.max_def_level != 1 {
            return Err(EncodeError::read("not a page that this engine writes"));
        }
        let encoding = page.encoding();
        if !matches!(encoding, Encoding::Plain | Encoding::RleDictionary | Encoding::PlainDictionary) {
            return Err(EncodeError::read(format!("unexpected encoding {encoding:?}")));
        }
        let (_, levels, values) = split_buffer(page).map_err(EncodeError::read)?;
        let rows = page.num_values();
        if rows > MAX_PAGE_ROWS {
            return Err(EncodeError::read("a page has more rows than this engine writes"));
        }
        let mut valid = Vec::with_capacity(rows);
        Runs::new(levels, 1)?.each(rows, |level, times| {
            valid.resize(valid.len() + times, level == 1);
            Ok(())
        })?;
        Ok(Self { valid, encoding, values })
    }

    /// The values behind the page's dictionary indices.
    fn indexed<T: Copy>(&self, value: impl Fn(u32) -> Option<T>) -> Result<Vec<T>, EncodeError> {
        let count = self.valid.iter().filter(|valid| **valid).count();
        let mut values = Vec::with_capacity(count);
        let Some((&bits, runs)) = self.values.split_first() else {
            return Err(EncodeError::read("a page has no indices"));
        };
        Runs::new(runs, bits)?.each(count, |index, times| {
            let value =
                value(index).ok_or_else(|| EncodeError::read("a dictionary index is out of range"))?;
            values.resize(values.len() + times, value);
            Ok(())
        })?;
        Ok(values)
    }

    /// Hands out each row's value, null where it has none; `present` are the values in order.
    fn each<T: Copy>(&self, present: &[T], mut push: impl FnMut(Option<T>)) -> Result<(), EncodeError> {
        let mut values = present.iter().copied();
        for valid in &self.valid {
            let value = if *valid { values.next() } else { None };
            if *valid && value.is_none() {
                return Err(EncodeError::read("a page has fewer values than its levels say"));
            }
            push(value);
        }
        Ok(())
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = i64> {
    bytes.as_chunks::<8>().0.iter().map(|word| i64::from_le_bytes(*word))
}

/// Gathers an object's strings into one dictionary, across row groups.
#[derive(Default)]
struct Interner {
    arena: TextArena,
    dictionary: Dictionary,
}

impl Interner {
    /// The keys of plain-encoded strings (`length, bytes`).
    fn plain(&mut self, mut bytes: &[u8]) -> Result<Vec<u32>, EncodeError> {
        let mut keys = Vec::new();
        while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let text = rest.get(..length).ok_or_else(|| EncodeError::read("text passes its page's end"))?;
            let text = std::str::from_utf8(text).map_err(EncodeError::read)?;
            keys.push(self.key(text));
            bytes = rest.get(length..).unwrap_or(&[]);
        }
        Ok(keys)
    }

    fn key(&mut self, text: &str) -> u32 {
        let (key, new) = self.arena.intern(text);
        if new {
            self.dictionary.push(text);
        }
        key
    }
}
