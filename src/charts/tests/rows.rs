//! Rows written by hand or drawn, and their columnar form.

use std::collections::HashMap;
use std::sync::Arc;

use crate::schemas::batch::OwnedActivity;
use crate::schemas::column::NULL_KEY;
use crate::schemas::{Dictionary, EventKind, Int64Column, Source, TextColumn};

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) ts: i64,
    pub(crate) user: Option<i64>,
    pub(crate) level: Option<&'static str>,
    pub(crate) gender: Option<&'static str>,
    pub(crate) state: Option<&'static str>,
    pub(crate) artist: Option<String>,
    pub(crate) song: Option<String>,
}

/// A listen of `user` at `ts`, offset 0.
pub(crate) fn listen(ts: i64, user: i64, artist: &str, song: &str) -> Row {
    Row {
        offset: 0,
        timestamp: -1,
        ts,
        user: Some(user),
        level: Some("free"),
        gender: Some("F"),
        state: Some("CA"),
        artist: Some(artist.to_owned()),
        song: Some(song.to_owned()),
    }
}

/// Rows numbered from offset 0 on.
pub(crate) fn numbered(rows: Vec<Row>) -> Vec<Row> {
    (0..).zip(rows).map(|(offset, row)| Row { offset, ..row }).collect()
}

pub(crate) fn source(kind: EventKind, partition: i32) -> Source {
    Source { topic: Arc::from(kind.table()), kind, epoch: 1, partition }
}

/// Encodes rows with dictionaries that live as long as it does, as a decoder's do.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    dictionary: Arc<Dictionary>,
    keys: HashMap<String, u32>,
}

impl Encoder {
    fn column<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) -> TextColumn {
        let mut column = TextColumn::new(self.dictionary.clone());
        for value in values {
            let key = value.map_or(NULL_KEY, |text| match self.keys.get(text) {
                Some(&key) => key,
                None => {
                    let key = self.dictionary.push(text);
                    self.keys.insert(text.to_owned(), key);
                    key
                }
            });
            column.keys.push(key);
        }
        column
    }

    pub(crate) fn encode(&mut self, kind: EventKind, rows: &[Row]) -> OwnedActivity {
        let mut user_id = Int64Column::default();
        rows.iter().for_each(|row| user_id.push(row.user));
        let song = (kind == EventKind::Listen).then(|| {
            let artist = self.column(rows.iter().map(|row| row.artist.as_deref()));
            (artist, self.column(rows.iter().map(|row| row.song.as_deref())))
        });
        OwnedActivity {
            offsets: rows.iter().map(|row| row.offset).collect(),
            timestamps: rows.iter().map(|row| row.timestamp).collect(),
            ts: rows.iter().map(|row| row.ts).collect(),
            user_id,
            level: self.column(rows.iter().map(|row| row.level)),
            gender: self.column(rows.iter().map(|row| row.gender)),
            state: self.column(rows.iter().map(|row| row.state)),
            song,
        }
    }
}
