//! Songs by words of their artist and title, whatever the case and the accents.

use icu_normalizer::DecomposingNormalizerBorrowed;
use memchr::memmem::Finder;

use super::intern::{BitSet, Tables, Texts};

/// Words of a search that count; more would only cost.
const MAX_WORDS: usize = 8;
/// Separates texts; folding leaves none in them.
const END: char = '\0';

/// All texts folded, one behind the other, so that a word is found by one pass over them. Made when the first search
/// comes, and followed from then on.
#[derive(Debug, Default)]
pub(super) struct Search {
    folded: String,
    /// By text: where it ends in `folded`, its separator included.
    ends: Vec<usize>,
}

impl Search {
    /// Forgets the texts: their numbers have changed.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The songs whose artist or title holds each word of `text`; none for no word.
    pub(super) fn songs(&mut self, tables: &Tables, text: &str) -> BitSet {
        self.follow(&tables.texts);
        let folded = fold(text);
        let words = folded.split_whitespace().take(MAX_WORDS).map(|word| self.texts_with(word));
        let words: Vec<BitSet> = words.collect();
        let mut songs = BitSet::new(tables.song_count());
        if words.is_empty() {
            return songs;
        }
        for song in 0..tables.song_count() as u32 {
            let (artist, title) = tables.song_texts(song);
            if words.iter().all(|texts| texts.contains(artist) || texts.contains(title)) {
                songs.insert(song);
            }
        }
        songs
    }

    fn follow(&mut self, texts: &Texts) {
        for id in self.ends.len()..texts.len() {
            self.folded.push_str(&fold(texts.get(id as u32).unwrap_or_default()));
            self.folded.push(END);
            self.ends.push(self.folded.len());
        }
    }

    fn texts_with(&self, word: &str) -> BitSet {
        let mut found = BitSet::new(self.ends.len());
        let finder = Finder::new(word);
        let mut from = 0;
        while let Some(at) = self.folded.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            let id = self.ends.partition_point(|&end| end <= from + at);
            found.insert(id as u32);
            // One hit a text is enough, which bounds the work by the number of texts.
            let Some(&end) = self.ends.get(id) else { break };
            from = end;
        }
        found
    }
}

/// Small letters without accents.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase().replace(END, " ");
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(text.chars());
    let bare = decomposed.filter(|char| !is_accent(*char)).flat_map(char::to_lowercase);
    let mut folded = String::with_capacity(text.len());
    for char in bare {
        match char {
            // At the end of a word; in capitals it is the other one.
            'ς' => folded.push('σ'),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ł' => folded.push('l'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ß' => folded.push_str("ss"),
            'þ' => folded.push_str("th"),
            END => folded.push(' '),
            // Capital I with a dot, made small, brings one of its own.
            other if is_accent(other) => {}
            other => folded.push(other),
        }
    }
    folded
}

fn is_accent(char: char) -> bool {
    matches!(char, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count() {
        for (text, folded) in [
            ("Björk", "bjork"),
            ("Οδυσσεύς", "οδυσσευσ"),
            ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
            ("MØ", "mo"),
            ("Sigur Rós", "sigur ros"),
            ("STRAẞE", "strasse"),
            ("Łódź", "lodz"),
            ("ISTANBUL İ", "istanbul i"),
            ("ｆｕｌｌ", "full"),
            ("Кино", "кино"),
            ("a\0b", "a b"),
            ("é\0b", "e b"),
        ] {
            assert_eq!(fold(text), folded);
        }
    }

    #[test]
    fn every_word_must_be_in_artist_or_title() {
        let mut tables = Tables::default();
        let names = [("Björk", "Jóga"), ("Björk", "Hunter"), ("The Hunters", "Joga bonito"), ("", "")];
        for (artist, title) in names {
            let (artist, title) = (tables.texts.intern(artist), tables.texts.intern(title));
            tables.song(artist, title);
        }
        let mut search = Search::default();
        let mut find = |text: &str| search.songs(&tables, text).iter().collect::<Vec<_>>();
        assert_eq!(find("JOGA"), [0, 2]);
        assert_eq!(find("joga björ"), [0]);
        assert_eq!(find(" hunt "), [1, 2]);
        assert_eq!(find("kj"), [0_u32; 0]);
        assert_eq!(find("\0"), [0_u32; 0]);
        assert_eq!(find("  "), [0_u32; 0]);
        let (artist, title) = (tables.texts.intern("Later"), tables.texts.intern("Jogar"));
        tables.song(artist, title);
        assert_eq!(search.songs(&tables, "joga").iter().collect::<Vec<_>>(), [0, 2, 4]);
    }
}
