//! Text, songs, users and who-was-active combinations as dense numbers, shared by all partitions.

use std::hash::BuildHasher;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::schemas::{Dictionary, TextColumn};

/// Stands for "no text" where a text id is expected.
pub(super) const NO_TEXT: u32 = u32::MAX;

/// Text ids of level, gender and state ([`NO_TEXT`] where null).
pub(super) type Profile = [u32; 3];

type Index<K> = HashMap<K, u32, RandomState>;

/// Distinct strings. Ids are dense from 0; four billion of them do not fit into memory, so `u32` does not overflow.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: String,
    ends: Vec<usize>,
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        text_at(&self.bytes, &self.ends, id)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn intern(&mut self, text: &str) -> u32 {
        let Self { bytes, ends, index, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&id) = index.find(hash, |&id| text_at(bytes, ends, id) == Some(text)) {
            return id;
        }
        let id = ends.len() as u32;
        bytes.push_str(text);
        ends.push(bytes.len());
        index.insert_unique(hash, id, |&id| hasher.hash_one(text_at(bytes, ends, id).unwrap_or_default()));
        id
    }
}

fn text_at<'a>(bytes: &'a str, ends: &[usize], id: u32) -> Option<&'a str> {
    let id = id as usize;
    let end = *ends.get(id)?;
    let start = if id == 0 { 0 } else { *ends.get(id - 1)? };
    bytes.get(start..end)
}

#[derive(Debug, Clone, Copy)]
struct User {
    id: i64,
    /// The combination seen last: most rows repeat it, which saves a look-up.
    key: u32,
}

/// A user together with what it was then: what `active` entries of panes name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Combination {
    /// Dense user number.
    pub(super) user: u32,
    /// Level, gender, state.
    pub(super) profile: Profile,
}

/// All interners.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) texts: Texts,
    songs: Vec<(u32, u32)>,
    song_index: Index<(u32, u32)>,
    users: Vec<User>,
    user_index: Index<i64>,
    profile_index: Index<Profile>,
    combinations: Vec<Combination>,
    /// By (user, profile number).
    combination_index: Index<(u32, u32)>,
}

/// Marks the ids that panes still refer to.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) songs: BitSet,
    pub(super) combinations: BitSet,
}

/// Old id to new id; monotone, so sorted lists stay sorted. Ids that are gone map to [`u32::MAX`].
#[derive(Debug)]
pub(super) struct Renumbering {
    pub(super) songs: Vec<u32>,
    pub(super) users: Vec<u32>,
    pub(super) combinations: Vec<u32>,
}

impl Tables {
    /// Number of songs; every song id is below it.
    pub(super) fn song_count(&self) -> usize {
        self.songs.len()
    }

    /// Number of users; every user number is below it.
    pub(super) fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Number of combinations; every combination id is below it.
    pub(super) fn combination_count(&self) -> usize {
        self.combinations.len()
    }

    /// Entries in all tables: what compaction is decided by.
    pub(super) fn entries(&self) -> usize {
        self.texts.len() + self.songs.len() + self.users.len() + self.combinations.len()
    }

    /// The song of `artist` and `title` (text ids).
    #[inline]
    pub(super) fn song(&mut self, artist: u32, title: u32) -> u32 {
        let next = self.songs.len() as u32;
        let id = *self.song_index.entry((artist, title)).or_insert(next);
        if id == next {
            self.songs.push((artist, title));
        }
        id
    }

    /// Artist and title of a song.
    pub(super) fn song_texts(&self, song: u32) -> (u32, u32) {
        self.songs.get(song as usize).copied().unwrap_or((NO_TEXT, NO_TEXT))
    }

    /// The dense number of a user.
    #[inline]
    pub(super) fn user(&mut self, id: i64) -> u32 {
        let next = self.users.len() as u32;
        let user = *self.user_index.entry(id).or_insert(next);
        if user == next {
            self.users.push(User { id, key: u32::MAX });
        }
        user
    }

    /// The user id of a dense number.
    pub(super) fn user_id(&self, user: u32) -> i64 {
        self.users.get(user as usize).map_or(i64::MIN, |user| user.id)
    }

    /// The combination of a user (dense number) and a profile.
    #[inline]
    pub(super) fn combination(&mut self, user: u32, profile: Profile) -> u32 {
        let last = self.users.get(user as usize).map_or(u32::MAX, |user| user.key);
        if self.combinations.get(last as usize).is_some_and(|known| known.profile == profile) {
            return last;
        }
        self.other_combination(user, profile)
    }

    fn other_combination(&mut self, user: u32, profile: Profile) -> u32 {
        let next_profile = self.profile_index.len() as u32;
        let number = *self.profile_index.entry(profile).or_insert(next_profile);
        let next = self.combinations.len() as u32;
        let id = *self.combination_index.entry((user, number)).or_insert(next);
        if id == next {
            self.combinations.push(Combination { user, profile });
        }
        if let Some(user) = self.users.get_mut(user as usize) {
            user.key = id;
        }
        id
    }

    /// What a combination id stands for.
    #[inline]
    pub(super) fn combination_at(&self, id: u32) -> Option<&Combination> {
        self.combinations.get(id as usize)
    }

    /// No ids marked.
    pub(super) fn no_live(&self) -> Live {
        Live { songs: BitSet::new(self.songs.len()), combinations: BitSet::new(self.combinations.len()) }
    }

    /// Drops what is not `live` and says how the rest is numbered now. Every user that panes refer to must be
    /// the user of a live combination.
    pub(super) fn compact(&mut self, live: &Live) -> Renumbering {
        let old = std::mem::take(self);
        let mut gone = Renumbering {
            songs: vec![u32::MAX; old.songs.len()],
            users: vec![u32::MAX; old.users.len()],
            combinations: vec![u32::MAX; old.combinations.len()],
        };
        let mut texts = vec![u32::MAX; old.texts.len()];
        let mut text = |new: &mut Texts, id: u32| -> u32 {
            let Some(slot) = texts.get_mut(id as usize) else { return NO_TEXT };
            if *slot == u32::MAX {
                *slot = new.intern(old.texts.get(id).unwrap_or_default());
            }
            *slot
        };
        for (id, &(artist, title)) in old.songs.iter().enumerate() {
            if live.songs.contains(id as u32) {
                let (artist, title) = (text(&mut self.texts, artist), text(&mut self.texts, title));
                gone.songs[id] = self.song(artist, title);
            }
        }
        let mut users = BitSet::new(old.users.len());
        for (id, combination) in old.combinations.iter().enumerate() {
            if live.combinations.contains(id as u32) {
                users.insert(combination.user);
            }
        }
        for user in users.iter() {
            gone.users[user as usize] = self.user(old.user_id(user));
        }
        for (id, combination) in old.combinations.iter().enumerate() {
            if live.combinations.contains(id as u32) {
                let profile = combination.profile.map(|id| text(&mut self.texts, id));
                gone.combinations[id] = self.combination(gone.users[combination.user as usize], profile);
            }
        }
        gone
    }
}

/// Dense set of small numbers.
#[derive(Debug, Clone)]
pub(super) struct BitSet {
    words: Vec<u64>,
}

impl BitSet {
    /// An empty set that can hold `0..len`; greater numbers are never members.
    pub(super) fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)] }
    }

    /// Adds a number; says whether it is new.
    #[inline]
    pub(super) fn insert(&mut self, id: u32) -> bool {
        let Some(word) = self.words.get_mut(id as usize / 64) else { return false };
        let bit = 1 << (id % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    #[inline]
    pub(super) fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }

    pub(super) fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Members in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                (rest != 0).then(|| {
                    rest &= rest - 1;
                    index as u32 * 64 + bit
                })
            })
        })
    }
}

const UNSEEN: u32 = u32::MAX - 1;

/// For each dictionary that batches came with: its keys as text ids, so that a row costs no hash.
#[derive(Debug, Default)]
pub(super) struct Remaps {
    known: Vec<Remap>,
}

#[derive(Debug)]
struct Remap {
    /// The weak reference keeps the address from being given to another dictionary.
    dictionary: Weak<Dictionary>,
    texts: Vec<u32>,
}

impl Remaps {
    /// Forgets all: text ids changed.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// Makes sure that every key of `rows` has its text id; returns the place of the column's remap.
    pub(super) fn prepare(
        &mut self,
        texts: &mut Texts,
        column: &TextColumn,
        rows: std::ops::Range<usize>,
    ) -> usize {
        let place = self.place_of(&column.dictionary);
        let (Some(remap), Some(keys)) = (self.known.get_mut(place), column.keys.get(rows)) else {
            return place;
        };
        let unseen = |remap: &Remap, key: u32| remap.texts.get(key as usize).is_none_or(|&id| id == UNSEEN);
        let is_new = |remap: &Remap, key: u32| key != crate::schemas::column::NULL_KEY && unseen(remap, key);
        if keys.iter().any(|&key| is_new(remap, key)) {
            let values = column.dictionary.read();
            remap.texts.resize(values.len().max(remap.texts.len()), UNSEEN);
            for &key in keys {
                if let (true, Some(text)) = (is_new(remap, key), values.get(key)) {
                    remap.texts[key as usize] = texts.intern(text);
                }
            }
        }
        place
    }

    /// The text ids by key, of a place that [`Remaps::prepare`] returned.
    pub(super) fn texts(&self, place: usize) -> &[u32] {
        self.known.get(place).map_or(&[], |remap| &remap.texts)
    }

    fn place_of(&mut self, dictionary: &Arc<Dictionary>) -> usize {
        let address = Arc::as_ptr(dictionary);
        if let Some(place) = self.known.iter().position(|remap| remap.dictionary.as_ptr() == address) {
            return place;
        }
        self.known.push(Remap { dictionary: Arc::downgrade(dictionary), texts: Vec::new() });
        self.known.len() - 1
    }

    /// Drops the remaps of dictionaries that nobody else holds any more.
    pub(super) fn purge(&mut self) {
        self.known.retain(|remap| remap.dictionary.strong_count() > 0);
    }
}

/// The text id of `key`; [`NO_TEXT`] for null and for keys that the dictionary does not have.
#[inline]
pub(super) fn text_id(texts: &[u32], key: u32) -> u32 {
    match texts.get(key as usize) {
        Some(&id) if id != UNSEEN => id,
        _ => NO_TEXT,
    }
}
