//! A catalogue of one's own: CSV, or Eventsim's `listen_counts.txt` (made from the Million Song Dataset).

use std::collections::HashMap;

use super::super::config::ConfigError;
use super::catalogue::{Artist, Catalogue, Song};

/// Eventsim's length of a song that has none, seconds.
const USUAL_DURATION: f32 = 180.0;

/// Which column of a line holds what.
struct Columns {
    id: Option<usize>,
    artist: usize,
    title: usize,
    duration: Option<usize>,
    weight: Option<usize>,
    /// Eventsim cuts weights to whole numbers.
    whole_weights: bool,
}

/// `trackId, artist, title, duration, weight`, separated by tabs.
const EVENTSIM: Columns =
    Columns { id: Some(0), artist: 1, title: 2, duration: Some(3), weight: Some(4), whole_weights: true };

impl Catalogue {
    /// Reads `listen_counts.txt` (tabs between track id, artist, title, seconds and weight, no header) or CSV with a header
    /// that names the columns `artist` and `title`, and perhaps `id`, `duration` (seconds) and `weight`.
    ///
    /// # Errors
    /// The text is not UTF-8, a column is missing, or a line cannot be read; the error names the line.
    pub fn from_file(bytes: &[u8]) -> Result<Self, ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            ConfigError::new(
                "catalogue",
                format!("is not UTF-8 after byte {}; convert it", error.valid_up_to()),
            )
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let tabs = text.lines().next().is_some_and(|line| line.contains('\t'));
        let mut reader = Reader::default();
        if tabs {
            for (line, number) in text.lines().zip(1..) {
                let fields: Vec<String> = line.split('\t').map(unquoted).collect();
                reader.add(&EVENTSIM, &fields, number)?;
            }
        } else {
            let mut records = csv(text);
            let Some((_, header)) = records.next() else {
                return Err(ConfigError::new(
                    "catalogue",
                    "is empty; give a header and a line for each song",
                ));
            };
            let columns = Columns::named(&header)?;
            for (number, fields) in records {
                reader.add(&columns, &fields, number)?;
            }
        }
        if reader.catalogue.songs.iter().all(|song| song.weight == 0.0) {
            return Err(ConfigError::new("catalogue", "has no song of positive weight; give one at least"));
        }
        Ok(reader.catalogue)
    }

    /// Reads which songs resemble which: on each line the id of a song and that of one like it, separated by a comma.
    /// Ids that the catalogue does not have are passed over.
    ///
    /// # Errors
    /// The text is not UTF-8, or the catalogue has no ids.
    pub fn add_similar(&mut self, bytes: &[u8]) -> Result<(), ConfigError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            ConfigError::new(
                "similar songs",
                format!("are not UTF-8 after byte {}; convert them", error.valid_up_to()),
            )
        })?;
        if self.ids.is_empty() {
            return Err(ConfigError::new(
                "similar songs",
                "need a catalogue with ids; add a column `id` to it",
            ));
        }
        self.similar_group = vec![u32::MAX; self.songs.len()];
        for line in text.lines() {
            let Some((song, similar)) = line.split_once(',') else { continue };
            let id = |text: &str| self.ids.get(text.trim()).copied();
            let (Some(song), Some(similar)) = (id(song), id(similar)) else { continue };
            let Some(group) = self.similar_group.get_mut(song as usize) else { continue };
            if *group == u32::MAX {
                *group = self.similar.len() as u32;
                self.similar.push(Vec::new());
            }
            if let Some(songs) = self.similar.get_mut(*group as usize) {
                songs.push(similar);
            }
        }
        Ok(())
    }
}

impl Columns {
    fn named(header: &[String]) -> Result<Self, ConfigError> {
        let find = |names: &[&str]| {
            header.iter().position(|found| names.iter().any(|name| found.trim().eq_ignore_ascii_case(name)))
        };
        let needed = |name: &str, names: &[&str]| {
            let problem = format!("has no column `{name}`; its header is {:?}", header.join(","));
            find(names).ok_or_else(|| ConfigError::new("catalogue", problem))
        };
        Ok(Self {
            artist: needed("artist", &["artist"])?,
            title: needed("title", &["title", "song"])?,
            id: find(&["id", "track_id"]),
            duration: find(&["duration"]),
            weight: find(&["weight", "plays"]),
            whole_weights: false,
        })
    }
}

#[derive(Default)]
struct Reader {
    catalogue: Catalogue,
    artists: HashMap<String, u32>,
}

impl Reader {
    fn add(&mut self, columns: &Columns, fields: &[String], line: u64) -> Result<(), ConfigError> {
        let wrong = |problem: String| ConfigError::new(format!("catalogue, line {line}"), problem);
        let text = |name: &str, index: usize| {
            let found = fields.get(index).filter(|text| !text.is_empty());
            found.ok_or_else(|| wrong(format!("has no {name}")))
        };
        let number = |name: &str, index: Option<usize>, default: f64| {
            let Some(found) = index.and_then(|index| fields.get(index)).filter(|text| !text.is_empty())
            else {
                return Ok(default);
            };
            let number = found.trim().parse().ok().filter(|number| (0.0..=1e12).contains(number));
            number.ok_or_else(|| wrong(format!("{name} is {found:?}; it must be a number from 0 on")))
        };
        let (artist, title) = (text("artist", columns.artist)?, text("title", columns.title)?);
        let duration = number("duration", columns.duration, f64::from(USUAL_DURATION))? as f32;
        let weight = number("weight", columns.weight, 1.0)?;
        let weight = if columns.whole_weights { weight.trunc() } else { weight };
        let next = self.catalogue.artists.len() as u32;
        let artist = *self.artists.entry(artist.clone()).or_insert_with(|| {
            self.catalogue.artists.push(Artist { name: artist.clone(), genre: "" });
            next
        });
        if let Some(id) = columns.id.and_then(|id| fields.get(id)) {
            self.catalogue.ids.insert(id.clone(), self.catalogue.songs.len() as u32);
        }
        self.catalogue.songs.push(Song { artist, title: title.clone(), duration, released: None, weight });
        Ok(())
    }
}

/// `"A \"b\" c"` as `A "b" c`; other text as it is.
fn unquoted(field: &str) -> String {
    match field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => field.to_owned(),
    }
}

/// Lines of CSV (RFC 4180), each with the number of its first line in the file. Empty lines are passed over.
fn csv(text: &str) -> impl Iterator<Item = (u64, Vec<String>)> {
    let mut rest = text;
    let mut number = 1;
    std::iter::from_fn(move || {
        while let Some(after) = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n")) {
            rest = after;
            number += 1;
        }
        if rest.is_empty() {
            return None;
        }
        let first = number;
        let mut fields = Vec::new();
        loop {
            let (field, length) = csv_field(rest);
            number += rest.get(..length)?.matches('\n').count() as u64;
            fields.push(field);
            rest = rest.get(length..)?;
            match rest.strip_prefix(',') {
                Some(after) => rest = after,
                None => return Some((first, fields)),
            }
        }
    })
}

/// The first field of `text` and its length in bytes, separator excluded.
fn csv_field(text: &str) -> (String, usize) {
    let plain = |text: &str| text.find([',', '\n']).unwrap_or(text.len());
    let Some(inner) = text.strip_prefix('"') else {
        let length = plain(text);
        let field = text.get(..length).unwrap_or_default();
        return (field.strip_suffix('\r').unwrap_or(field).to_owned(), length);
    };
    let mut field = String::new();
    let mut rest = inner;
    while let Some((part, after)) = rest.split_once('"') {
        field.push_str(part);
        // A doubled quote stands for one.
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => {
                let closed = text.len() - after.len();
                return (field, closed + plain(after));
            }
        }
    }
    field.push_str(rest);
    (field, text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read() {
        let text = "artist,title,duration,weight\r\n\"Earth, Wind\",\"The \"\"Big\"\" One\",200.5,3\n\nSolo,\"two\nlines\",,\nSolo,third,,0.4\n";
        let catalogue = Catalogue::from_file(text.as_bytes()).expect("readable");
        let songs: Vec<_> = catalogue
            .songs
            .iter()
            .map(|song| (catalogue.artist(song), song.title.as_str(), song.duration, song.weight))
            .collect();
        assert_eq!(
            songs,
            [
                ("Earth, Wind", "The \"Big\" One", 200.5, 3.0),
                ("Solo", "two\nlines", 180.0, 1.0),
                ("Solo", "third", 180.0, 0.4)
            ]
        );
    }

    #[test]
    fn listen_counts_are_read_with_what_resembles_them() {
        let text = "A\tBand\tOne\t100.5\t7\nB\tBand\t\"Two \\\"x\\\"\"\t\t0.9\n";
        let mut catalogue = Catalogue::from_file(text.as_bytes()).expect("readable");
        assert_eq!((catalogue.artists.len(), catalogue.songs.len()), (1, 2));
        assert_eq!((catalogue.songs[1].title.as_str(), catalogue.songs[1].weight), ("Two \"x\"", 0.0));
        catalogue.add_similar(b"A,B\nA,Z\nZ,A\n").expect("readable");
        assert_eq!((&catalogue.similar, &catalogue.similar_group), (&vec![vec![1]], &vec![0, u32::MAX]));
    }

    #[test]
    fn mistakes_name_their_line() {
        let message = |text: &str| Catalogue::from_file(text.as_bytes()).expect_err("a mistake").to_string();
        assert!(message("artist,name\nA,B\n").contains("no column `title`"));
        assert_eq!(message("artist,title\nA,B\n,C\n"), "catalogue, line 3: has no artist");
        assert!(
            message("artist,title,duration\n\"A\nA\",B,1\nC,D,long\n")
                .contains("line 4: duration is \"long\"")
        );
        assert!(message("artist,title,weight\nA,B,0\n").contains("positive weight"));
    }
}
