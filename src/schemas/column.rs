//! Columns of a decoded batch: plain vectors, nulls apart, text as dictionary keys.

use std::sync::Arc;

use super::dictionary::Dictionary;

/// Key that stands for null in a [`TextColumn`].
pub const NULL_KEY: u32 = u32::MAX;

/// Which rows are null. Costs nothing until the first null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validity {
    /// One bit a row, set where there is a value; empty while no row is null.
    bits: Vec<u64>,
    rows: usize,
    nulls: usize,
}

impl Validity {
    /// `rows` rows, none of them null.
    pub fn all_valid(rows: usize) -> Self {
        Self { bits: Vec::new(), rows, nulls: 0 }
    }

    /// Appends one row.
    #[inline]
    pub fn push(&mut self, valid: bool) {
        if !valid && self.nulls == 0 {
            self.bits.clear();
            self.bits.resize(self.rows / 64 + 1, u64::MAX);
        }
        if !valid || self.nulls > 0 {
            if self.bits.len() * 64 <= self.rows {
                self.bits.push(u64::MAX);
            }
            if !valid {
                if let Some(word) = self.bits.get_mut(self.rows / 64) {
                    *word &= !(1 << (self.rows % 64));
                }
                self.nulls += 1;
            }
        }
        self.rows += 1;
    }

    /// Whether `row` holds a value.
    #[inline]
    pub fn is_valid(&self, row: usize) -> bool {
        self.nulls == 0 || self.bits.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Number of null rows.
    pub fn nulls(&self) -> usize {
        self.nulls
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory held.
    pub fn heap_bytes(&self) -> usize {
        self.bits.capacity() * size_of::<u64>()
    }
}

/// Integers (also timestamps, in milliseconds).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Int64Column {
    /// One value a row; 0 where null.
    pub values: Vec<i64>,
    /// Which rows are null.
    pub validity: Validity,
}

impl Int64Column {
    /// Appends one row.
    #[inline]
    pub fn push(&mut self, value: Option<i64>) {
        self.values.push(value.unwrap_or(0));
        self.validity.push(value.is_some());
    }

    /// The value at `row`, or none where null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<i64> {
        self.values.get(row).copied().filter(|_| self.validity.is_valid(row))
    }
}

/// Floating point numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Float64Column {
    /// One value a row; 0 where null.
    pub values: Vec<f64>,
    /// Which rows are null.
    pub validity: Validity,
}

impl Float64Column {
    /// Appends one row.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        self.values.push(value.unwrap_or(0.0));
        self.validity.push(value.is_some());
    }
}

/// Booleans.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoolColumn {
    /// One value a row; false where null.
    pub values: Vec<bool>,
    /// Which rows are null.
    pub validity: Validity,
}

impl BoolColumn {
    /// Appends one row.
    #[inline]
    pub fn push(&mut self, value: Option<bool>) {
        self.values.push(value.unwrap_or(false));
        self.validity.push(value.is_some());
    }
}

/// Repeated text: a key a row, [`NULL_KEY`] for null, and the dictionary that the keys point into.
#[derive(Debug, Clone)]
pub struct TextColumn {
    /// One key a row.
    pub keys: Vec<u32>,
    /// What the keys mean.
    pub dictionary: Arc<Dictionary>,
}

impl TextColumn {
    /// An empty column over `dictionary`.
    pub fn new(dictionary: Arc<Dictionary>) -> Self {
        Self { keys: Vec::new(), dictionary }
    }

    /// The key at `row`, or none where null.
    #[inline]
    pub fn key(&self, row: usize) -> Option<u32> {
        self.keys.get(row).copied().filter(|&key| key != NULL_KEY)
    }

    /// A copy of the text at `row`, for tests and rare paths (it takes the dictionary's lock).
    pub fn text(&self, row: usize) -> Option<String> {
        self.key(row).and_then(|key| self.dictionary.read().get(key).map(str::to_owned))
    }
}

/// Text that seldom repeats and is mostly null (`extra`): `(row, text)`, rows ascending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainTextColumn {
    /// The rows that hold text, in order.
    pub values: Vec<(u32, String)>,
}

/// One column of an [`super::EventBatch`]; the variant follows from the field's [`super::FieldType`].
#[derive(Debug, Clone)]
pub enum Column {
    /// [`super::FieldType::Text`]
    Text(TextColumn),
    /// [`super::FieldType::Int64`] and [`super::FieldType::TimestampMs`]
    Int64(Int64Column),
    /// [`super::FieldType::Float64`]
    Float64(Float64Column),
    /// [`super::FieldType::Bool`]
    Bool(BoolColumn),
}

impl PlainTextColumn {
    /// Bytes of memory held.
    pub fn heap_bytes(&self) -> usize {
        let texts: usize = self.values.iter().map(|(_, text)| text.capacity()).sum();
        texts + self.values.capacity() * size_of::<(u32, String)>()
    }
}

impl Column {
    /// Bytes of memory held, the dictionary apart.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Column::Text(column) => column.keys.capacity() * size_of::<u32>(),
            Column::Int64(column) => {
                column.values.capacity() * size_of::<i64>() + column.validity.heap_bytes()
            }
            Column::Float64(column) => {
                column.values.capacity() * size_of::<f64>() + column.validity.heap_bytes()
            }
            Column::Bool(column) => {
                column.values.capacity() * size_of::<bool>() + column.validity.heap_bytes()
            }
        }
    }
}
