//! Text, songs, users and who-was-active combinations as dense numbers, shared by all partitions.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};

use crate::schemas::dictionary::Values;
use crate::schemas::tuples::Tuples;

/// Stands for "no text" where a text id is expected.
pub(super) const NO_TEXT: u32 = u32::MAX;

/// Text ids of level, gender and state ([`NO_TEXT`] where null).
pub(super) type Profile = [u32; 3];

type Index<K> = HashMap<K, u32, RandomState>;

/// Texts that are looked for at once.
const AT_ONCE: usize = 64;

/// Distinct strings. Ids are dense from 0.
#[derive(Debug, Default)]
pub(super) struct Texts {
    values: Values,
    index: HashTable<u32>,
    hasher: RandomState,
}

impl Texts {
    pub(super) fn get(&self, id: u32) -> Option<&str> {
        self.values.get(id)
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn intern(&mut self, text: &str) -> u32 {
        self.intern_hashed(self.hasher.hash_one(text), text)
    }

    /// Appends the ids of `texts` to `ids`. A step is taken for some of them at once, so that they do not wait for each
    /// other's cache misses: one in the index, one for the place, one in the text.
    pub(super) fn intern_all<'t>(&mut self, mut texts: impl Iterator<Item = &'t str>, ids: &mut Vec<u32>) {
        let (mut some, mut likely) = (Vec::<(&str, u64, Option<u32>)>::new(), Vec::new());
        loop {
            some.clear();
            some.extend(texts.by_ref().take(AT_ONCE).map(|text| {
                let hash = self.hasher.hash_one(text);
                (text, hash, self.index.find(hash, |_| true).copied())
            }));
            if some.is_empty() {
                return;
            }
            likely.clear();
            likely.extend(some.iter().map(|&(_, _, id)| self.values.span(id?)));
            for (&(text, hash, id), span) in some.iter().zip(&likely) {
                let known =
                    id.filter(|_| span.clone().and_then(|span| self.values.slice(span)) == Some(text));
                ids.push(known.unwrap_or_else(|| self.intern_hashed(hash, text)));
            }
        }
    }

    fn intern_hashed(&mut self, hash: u64, text: &str) -> u32 {
        let Self { values, index, hasher } = self;
        if let Some(&id) = index.find(hash, |&id| values.get(id) == Some(text)) {
            return id;
        }
        let id = values.push(text);
        index.insert_unique(hash, id, |&id| hasher.hash_one(values.get(id).unwrap_or_default()));
        id
    }
}

/// A user together with what it was then: what `active` entries of panes name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Combination {
    /// User number.
    pub(super) user: u32,
    /// Number of the profile, see [`Tables::profile`].
    pub(super) profile: u32,
}

/// The combination that a user was seen with last, and the last pane that has it from there.
#[derive(Debug, Clone, Copy)]
struct LastSeen {
    profile: u32,
    id: u32,
    pane: u32,
}

const NEVER_SEEN: LastSeen = LastSeen { profile: NONE, id: NONE, pane: NONE };

/// Not there (yet).
const NONE: u32 = u32::MAX;

/// All interners. A row's look-ups are arranged to touch one small entry each, for with millions of users what
/// they cost is cache misses.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) texts: Texts,
    songs: Vec<(u32, u32)>,
    /// By title: the song seen last, as (artist, song). Most titles belong to one artist.
    song_of_title: Vec<(u32, u32)>,
    /// Songs whose title more than one artist has.
    song_index: Index<(u32, u32)>,
    users: Users,
    /// By user: the combination seen last. Most rows repeat it.
    last: Vec<LastSeen>,
    panes: u32,
    profiles: Tuples<3>,
    combinations: Vec<Combination>,
    /// Combinations, by (user, profile), of the users who have more than one.
    combination_index: Index<(u32, u32)>,
}

/// Ids below this are their own numbers, so that finding them touches no table: services number their users from 1.
const OWN_NUMBERS: u32 = 1 << 21;

/// Numbers of users: small ids as they are, the others from [`OWN_NUMBERS`] on in order of arrival.
#[derive(Debug, Default)]
struct Users {
    others: Vec<i64>,
    index: Index<i64>,
}

impl Users {
    #[inline]
    fn number(&mut self, id: i64) -> u32 {
        if (0..i64::from(OWN_NUMBERS)).contains(&id) { id as u32 } else { self.other_number(id) }
    }

    fn other_number(&mut self, id: i64) -> u32 {
        let next = OWN_NUMBERS + self.others.len() as u32;
        let number = *self.index.entry(id).or_insert(next);
        if number == next {
            self.others.push(id);
        }
        number
    }

    fn id(&self, number: u32) -> i64 {
        match number.checked_sub(OWN_NUMBERS) {
            None => i64::from(number),
            Some(place) => self.others.get(place as usize).copied().unwrap_or(i64::MIN),
        }
    }
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
    pub(super) texts: Vec<u32>,
}

impl Live {
    /// Songs and combinations marked.
    pub(super) fn len(&self) -> usize {
        self.songs.len() + self.combinations.len()
    }
}

impl Tables {
    /// Number of songs; every song id is below it.
    pub(super) fn song_count(&self) -> usize {
        self.songs.len()
    }

    /// Every user number in use is below it.
    pub(super) fn user_bound(&self) -> usize {
        self.last.len()
    }

    /// Number of combinations; every combination id is below it.
    pub(super) fn combination_count(&self) -> usize {
        self.combinations.len()
    }

    /// Songs and combinations held: all else comes with them, two texts with a song; or half the texts where there are more, for
    /// those of rows that count nowhere come alone.
    pub(super) fn len(&self) -> usize {
        (self.songs.len() + self.combinations.len()).max(self.texts.len() / 2)
    }

    /// The song of `artist` and `title` (text ids).
    #[inline]
    pub(super) fn song(&mut self, artist: u32, title: u32) -> u32 {
        match self.song_of_title.get(title as usize) {
            Some(&(last, song)) if last == artist && song != NONE => song,
            _ => self.other_song(artist, title),
        }
    }

    fn other_song(&mut self, artist: u32, title: u32) -> u32 {
        let title_at = title as usize;
        if title_at >= self.song_of_title.len() {
            self.song_of_title.resize(self.texts.len().max(title_at + 1), (NONE, NONE));
        }
        let next = self.songs.len() as u32;
        let (last, song_of_last) = self.song_of_title[title_at];
        let song = if song_of_last == NONE {
            next
        } else {
            self.song_index.insert((last, title), song_of_last);
            *self.song_index.entry((artist, title)).or_insert(next)
        };
        if song == next {
            self.songs.push((artist, title));
        }
        self.song_of_title[title_at] = (artist, song);
        song
    }

    /// Artist and title of a song.
    pub(super) fn song_texts(&self, song: u32) -> (u32, u32) {
        self.songs.get(song as usize).copied().unwrap_or((NO_TEXT, NO_TEXT))
    }

    /// The number of a user.
    #[inline]
    pub(super) fn user(&mut self, id: i64) -> u32 {
        self.users.number(id)
    }

    /// The user id of a number.
    pub(super) fn user_id(&self, user: u32) -> i64 {
        self.users.id(user)
    }

    /// The number of a profile.
    #[inline]
    pub(super) fn profile_number(&mut self, profile: Profile) -> u32 {
        self.profiles.profile_number(profile)
    }

    /// The profile of a number.
    #[inline]
    pub(super) fn profile(&self, number: u32) -> Profile {
        self.profiles.get(number).unwrap_or([NO_TEXT; 3])
    }

    /// The combination of a user (number) and a profile (number).
    #[inline]
    pub(super) fn combination(&mut self, user: u32, profile: u32) -> u32 {
        match self.last.get(user as usize) {
            Some(last) if last.profile == profile && last.id != NONE => last.id,
            _ => self.other_combination(user, profile),
        }
    }

    /// A number for a pane that no other has; 0 is given to none.
    pub(super) fn pane_number(&mut self) -> u32 {
        self.panes = self.panes.saturating_add(1);
        self.panes
    }

    /// Notes that a pane gets a user's combination; false if it is known to have it, which spares the pane most
    /// repetitions (not all: a user's last pane is all that is kept).
    #[inline]
    pub(super) fn enters_pane(&mut self, user: u32, combination: u32, pane: u32) -> bool {
        match self.last.get_mut(user as usize) {
            Some(last) if last.id == combination => {
                let known = last.pane == pane && pane != NONE;
                last.pane = pane;
                !known
            }
            _ => true,
        }
    }

    fn other_combination(&mut self, user: u32, profile: u32) -> u32 {
        let user_at = user as usize;
        if user_at >= self.last.len() {
            self.last.resize(user_at + 1, NEVER_SEEN);
        }
        let next = self.combinations.len() as u32;
        let last = self.last[user_at];
        let id = if last.id == NONE {
            next
        } else {
            self.combination_index.insert((user, last.profile), last.id);
            *self.combination_index.entry((user, profile)).or_insert(next)
        };
        if id == next {
            self.combinations.push(Combination { user, profile });
        }
        self.last[user_at] = LastSeen { profile, id, pane: NONE };
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
        self.panes = old.panes;
        let mut new_ids = Renumbering {
            songs: vec![u32::MAX; old.songs.len()],
            users: vec![u32::MAX; old.user_bound()],
            combinations: vec![u32::MAX; old.combinations.len()],
            texts: Vec::new(),
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
                new_ids.songs[id] = self.song(artist, title);
            }
        }
        let mut users = BitSet::new(old.user_bound());
        for (id, combination) in old.combinations.iter().enumerate() {
            if live.combinations.contains(id as u32) {
                users.insert(combination.user);
            }
        }
        for user in users.iter() {
            new_ids.users[user as usize] = self.user(old.user_id(user));
        }
        for (id, combination) in old.combinations.iter().enumerate() {
            if live.combinations.contains(id as u32) {
                let profile = old.profile(combination.profile).map(|id| text(&mut self.texts, id));
                let profile = self.profile_number(profile);
                new_ids.combinations[id] =
                    self.combination(new_ids.users[combination.user as usize], profile);
            }
        }
        new_ids.texts = texts;
        new_ids
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

    /// Takes all members out.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn many_at_once_are_as_one_by_one(parts in prop::collection::vec(prop::collection::vec(0..300_u32, 0..400), 0..4)) {
            let (mut at_once, mut one_by_one) = (Texts::default(), Texts::default());
            for part in parts {
                let part: Vec<String> = part.iter().map(u32::to_string).collect();
                let mut ids = vec![7];
                at_once.intern_all(part.iter().map(String::as_str), &mut ids);
                let expected: Vec<u32> = part.iter().map(|text| one_by_one.intern(text)).collect();
                prop_assert_eq!(&ids[1..], expected);
                prop_assert!(part.iter().zip(&ids[1..]).all(|(text, &id)| at_once.get(id) == Some(text)));
            }
            prop_assert_eq!(at_once.len(), one_by_one.len());
        }
    }
}
