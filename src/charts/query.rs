//! Top songs and active users of a window, merged over panes and partitions.

use std::cmp::{Ordering, Reverse};
use std::ops::Range;

use crate::schemas::EventKind;

use super::answer::{At, Group, SongRow, SongsAnswer, TimeMs, UsersAnswer, WindowSpan};
use super::intern::{BitSet, NO_TEXT};
use super::pane::Pane;
use super::state::Charts;
use super::window::{GroupBy, MINUTE_MS, Window};

/// A song that may be in the top.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    song: u32,
    plays: u64,
    listeners: u64,
    last: i64,
}

impl Charts {
    /// The `limit` most played songs of a window: by plays, then listeners, then the earlier last play, then artist
    /// and song, which is a total order.
    pub fn top_songs(&self, window: Window, at: At, limit: usize) -> SongsAnswer {
        let panes = window.panes_at(at, self.newest(), self.watermark());
        let minutes = panes.clone().unwrap_or(0..0);
        let mut songs = self.candidates(&minutes, limit);
        songs.sort_unstable_by(|a, b| self.compare(a, b));
        songs.truncate(limit);
        SongsAnswer {
            window: WindowSpan::new(window, panes.as_ref()),
            at,
            watermark: self.watermark().map(TimeMs),
            revision: self.revision(&minutes, |kind| kind == EventKind::Listen),
            partitions: self.coverage(),
            songs: songs.iter().enumerate().map(|(place, song)| self.song_row(place + 1, song)).collect(),
        }
    }

    /// The distinct users with an event in a window, and, with `by`, how many of them for each value.
    pub fn active_users(&self, window: Window, at: At, by: Option<GroupBy>) -> UsersAnswer {
        let panes = window.panes_at(at, self.newest(), self.watermark());
        let minutes = panes.clone().unwrap_or(0..0);
        let mut active = BitSet::new(self.tables.combination_count());
        for (_, pane) in self.panes_between(&minutes) {
            for &id in pane.active.items() {
                active.insert(id);
            }
        }
        let mut users = BitSet::new(self.tables.user_bound());
        let mut several = BitSet::new(self.tables.user_bound());
        for combination in active.iter().filter_map(|id| self.tables.combination_at(id)) {
            if !users.insert(combination.user) {
                several.insert(combination.user);
            }
        }
        UsersAnswer {
            window: WindowSpan::new(window, panes.as_ref()),
            at,
            watermark: self.watermark().map(TimeMs),
            revision: self.revision(&minutes, |_| true),
            partitions: self.coverage(),
            users: users.len() as u64,
            groups: by.map(|by| self.groups(by, &active, &several)),
        }
    }

    fn panes_between<'a>(&'a self, minutes: &'a Range<i64>) -> impl Iterator<Item = (i64, &'a Pane)> {
        self.partitions.values().flat_map(|state| state.panes.between(minutes))
    }

    fn revision(&self, minutes: &Range<i64>, counts: impl Fn(EventKind) -> bool) -> u64 {
        let partitions = self.partitions.iter().filter(|(source, _)| counts(source.kind));
        partitions.flat_map(|(_, state)| state.panes.between(minutes)).map(|(_, pane)| pane.late).sum()
    }

    /// Every song with at least as many plays as the one at place `limit`.
    fn candidates(&self, minutes: &Range<i64>, limit: usize) -> Vec<Candidate> {
        let mut plays = vec![0_u32; self.tables.song_count()];
        for (_, pane) in self.panes_between(minutes) {
            for entry in pane.plays.entries() {
                if let Some(count) = plays.get_mut(entry.song() as usize) {
                    *count = count.saturating_add(u32::from(entry.plays()));
                }
            }
        }
        let Some(least) = nth_most(&plays, limit) else { return Vec::new() };
        let mut place = vec![u32::MAX; plays.len()];
        let mut songs = Vec::new();
        for (song, &plays) in plays.iter().enumerate().filter(|(_, plays)| **plays >= least) {
            place[song] = songs.len() as u32;
            songs.push(Candidate {
                song: song as u32,
                plays: u64::from(plays),
                listeners: 0,
                last: i64::MIN,
            });
        }
        self.find_last_plays(minutes, &place, &mut songs);
        self.count_listeners(minutes, &place, &mut songs);
        songs
    }

    fn find_last_plays(&self, minutes: &Range<i64>, place: &[u32], songs: &mut [Candidate]) {
        for (minute, pane) in self.panes_between(minutes) {
            for entry in pane.plays.entries() {
                let place = place.get(entry.song() as usize).copied().unwrap_or(u32::MAX);
                if let Some(song) = songs.get_mut(place as usize) {
                    song.last = song.last.max(minute * MINUTE_MS + i64::from(entry.last()));
                }
            }
        }
    }

    fn count_listeners(&self, minutes: &Range<i64>, place: &[u32], songs: &mut [Candidate]) {
        let mut pairs = Vec::new();
        let is_candidate =
            |pair: &u64| place.get((pair >> 32) as usize).is_some_and(|&place| place != u32::MAX);
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
            let place = place.get((pair >> 32) as usize).copied().unwrap_or(u32::MAX);
            if let Some(song) = songs.get_mut(place as usize) {
                song.listeners += 1;
            }
        }
    }

    fn compare(&self, a: &Candidate, b: &Candidate) -> Ordering {
        let key = |song: &Candidate| (Reverse(song.plays), Reverse(song.listeners), song.last);
        key(a).cmp(&key(b)).then_with(|| self.names(a.song).cmp(&self.names(b.song)))
    }

    fn names(&self, song: u32) -> (&str, &str) {
        let (artist, title) = self.tables.song_texts(song);
        let text = |id| self.tables.texts.get(id).unwrap_or_default();
        (text(artist), text(title))
    }

    fn song_row(&self, rank: usize, song: &Candidate) -> SongRow {
        let (artist, title) = self.names(song.song);
        SongRow {
            rank,
            artist: artist.to_owned(),
            song: title.to_owned(),
            plays: song.plays,
            listeners: song.listeners,
            last_played: TimeMs(song.last),
        }
    }

    /// Users for each value: those of one combination are counted at once, the few of several are listed and sorted.
    fn groups(&self, by: GroupBy, active: &BitSet, several: &BitSet) -> Vec<Group> {
        let mut counts = vec![0_u64; self.tables.texts.len() + 1];
        let none = counts.len() - 1;
        let slot = |value: u32| (value as usize).min(none);
        let mut listed: Vec<(u32, u32)> = Vec::new();
        for combination in active.iter().filter_map(|id| self.tables.combination_at(id)) {
            let value = self.tables.profile(combination.profile)[by.index()];
            if several.contains(combination.user) {
                listed.push((combination.user, value));
            } else {
                counts[slot(value)] += 1;
            }
        }
        listed.sort_unstable();
        listed.dedup();
        let mut previous = None;
        for (user, value) in listed {
            // "No value" sorts last: it counts only where the user has no other.
            if value != NO_TEXT || previous != Some(user) {
                counts[slot(value)] += 1;
            }
            previous = Some(user);
        }
        let mut groups: Vec<Group> = (0_u32..)
            .zip(counts)
            .filter(|&(_, users)| users > 0)
            .map(|(id, users)| Group { by, value: self.tables.texts.get(id).map(str::to_owned), users })
            .collect();
        groups.sort_unstable_by(|a, b| b.users.cmp(&a.users).then_with(|| a.value.cmp(&b.value)));
        groups
    }
}

/// The plays of the song at place `limit`, or of the last one that was played at all; none if there is none.
fn nth_most(plays: &[u32], limit: usize) -> Option<u32> {
    let mut played: Vec<u32> = plays.iter().copied().filter(|&plays| plays > 0).collect();
    let place = limit.min(played.len()).checked_sub(1)?;
    let (_, least, _) = played.select_nth_unstable_by_key(place, |&plays| Reverse(plays));
    Some(*least)
}
