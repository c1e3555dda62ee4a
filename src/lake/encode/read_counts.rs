//! Count tables read back as plain rows, for `verify`'s recount. Through arrow2, since speed does not matter here and a
//! second implementation's view of the files is worth having.

use std::io::Cursor;

use arrow2::array::{Array, PrimitiveArray, Utf8Array};
use arrow2::chunk::Chunk;
use arrow2::io::parquet::read::{FileReader, infer_schema, read_metadata};

use super::counts::{SongCount, UserActive};
use super::error::EncodeError;

/// The rows of a `song_counts` object, as stored.
///
/// The caller has checked the object's CRC-32C: arrow2 may panic at a damaged file.
///
/// # Errors
/// Not such an object.
pub fn read_song_counts(bytes: &[u8]) -> Result<Vec<SongCount>, EncodeError> {
    rows(bytes, |columns, row| {
        Some(SongCount {
            pane_start: columns.number(0, row)??,
            artist: columns.text(1, row)?,
            song: columns.text(2, row)?,
            level: columns.text(3, row)?,
            plays: columns.number(4, row)??,
        })
    })
}

/// The rows of a `user_activity` object, as stored.
///
/// The caller has checked the object's CRC-32C: arrow2 may panic at a damaged file.
///
/// # Errors
/// Not such an object.
pub fn read_user_activity(bytes: &[u8]) -> Result<Vec<UserActive>, EncodeError> {
    rows(bytes, |columns, row| {
        Some(UserActive {
            pane_start: columns.number(0, row)??,
            user_id: columns.number(1, row)??,
            level: columns.text(2, row)?,
            gender: columns.text(3, row)?,
            state: columns.text(4, row)?,
        })
    })
}

/// The columns of one row group.
struct Columns<'a>(&'a [Box<dyn Array>]);

impl Columns<'_> {
    fn number(&self, column: usize, row: usize) -> Option<Option<i64>> {
        let array = self.0.get(column)?.as_any().downcast_ref::<PrimitiveArray<i64>>()?;
        Some(array.is_valid(row).then(|| array.value(row)))
    }

    fn text(&self, column: usize, row: usize) -> Option<Option<String>> {
        let array = self.0.get(column)?.as_any().downcast_ref::<Utf8Array<i32>>()?;
        Some(array.is_valid(row).then(|| array.value(row).to_owned()))
    }
}

fn rows<R>(bytes: &[u8], row: impl Fn(&Columns<'_>, usize) -> Option<R>) -> Result<Vec<R>, EncodeError> {
    let metadata = read_metadata(&mut Cursor::new(bytes)).map_err(EncodeError::read)?;
    let schema = infer_schema(&metadata).map_err(EncodeError::read)?;
    let reader = FileReader::new(Cursor::new(bytes), metadata.row_groups, schema, None, None, None);
    let mut rows = Vec::new();
    for chunk in reader {
        let chunk: Chunk<Box<dyn Array>> = chunk.map_err(EncodeError::read)?;
        let columns = Columns(chunk.arrays());
        for index in 0..chunk.len() {
            let found = row(&columns, index);
            rows.push(found.ok_or_else(|| EncodeError::read("not a count table of this engine"))?);
        }
    }
    Ok(rows)
}
