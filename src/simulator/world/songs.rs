//! The project's own catalogue: made from words and chance, always the same.

use std::collections::HashSet;

use super::super::random::{Alias, Random};
use super::catalogue::{Artist, Catalogue, Song};
use super::words::{GENRES, LANGUAGES, Language};

const ARTISTS: usize = 12_000;
const SONGS: usize = 120_000;

/// Popularity of the song of rank r is r to the power of minus this: the slope of the first hundred songs of Eventsim's
/// own output (a test compares them).
const ZIPF: f64 = 0.61;

/// Artists who resemble each other: of one genre, and mostly of one language.
const SCENE: usize = 25;

/// 1965-01-01 and 2026-01-01, as days since 1970.
const FIRST_RELEASE: i32 = -1826;
const LAST_RELEASE: i32 = 20_454;

/// A language's lists, split.
struct Words {
    given: Vec<&'static str>,
    family: Vec<&'static str>,
    nouns: Vec<&'static str>,
    adjectives: Vec<&'static str>,
    language: &'static Language,
}

impl Words {
    fn new(language: &'static Language) -> Self {
        let split = |list: &'static str| list.split_whitespace().collect();
        Self {
            given: split(language.given),
            family: split(language.family),
            nouns: split(language.nouns),
            adjectives: split(language.adjectives),
            language,
        }
    }

    fn artist(&self, random: &mut Random) -> String {
        self.fill(pick(self.language.artists, random), random)
    }

    fn title(&self, random: &mut Random) -> String {
        self.fill(pick(self.language.titles, random), random)
    }

    fn fill(&self, pattern: &str, random: &mut Random) -> String {
        let mut text = String::with_capacity(40);
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (list, after) = match after.split_once('}') {
                Some(("n", after)) => (&self.nouns, after),
                Some(("a", after)) => (&self.adjectives, after),
                Some(("g", after)) => (&self.given, after),
                Some((_, after)) => (&self.family, after),
                None => break,
            };
            text.push_str(pick(list, random));
            rest = after;
        }
        text.push_str(rest);
        text
    }
}

fn pick<T: Copy + Default>(list: &[T], random: &mut Random) -> T {
    list.get(random.below(list.len() as u64) as usize).copied().unwrap_or_default()
}

/// The catalogue; the same at every call.
pub(super) fn catalogue() -> Catalogue {
    let mut random = Random::new(0x50_4E65, 0);
    let words: Vec<Words> = LANGUAGES.iter().map(Words::new).collect();
    let (artists, languages) = artists(&words, &mut random);
    let mut songs = songs(&words, &languages, &mut random);
    rank(&mut songs, artists.len(), &mut random);
    let (similar, similar_group) = scenes(&artists, &languages, &songs);
    Catalogue { artists, songs, similar, similar_group, ..Catalogue::default() }
}

/// Artists with names of their own, and the index of each one's language.
fn artists(words: &[Words], random: &mut Random) -> (Vec<Artist>, Vec<usize>) {
    let shares: Vec<f64> = words.iter().map(|words| f64::from(words.language.share)).collect();
    let (by_share, by_genre) = (Alias::new(&shares), Alias::new(&GENRES.map(|(_, share)| share)));
    let mut taken = HashSet::new();
    let (mut artists, mut languages) = (Vec::new(), Vec::new());
    while artists.len() < ARTISTS {
        let draw =
            |alias: &Option<Alias>, random: &mut Random| alias.as_ref().map_or(0, |alias| alias.draw(random));
        let (language, genre) = (draw(&by_share, random), draw(&by_genre, random));
        let Some(name) = words.get(language).map(|words| words.artist(random)) else { break };
        if taken.insert(name.clone()) {
            artists.push(Artist { name, genre: GENRES.get(genre).map_or("", |(genre, _)| genre) });
            languages.push(language);
        }
    }
    (artists, languages)
}

/// Songs, unranked: one for each artist at least, more for some.
fn songs(words: &[Words], languages: &[usize], random: &mut Random) -> Vec<Song> {
    // How much an artist has recorded.
    let output: Vec<f64> = languages.iter().map(|_| random.log_normal()).collect();
    let by_output = Alias::new(&output);
    let mut taken = HashSet::new();
    let mut songs = Vec::with_capacity(SONGS);
    while songs.len() < SONGS {
        let artist = match (&by_output, songs.len()) {
            (Some(alias), made) if made >= languages.len() => alias.draw(random),
            (_, made) => made,
        };
        let Some(words) = languages.get(artist).and_then(|&language| words.get(language)) else { break };
        let mut title = words.title(random);
        // Small languages run out of titles.
        for number in 2.. {
            if taken.insert((artist, title.clone())) {
                break;
            }
            title = format!("{} {number}", title.trim_end_matches(|c: char| c == ' ' || c.is_ascii_digit()));
        }
        let duration = duration(random);
        let released = Some(released(random));
        songs.push(Song { artist: artist as u32, title, duration, released, weight: 0.0 });
    }
    songs
}

/// Seconds: log-normal round three and three quarter minutes, five decimals.
fn duration(random: &mut Random) -> f32 {
    let seconds = (224.0 * libm::exp(0.38 * random.normal())).clamp(30.0, 1800.0);
    (libm::round(seconds * 1e5) / 1e5) as f32
}

/// A Friday, and rather a late one.
fn released(random: &mut Random) -> i32 {
    let age = (random.exponential(f64::from(LAST_RELEASE - FIRST_RELEASE) / 4.0) as i32)
        .min(LAST_RELEASE - FIRST_RELEASE);
    let day = LAST_RELEASE - age;
    // 1970-01-02 was a Friday.
    day - (day - 1).rem_euclid(7)
}

/// Gives songs their weights: the better an artist is known, the higher the songs stand.
fn rank(songs: &mut [Song], artists: usize, random: &mut Random) {
    let fame: Vec<f64> = (0..artists).map(|_| random.normal()).collect();
    let mut order: Vec<(f64, usize)> = songs
        .iter()
        .enumerate()
        .map(|(index, song)| {
            (fame.get(song.artist as usize).copied().unwrap_or_default() + random.normal(), index)
        })
        .collect();
    order.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    for (rank, (_, index)) in order.into_iter().enumerate() {
        if let Some(song) = songs.get_mut(index) {
            song.weight = libm::pow(rank as f64 + 1.0, -ZIPF);
        }
    }
}

/// Groups of songs whose artists resemble each other, and each song's group.
fn scenes(artists: &[Artist], languages: &[usize], songs: &[Song]) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut order: Vec<usize> = (0..artists.len()).collect();
    order
        .sort_by_key(|&index| (artists.get(index).map(|artist| artist.genre), languages.get(index).copied()));
    let mut scene_of = vec![0u32; artists.len()];
    let (mut scene, mut members, mut genre) = (0, 0, None);
    for index in order {
        let found = artists.get(index).map(|artist| artist.genre);
        if members == SCENE || (found != genre && genre.is_some()) {
            scene += 1;
            members = 0;
        }
        (members, genre) = (members + 1, found);
        if let Some(of) = scene_of.get_mut(index) {
            *of = scene;
        }
    }
    let mut scenes = vec![Vec::new(); scene as usize + 1];
    let mut groups = Vec::with_capacity(songs.len());
    for (song, number) in songs.iter().zip(0..) {
        let scene = scene_of.get(song.artist as usize).copied().unwrap_or_default();
        if let Some(songs) = scenes.get_mut(scene as usize) {
            songs.push(number);
        }
        groups.push(scene);
    }
    (scenes, groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_large_and_varied() {
        let catalogue = catalogue();
        assert!(catalogue.artists.len() >= 10_000 && catalogue.songs.len() >= 100_000);
        let pairs: HashSet<_> = catalogue.songs.iter().map(|song| (song.artist, &song.title)).collect();
        assert_eq!(pairs.len(), catalogue.songs.len());
        let names: HashSet<_> = catalogue.artists.iter().map(|artist| &artist.name).collect();
        assert_eq!(names.len(), catalogue.artists.len());
        // One letter of each script.
        for letter in ["é", "ł", "Б", "α", "夜", "の", "밤", "ل", "ל", "र"] {
            assert!(catalogue.songs.iter().any(|song| song.title.contains(letter)), "{letter}");
        }
        for text in catalogue.songs.iter().map(|song| &song.title).chain(names) {
            assert!(!text.is_empty() && text.trim() == text && !text.contains(['{', '}']), "{text:?}");
        }
    }

    #[test]
    fn songs_have_genres_dates_and_lengths() {
        let catalogue = catalogue();
        let genres: HashSet<_> = catalogue.artists.iter().map(|artist| artist.genre).collect();
        assert_eq!(genres.len(), GENRES.len());
        assert!(catalogue.songs.iter().all(|song| song.released.is_some_and(|day| (day - 1) % 7 == 0)));
        let mean = catalogue.songs.iter().map(|song| f64::from(song.duration)).sum::<f64>() / SONGS as f64;
        // Eventsim's mean is 239 s.
        assert!((230.0..250.0).contains(&mean), "{mean}");
    }

    #[test]
    fn similar_songs_share_their_genre() {
        let catalogue = catalogue();
        let genre = |song: u32| catalogue.artists[catalogue.songs[song as usize].artist as usize].genre;
        assert_eq!(catalogue.similar_group.len(), catalogue.songs.len());
        for group in &catalogue.similar {
            assert!(group.iter().all(|&song| genre(song) == genre(group[0])));
        }
        assert_eq!(catalogue.similar.iter().map(Vec::len).sum::<usize>(), catalogue.songs.len());
    }
}
