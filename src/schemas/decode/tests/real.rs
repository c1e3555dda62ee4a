//! Eventsim's own output, where `BEATLYTICA_EVENTSIM_DATA` names its folder.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use super::oracle::{Expected, expected, is_near};
use super::*;
use crate::schemas::column::TextColumn;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("BEATLYTICA_EVENTSIM_DATA");
    if folder.is_none() {
        eprintln!("skipped: BEATLYTICA_EVENTSIM_DATA is not set");
    }
    folder.map(PathBuf::from)
}

/// Calls `each` with up to `limit` lines (with their line end), a thousand at a time.
fn for_lines(folder: &std::path::Path, kind: EventKind, limit: usize, mut each: impl FnMut(&[Vec<u8>])) {
    let path = folder.join(format!("{}.jsonl.zst", kind.table()));
    let file = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut decompressor = zstd::Decoder::new(file).expect("a zstd file");
    decompressor.window_log_max(27).expect("a window that is allowed");
    let mut reader = BufReader::with_capacity(1 << 20, decompressor);
    let mut lines = Vec::new();
    let mut left = limit;
    loop {
        let mut line = Vec::new();
        let end = left == 0 || reader.read_until(b'\n', &mut line).expect("lines") == 0;
        if !end {
            lines.push(line);
            left -= 1;
        }
        if lines.len() == 1000 || (end && !lines.is_empty()) {
            each(&lines);
            lines.clear();
        }
        if end {
            return;
        }
    }
}

#[test]
fn three_readers_agree_on_real_records() {
    let Some(folder) = folder() else { return };
    for kind in EventKind::ALL {
        let mut fast = Decoder::new(source(kind), false);
        let mut slow = Decoder::new(source(kind), false).fast_path(false);
        for_lines(&folder, kind, 20_000, |lines| {
            let batch = decode_with(&mut fast, lines);
            assert_same(&batch, &decode_with(&mut slow, lines));
            assert_eq!((batch.rows(), batch.extra.values.len()), (lines.len(), 0));
            for (row, line) in lines.iter().enumerate() {
                let Expected::Row(wanted, _) = expected(kind, line) else { panic!("{line:?}") };
                assert!(cells(&batch, row).iter().zip(&wanted).all(|(found, wanted)| is_near(found, wanted)));
            }
        });
    }
}

type Property = fn(&str) -> bool;

/// Rows of a column whose text has a property, worked out once for each distinct text.
struct Tally {
    marks: Vec<bool>,
    property: Property,
}

impl Tally {
    fn new(property: Property) -> Self {
        Self { marks: Vec::new(), property }
    }

    fn rows(&mut self, column: &TextColumn) -> Vec<bool> {
        let values = column.dictionary.read();
        for key in self.marks.len()..values.len() {
            self.marks.push(values.get(key as u32).is_some_and(self.property));
        }
        column.keys.iter().map(|&key| self.marks[key as usize]).collect()
    }
}

fn count(rows: &[bool]) -> usize {
    rows.iter().filter(|&&row| row).count()
}

/// The counts are SPEC.md's, section 3, measured by Python on the whole file.
#[test]
fn oddities_of_listen_events_are_as_measured() {
    let Some(folder) = folder() else { return };
    let kind = EventKind::Listen;
    let (mut repairing, mut plain) = (Decoder::new(source(kind), true), Decoder::new(source(kind), false));
    let c1 = |text: &str| text.contains(|c| ('\u{80}'..='\u{9f}').contains(&c));
    let properties: [(&str, Property, usize); 9] = [
        ("artist", |text| !text.is_ascii(), 30_470),
        ("song", |text| !text.is_ascii(), 36_978),
        ("artist", c1, 1_112),
        ("song", c1, 3_025),
        ("song", |text| text.starts_with('"'), 4_930),
        ("song", |text| text.contains('\\'), 4_879),
        ("artist", |text| text.starts_with('"') && text.contains('\\'), 865),
        ("song", |text| text.contains(|c| c < ' '), 1_735),
        ("user_agent", |text| text.len() > 1 && text.starts_with('"') && text.ends_with('"'), 788_250),
    ];
    let mut tallies = properties.map(|(_, property, _)| Tally::new(property));
    let mut quoted_agents = Tally::new(|text| text.contains('"'));
    let mut found = [0; 9];
    let (mut rows, mut changed, mut scanned, mut quoted) = (0, 0, 0, 0);
    for_lines(&folder, kind, usize::MAX, |lines| {
        let arrived = decode_with(&mut plain, lines);
        for ((found, tally), (column, ..)) in found.iter_mut().zip(&mut tallies).zip(properties) {
            *found += count(&tally.rows(arrived.text(column).unwrap()));
        }
        plain.begin(0, 0);
        for line in lines {
            scanned += usize::from(plain.scan(line).is_some());
        }
        let batch = decode_with(&mut repairing, lines);
        let (artist, song) = (batch.text("artist_raw").unwrap(), batch.text("song_raw").unwrap());
        changed += (0..batch.rows()).filter(|&row| artist.key(row).or(song.key(row)).is_some()).count();
        quoted += count(&quoted_agents.rows(batch.text("user_agent").unwrap()));
        rows += batch.rows();
    });
    assert_eq!((rows, scanned), (1_102_992, 1_102_992), "every record is a row, and the scanner takes it");
    assert_eq!(changed, 65_718);
    assert_eq!(found, properties.map(|(_, _, measured)| measured));
    assert_eq!(quoted, 0, "user agents lose their quotes");
}
