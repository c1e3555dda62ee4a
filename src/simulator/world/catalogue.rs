//! What can be played.

use std::collections::HashMap;

/// Songs and their artists.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Artists; songs name them by index.
    pub artists: Vec<Artist>,
    /// Songs.
    pub songs: Vec<Song>,
    /// Groups of songs that resemble each other, by index.
    pub similar: Vec<Vec<u32>>,
    /// For each song the group of those that resemble it; past the end of `similar` where none is known.
    pub similar_group: Vec<u32>,
    /// Songs by the id that their file gives them.
    pub ids: HashMap<String, u32>,
}

/// Who plays a song.
#[derive(Debug, Clone, PartialEq)]
pub struct Artist {
    /// Name.
    pub name: String,
    /// Genre.
    pub genre: &'static str,
}

/// A song.
#[derive(Debug, Clone, PartialEq)]
pub struct Song {
    /// Index of its artist.
    pub artist: u32,
    /// Title.
    pub title: String,
    /// Length, seconds.
    pub duration: f32,
    /// Day of release, counted from 1970-01-01; none where it is not known.
    pub released: Option<i32>,
    /// Share of plays, relative to the other songs.
    pub weight: f64,
}

impl Catalogue {
    /// A song's artist; empty where the catalogue does not hold together.
    pub fn artist(&self, song: &Song) -> &str {
        self.artists.get(song.artist as usize).map_or("", |artist| artist.name.as_str())
    }
}
