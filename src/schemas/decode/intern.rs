//! Interning: the bytes between a string's quotes become dictionary keys, unescaped and repaired on first sight only.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::privacy::Privacy;
use super::repair;
use super::table::{LongTable, ShortTable};
use crate::schemas::column::NULL_KEY;
use crate::schemas::dictionary::Dictionary;
use crate::schemas::field::Repair;

/// Longest spelling, in bytes, that is its own hash table key.
pub(super) const SHORT: usize = 15;

/// The dictionary keys that a spelling stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keys {
    /// Key of the text, after repair.
    pub(super) text: u32,
    /// Key (in the raw dictionary) of the text as it arrived, where repair changed it and there is such a
    /// dictionary; else [`NULL_KEY`].
    pub(super) raw: u32,
}

/// A text column's dictionary and the ways into it.
pub(super) struct TextInterner {
    repair: Repair,
    hasher: RandomState,
    /// Spellings of at most [`SHORT`] bytes, packed by [`pack`].
    short: ShortTable,
    /// Longer spellings.
    long: LongTable,
    texts: Texts,
    raw: Option<Texts>,
    privacy: Privacy,
}

impl TextInterner {
    /// `keeps_raw`: whether what arrived is kept where repair changes it.
    pub(super) fn new(repair: Repair, keeps_raw: bool) -> Self {
        let hasher = RandomState::default();
        let seeds = [hasher.hash_one(1u64) | 1, hasher.hash_one(2u64) | 1];
        Self {
            repair,
            hasher,
            short: ShortTable::new(seeds),
            long: LongTable::new(),
            texts: Texts::default(),
            raw: keeps_raw.then(Texts::default),
            privacy: Privacy::Keep,
        }
    }

    /// Hides the texts; no column that is hidden keeps raw ones.
    pub(super) fn with_privacy(self, privacy: Privacy) -> Self {
        Self { privacy, ..self }
    }

    /// Dictionary of the texts.
    pub(super) fn dictionary(&self) -> &Arc<Dictionary> {
        &self.texts.dictionary
    }

    /// Dictionary of the texts as they arrived, where repair changed them.
    pub(super) fn raw_dictionary(&self) -> Option<&Arc<Dictionary>> {
        self.raw.as_ref().map(|raw| &raw.dictionary)
    }

    /// Bytes of memory held besides the struct itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = [Some(&self.texts), self.raw.as_ref()].into_iter().flatten();
        self.short.heap_bytes() + self.long.heap_bytes() + texts.map(Texts::heap_bytes).sum::<usize>()
    }

    /// Hash of a spelling of at most [`SHORT`] bytes, packed by [`pack`]; [`TextInterner::find_short`] is coming.
    #[inline(always)]
    pub(super) fn expect_short(&self, spelling: [u64; 2]) -> u64 {
        self.short.prefetch(spelling)
    }

    /// Keys of a packed spelling with this hash, if it was met before.
    #[inline(always)]
    pub(super) fn find_short(&self, hash: u64, spelling: [u64; 2]) -> Option<Keys> {
        self.short.find(hash, spelling)
    }

    /// Hash of a spelling of more than [`SHORT`] bytes; [`TextInterner::find_long`] is coming.
    #[inline(always)]
    pub(super) fn expect_long(&self, spelling: &[u8]) -> u64 {
        let hash = self.hasher.hash_one(spelling);
        self.long.prefetch_slot(hash);
        hash
    }

    /// The same, a little later: what [`TextInterner::expect_long`] asked for is there.
    #[inline(always)]
    pub(super) fn expect_long_soon(&self, hash: u64) {
        self.long.prefetch_spelling(hash);
    }

    /// Keys of a longer spelling with this hash, if it was met before.
    #[inline(always)]
    pub(super) fn find_long(&self, hash: u64, spelling: &[u8]) -> Option<Keys> {
        self.long.find(hash, spelling)
    }

    /// Keys of the JSON string `quoted` (its quotes included) that was not met before. None if it is no JSON string.
    #[cold]
    #[inline(never)]
    pub(super) fn insert_quoted(&mut self, quoted: &[u8]) -> Option<Keys> {
        let spelling = quoted.get(1..quoted.len().checked_sub(1)?)?;
        // serde_json checks UTF-8, escapes and control characters here, so a spelling in the table is a valid one.
        if !spelling.contains(&b'\\') {
            return Some(self.intern(serde_json::from_slice::<&str>(quoted).ok()?));
        }
        let text = serde_json::from_slice::<String>(quoted).ok()?;
        let keys = self.met(&text).unwrap_or_else(|| self.keys_of(&text, Found::ByText));
        self.remember(spelling, keys);
        Some(keys)
    }

    /// Keys of a text that is unescaped already.
    pub(super) fn intern(&mut self, text: &str) -> Keys {
        if !is_spelling(text) {
            return self.keys_of(text, Found::ByText);
        }
        let spelling = text.as_bytes();
        self.find(spelling).unwrap_or_else(|| {
            let keys = self.keys_of(text, Found::BySpelling);
            self.remember(spelling, keys);
            keys
        })
    }

    /// Keys of a text that was met without escapes.
    fn met(&self, text: &str) -> Option<Keys> {
        if is_spelling(text) { self.find(text.as_bytes()) } else { None }
    }

    /// Keys of a text that is not [`TextInterner::met`].
    fn keys_of(&mut self, text: &str, found: Found) -> Keys {
        let repaired = repair::repair(self.repair, text);
        if self.privacy.hides() {
            let stored = self.privacy.stored(repaired.as_deref().unwrap_or(text));
            let text =
                stored.map_or(NULL_KEY, |stored| self.texts.key_of(&stored, &self.hasher, Found::ByText));
            return Keys { text, raw: NULL_KEY };
        }
        match repaired {
            Some(repaired) => Keys {
                text: self.key_of_repaired(&repaired),
                raw: self.raw.as_mut().map_or(NULL_KEY, |raw| raw.key_of(text, &self.hasher, found)),
            },
            None => Keys { text: self.texts.key_of(text, &self.hasher, found), raw: NULL_KEY },
        }
    }

    fn key_of_repaired(&mut self, repaired: &str) -> u32 {
        match self.met(repaired) {
            // Else it would be repaired further where it came like this.
            Some(keys) if self.texts.dictionary.read().get(keys.text) == Some(repaired) => keys.text,
            _ => self.texts.key_of(repaired, &self.hasher, Found::ByText),
        }
    }

    fn find(&self, spelling: &[u8]) -> Option<Keys> {
        if spelling.len() <= SHORT {
            let packed = pack(spelling);
            self.find_short(self.expect_short(packed), packed)
        } else {
            self.find_long(self.expect_long(spelling), spelling)
        }
    }

    fn remember(&mut self, spelling: &[u8], keys: Keys) {
        if spelling.len() <= SHORT {
            self.short.insert(pack(spelling), keys);
        } else {
            self.long.insert(self.hasher.hash_one(spelling), spelling, keys);
        }
    }
}

/// A spelling of at most [`SHORT`] bytes as two integers: its bytes, then its length in the highest byte.
pub(super) fn pack(spelling: &[u8]) -> [u64; 2] {
    let mut bytes = [0; 16];
    if let Some(front) = bytes.get_mut(..spelling.len()) {
        front.copy_from_slice(spelling);
    }
    pack_word(u128::from_le_bytes(bytes), spelling.len())
}

/// [`pack`] of the first `len` (at most [`SHORT`]) bytes of `word`.
#[inline(always)]
#[allow(clippy::indexing_slicing, reason = "the index is masked to the array's length")]
pub(super) fn pack_word(word: u128, len: usize) -> [u64; 2] {
    let [low, high] = MASKS[len & 15];
    [word as u64 & low, (word >> 64) as u64 & high | (len as u64) << 56]
}

/// For each length the bits of that many bytes; shifting 128 bits by a variable costs more than a look.
#[allow(clippy::indexing_slicing, reason = "worked out by the compiler, which would say so")]
const MASKS: [[u64; 2]; 16] = {
    let mut masks = [[0; 2]; 16];
    let mut len = 1;
    while len < 16 {
        let mask = u128::MAX >> (128 - 8 * len);
        masks[len] = [mask as u64, (mask >> 64) as u64];
        len += 1;
    }
    masks
};

/// How a text will be found from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// It was met without escapes, and that spelling is remembered: no other way to it is needed.
    BySpelling,
    ByText,
}

/// Whether a text may be found by its own bytes. JSON has a backslash and control characters only escaped: whoever writes
/// such bytes means another text, or none. (Nobody can ask for a spelling with a quote.)
fn is_spelling(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && byte != b'\\')
}

/// Distinct texts: a dictionary and the way back from a text to its key.
#[derive(Default)]
struct Texts {
    dictionary: Arc<Dictionary>,
    /// Keys of those that are to be found by text, by their hashes.
    index: HashTable<u32>,
}

impl Texts {
    fn heap_bytes(&self) -> usize {
        self.dictionary.read().heap_bytes() + self.index.allocation_size()
    }

    /// The key of a text that is not found by its spelling so far.
    fn key_of(&mut self, text: &str, hasher: &RandomState, found: Found) -> u32 {
        if self.index.is_empty() && found == Found::BySpelling {
            return self.dictionary.push(text);
        }
        let hash = hasher.hash_one(text);
        let known = {
            let values = self.dictionary.read();
            self.index.find(hash, |&key| values.get(key) == Some(text)).copied()
        };
        known.unwrap_or_else(|| {
            let key = self.dictionary.push(text);
            if found == Found::ByText {
                let values = self.dictionary.read();
                self.index
                    .insert_unique(hash, key, |&key| hasher.hash_one(values.get(key).unwrap_or_default()));
            }
            key
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn each_spelling_keeps_its_text(
            texts in prop::collection::vec("[ab\\\\\"éÃ©\u{1}]{0,18}|[a\"]{0,5}|Beyonc(é|Ã©|Ã\u{83}Â©) and others", 1..60),
            repair in prop::sample::select(vec![Repair::None, Repair::Unquote, Repair::Decode]),
        ) {
            let mut interner = TextInterner::new(repair, true);
            let mut met = Vec::new();
            for (turn, text) in texts.iter().enumerate() {
                let escaped: String = text.chars().map(|letter| format!("\\u{:04x}", u32::from(letter))).collect();
                let quoted = if turn % 3 == 0 { format!("\"{escaped}\"") } else { serde_json::to_string(text).unwrap() };
                let spelling = &quoted.as_bytes()[1..quoted.len() - 1];
                let keys = if turn % 3 == 1 {
                    interner.intern(text)
                } else {
                    interner.find(spelling).unwrap_or_else(|| interner.insert_quoted(quoted.as_bytes()).unwrap())
                };
                met.push((text, repair::repair(repair, text), keys));
            }
            let (values, raw) = (interner.dictionary().read(), interner.raw_dictionary().unwrap().read());
            let (mut distinct, mut raws) = (std::collections::HashSet::new(), std::collections::HashSet::new());
            for (text, repaired, keys) in &met {
                let expected = repaired.as_deref().unwrap_or(text);
                prop_assert_eq!(values.get(keys.text), Some(expected));
                prop_assert_eq!(raw.get(keys.raw), repaired.as_ref().map(|_| text.as_str()));
                distinct.insert(expected);
                if repaired.is_some() {
                    raws.insert(text);
                }
            }
            prop_assert_eq!((values.len(), raw.len()), (distinct.len(), raws.len()));
        }

        #[test]
        fn packing_the_front_of_a_word_is_packing_a_slice(bytes in any::<[u8; 16]>(), len in 0..=SHORT) {
            prop_assert_eq!(pack_word(u128::from_le_bytes(bytes), len), pack(&bytes[..len]));
        }
    }

    #[test]
    fn what_is_no_json_string_is_not_interned() {
        let mut interner = TextInterner::new(Repair::None, false);
        for quoted in [&b"\"\xff\""[..], b"\"\\x\"", b"\"\\ud800\"", b"\"a\nb\"", b"\"", b""] {
            assert_eq!(interner.insert_quoted(quoted), None, "{quoted:?}");
        }
        assert!(interner.dictionary().read().is_empty());
    }

    #[test]
    fn what_must_be_escaped_is_not_found_where_it_is_not() {
        for text in ["New\tYork", "I Won\u{13}t", "a\\n", "a text of more than fifteen bytes\n"] {
            let mut interner = TextInterner::new(Repair::Decode, true);
            let quoted = serde_json::to_string(text).unwrap();
            let keys = interner.insert_quoted(quoted.as_bytes()).unwrap();
            assert_eq!(interner.intern(text), keys, "{text:?}");
            assert_eq!(interner.find(text.as_bytes()), None, "{text:?}");
            assert_eq!(interner.find(&quoted.as_bytes()[1..quoted.len() - 1]), Some(keys), "{text:?}");
        }
    }

    #[test]
    fn spellings_of_one_repaired_text_share_its_key() {
        let mut interner = TextInterner::new(Repair::Decode, true);
        let plain = interner.intern("Beyoncé");
        let mangled = interner.intern("Beyonc\u{c3}\u{a9}");
        let escaped = interner.insert_quoted(br#""Beyonc\u00c3\u00a9""#).unwrap();
        assert_eq!((plain.text, plain.raw), (mangled.text, NULL_KEY));
        assert_eq!(mangled, escaped);
        let raw = interner.raw_dictionary().unwrap().read();
        assert_eq!(raw.get(mangled.raw), Some("Beyonc\u{c3}\u{a9}"));
    }

    #[test]
    fn all_that_it_holds_counts() {
        let mut interner = TextInterner::new(Repair::Decode, true);
        let text_bytes = |interner: &TextInterner| {
            interner.dictionary().read().text_bytes() + interner.raw_dictionary().unwrap().read().text_bytes()
        };
        assert_eq!((interner.heap_bytes(), text_bytes(&interner)), (0, 0));
        interner.insert_quoted(br#""a""#).unwrap();
        let short = interner.heap_bytes();
        assert!(short >= 16 * 24, "{short}");
        // Another spelling of the same text.
        interner.insert_quoted(br#""\u0061 \u0061 \u0061""#).unwrap();
        interner.insert_quoted(br#""a a a""#).unwrap();
        let long = interner.heap_bytes() - short;
        assert!(long >= 16 * 24, "{long}");
        let texts = text_bytes(&interner);
        interner.insert_quoted(format!("\"{}\u{c3}\u{a9}\"", "x".repeat(1000)).as_bytes()).unwrap();
        assert!(interner.heap_bytes() >= short + long + 3000, "spelling, text and what arrived");
        assert!((2000..2100).contains(&(text_bytes(&interner) - texts)), "text and what arrived");
    }
}
