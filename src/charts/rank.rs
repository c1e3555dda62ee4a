//! Which songs of some panes are ahead of which.

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use super::pane::{Pane, SongPlays};
use super::state::Charts;
use super::window::{MINUTE_MS, StepPanes};

/// Places behind this one are not told: to tell places in the long tail apart, all of its listeners would be counted.
pub(super) const MAX_PLACE: usize = 1000;

/// A song that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate {
    pub(super) song: u32,
    pub(super) plays: u64,
    pub(super) listeners: u64,
    /// Event time of the last play, ms.
    pub(super) last: i64,
}

/// For each song its place in a list; `u32::MAX` for those that are not in it.
struct Places(Vec<u32>);

impl Places {
    fn of(songs: &[Candidate], song_count: usize) -> Self {
        let mut places = vec![u32::MAX; song_count];
        for (place, song) in (0_u32..).zip(songs) {
            if let Some(slot) = places.get_mut(song.song as usize) {
                *slot = place;
            }
        }
        Self(places)
    }

    #[inline]
    fn get(&self, song: u32) -> Option<usize> {
        self.0.get(song as usize).filter(|&&place| place != u32::MAX).map(|&place| place as usize)
    }
}

impl Charts {
    pub(super) fn panes_between<'a>(
        &'a self,
        minutes: &'a Range<i64>,
    ) -> impl Iterator<Item = (i64, &'a Pane)> {
        self.partitions.values().flat_map(|state| state.panes.between(minutes))
    }

    fn entries<'a>(&'a self, minutes: &'a Range<i64>) -> impl Iterator<Item = (i64, SongPlays)> + 'a {
        let panes = self.panes_between(minutes);
        panes.flat_map(|(minute, pane)| pane.plays.entries().iter().map(move |&entry| (minute, entry)))
    }

    /// Plays of each song.
    pub(super) fn plays(&self, minutes: &Range<i64>) -> Vec<u32> {
        let mut plays = vec![0_u32; self.tables.song_count()];
        for (_, entry) in self.entries(minutes) {
            if let Some(count) = plays.get_mut(entry.song() as usize) {
                *count = count.saturating_add(u32::from(entry.plays()));
            }
        }
        plays
    }

    /// The `limit` best of the songs with `plays`, best first.
    pub(super) fn best(&self, minutes: &Range<i64>, plays: &[u32], limit: usize) -> Vec<Candidate> {
        let Some(least) = nth_most(plays, limit) else { return Vec::new() };
        let mut songs = self.measured(minutes, plays, |plays| plays >= least);
        songs.truncate(limit);
        songs
    }

    /// The places of `songs` among all that have `plays`; none for those without, and behind [`MAX_PLACE`].
    pub(super) fn places(
        &self,
        minutes: &Range<i64>,
        plays: &[u32],
        songs: &[Candidate],
    ) -> Vec<Option<usize>> {
        let played = |song: &Candidate| plays.get(song.song as usize).copied().unwrap_or(0);
        let mut levels: Vec<u32> = songs.iter().map(played).filter(|&plays| plays > 0).collect();
        levels.sort_unstable();
        levels.dedup();
        let ahead = songs_ahead(plays, &levels);
        let told = levels.iter().zip(ahead).filter(|&(_, ahead)| ahead < MAX_PLACE);
        let told: Vec<(u32, usize)> = told.map(|(&plays, ahead)| (plays, ahead)).collect();
        let ahead_of = |plays: u32| told.binary_search_by_key(&plays, |&(plays, _)| plays).ok();
        let equals = self.measured(minutes, plays, |plays| ahead_of(plays).is_some());
        let mut places = vec![None; self.tables.song_count()];
        let mut level = (0, 0);
        for song in &equals {
            if level.0 != song.plays {
                let ahead = ahead_of(song.plays as u32).and_then(|at| told.get(at));
                level = (song.plays, ahead.map_or(0, |&(_, ahead)| ahead));
            }
            level.1 += 1;
            if let Some(slot) = places.get_mut(song.song as usize) {
                *slot = Some(level.1).filter(|&place| place <= MAX_PLACE);
            }
        }
        songs.iter().map(|song| places.get(song.song as usize).copied().flatten()).collect()
    }

    /// Plays of each of `songs` in each step.
    pub(super) fn trends(&self, steps: &StepPanes, songs: &[Candidate]) -> Vec<Vec<u32>> {
        let places = Places::of(songs, self.tables.song_count());
        let mut trends = vec![vec![0_u32; steps.len()]; songs.len()];
        for (minute, entry) in self.entries(&steps.panes) {
            let trend = places.get(entry.song()).and_then(|place| trends.get_mut(place));
            if let Some(count) = trend.and_then(|trend| trend.get_mut(steps.of(minute))) {
                *count += u32::from(entry.plays());
            }
        }
        trends
    }

    /// The songs whose plays are `chosen`, measured, best first.
    fn measured(&self, minutes: &Range<i64>, plays: &[u32], chosen: impl Fn(u32) -> bool) -> Vec<Candidate> {
        let chosen = (0_u32..).zip(plays).filter(|&(_, &plays)| plays > 0 && chosen(plays));
        let mut songs: Vec<Candidate> = chosen
            .map(|(song, &plays)| Candidate { song, plays: u64::from(plays), listeners: 0, last: i64::MIN })
            .collect();
        if songs.is_empty() {
            return songs;
        }
        let places = Places::of(&songs, plays.len());
        for (minute, entry) in self.entries(minutes) {
            if let Some(song) = places.get(entry.song()).and_then(|place| songs.get_mut(place)) {
                song.last = song.last.max(minute * MINUTE_MS + i64::from(entry.last()));
            }
        }
        self.count_listeners(minutes, &places, &mut songs);
        songs.sort_unstable_by(|a, b| self.compare(a, b));
        songs
    }

    fn count_listeners(&self, minutes: &Range<i64>, places: &Places, songs: &mut [Candidate]) {
        let mut pairs = Vec::new();
        let is_candidate = |pair: &u64| places.get((pair >> 32) as u32).is_some();
        for (_, pane) in self.panes_between(minutes) {
            let all = pane.listeners.items();
            if songs.len() * 16 >= all.len() {
                pairs.extend(all.iter().copied().filter(is_candidate));
                continue;
            }
            // Few songs among many pairs, which lie in order of song: look each song up.
            let mut tail: &[u64] = &[];
            for song in songs.iter() {
                let from = u64::from(song.song) << 32;
                let (of_song, rest) = pane.listeners.head_between_and_tail(from..from + (1 << 32));
                pairs.extend_from_slice(of_song);
                tail = rest;
            }
            pairs.extend(tail.iter().copied().filter(is_candidate));
        }
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs {
            let place = places.get((pair >> 32) as u32);
            if let Some(song) = place.and_then(|place| songs.get_mut(place)) {
                song.listeners += 1;
            }
        }
    }

    /// By plays, then listeners, then the earlier last play, then artist and song, which is a total order.
    fn compare(&self, a: &Candidate, b: &Candidate) -> Ordering {
        let key = |song: &Candidate| (Reverse(song.plays), Reverse(song.listeners), song.last);
        key(a).cmp(&key(b)).then_with(|| self.names(a.song).cmp(&self.names(b.song)))
    }

    /// Artist and title.
    pub(super) fn names(&self, song: u32) -> (&str, &str) {
        let (artist, title) = self.tables.song_texts(song);
        let text = |id| self.tables.texts.get(id).unwrap_or_default();
        (text(artist), text(title))
    }
}

/// The plays of the song at place `limit`, or of the last one that was played at all; none if there is none.
fn nth_most(plays: &[u32], limit: usize) -> Option<u32> {
    let mut played: Vec<u32> = plays.iter().copied().filter(|&plays| plays > 0).collect();
    let place = limit.min(played.len()).checked_sub(1)?;
    let (_, least, _) = played.select_nth_unstable_by_key(place, |&plays| Reverse(plays));
    Some(*least)
}

/// For each of `levels` (distinct, ascending): how many songs have more plays.
fn songs_ahead(plays: &[u32], levels: &[u32]) -> Vec<usize> {
    // At `n`: songs with more plays than just the first `n` levels.
    let mut beyond = vec![0_usize; levels.len() + 1];
    let least = levels.first().copied().unwrap_or(u32::MAX);
    for &plays in plays.iter().filter(|&&plays| plays > least) {
        let below = levels.partition_point(|&level| level < plays);
        if let Some(count) = beyond.get_mut(below) {
            *count += 1;
        }
    }
    let mut ahead: Vec<usize> = Vec::with_capacity(levels.len());
    let mut sum = 0;
    for count in beyond.iter().skip(1).rev() {
        sum += count;
        ahead.push(sum);
    }
    ahead.reverse();
    ahead
}
