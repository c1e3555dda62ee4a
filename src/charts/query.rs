//! Top songs of a window, found by rank or by name.

use std::ops::Range;

use crate::schemas::EventKind;

use super::answer::{At, PreviousWindow, SongRow, SongsAnswer, TimeMs, WindowSpan, brief};
use super::rank::Candidate;
use super::state::Charts;
use super::window::{MINUTE_MS, Window};

impl Charts {
    /// The `limit` most played songs of a window: by plays, then listeners, then the earlier last play, then artist
    /// and song, which is a total order.
    pub fn top_songs(&self, window: Window, at: At, limit: usize) -> SongsAnswer {
        let panes = window.panes_at(at, self.newest(), self.watermark());
        let minutes = panes.clone().unwrap_or(0..0);
        let plays = self.plays(&minutes);
        let songs = self.best(&minutes, &plays, limit);
        let ranks = (1..=songs.len()).map(Some).collect();
        self.songs_answer(window, at, panes, &plays, Chosen { songs, ranks })
    }

    /// The same among the songs whose artist or title holds each word of `text`, whatever the case and the accents.
    /// Ranks are those among all songs.
    pub fn find_songs(&mut self, window: Window, at: At, limit: usize, text: &str) -> SongsAnswer {
        let matching = self.search.songs(&self.tables, text);
        let panes = window.panes_at(at, self.newest(), self.watermark());
        let minutes = panes.clone().unwrap_or(0..0);
        let plays = self.plays(&minutes);
        let count = |(song, &plays)| if matching.contains(song) { plays } else { 0 };
        let found: Vec<u32> = (0_u32..).zip(&plays).map(count).collect();
        let songs = self.best(&minutes, &found, limit);
        let ranks = self.places(&minutes, &plays, &songs);
        self.songs_answer(window, at, panes, &plays, Chosen { songs, ranks })
    }

    fn songs_answer(
        &self,
        window: Window,
        at: At,
        panes: Option<Range<i64>>,
        plays: &[u32],
        chosen: Chosen,
    ) -> SongsAnswer {
        let minutes = panes.clone().unwrap_or(0..0);
        let steps = window.trend_steps(panes.as_ref(), self.newest());
        let (previous, previous_ranks) = match self.window_before(panes.as_ref()) {
            Some(before) => {
                let plays_before = self.plays(&before);
                let previous = PreviousWindow {
                    start: TimeMs(before.start * MINUTE_MS),
                    end: TimeMs(before.end * MINUTE_MS),
                    plays: total(&plays_before),
                };
                (Some(previous), self.places(&before, &plays_before, &chosen.songs))
            }
            None => (None, vec![None; chosen.songs.len()]),
        };
        let trends = self.trends(&steps, &chosen.songs);
        let rows = chosen.songs.iter().zip(chosen.ranks).zip(previous_ranks).zip(trends);
        SongsAnswer {
            window: WindowSpan::new(window, panes.as_ref()),
            at,
            watermark: self.watermark().map(TimeMs),
            revision: self.revision(&minutes, |kind| kind == EventKind::Listen),
            partitions: self.coverage(panes.as_ref()),
            plays: total(plays),
            previous,
            trend: steps.answer(),
            songs: rows
                .map(|(((song, rank), before), trend)| self.song_row(song, rank, before, trend))
                .collect(),
        }
    }

    /// The window of the same length before `panes`, if every partition still keeps all of it.
    fn window_before(&self, panes: Option<&Range<i64>>) -> Option<Range<i64>> {
        let panes = panes?;
        let before = panes.start - (panes.end - panes.start)..panes.start;
        let mut first_kept = self.partitions.values().filter_map(|state| state.first_kept(&self.settings));
        first_kept.all(|first| first <= before.start).then_some(before)
    }

    pub(super) fn revision(&self, minutes: &Range<i64>, counts: impl Fn(EventKind) -> bool) -> u64 {
        let partitions = self.partitions.iter().filter(|(source, _)| counts(source.kind));
        partitions.flat_map(|(_, state)| state.panes.between(minutes)).map(|(_, pane)| pane.late).sum()
    }

    fn song_row(
        &self,
        song: &Candidate,
        rank: Option<usize>,
        previous_rank: Option<usize>,
        trend: Vec<u32>,
    ) -> SongRow {
        let (artist, title) = self.names(song.song);
        SongRow {
            rank,
            previous_rank,
            artist: brief(artist),
            song: brief(title),
            plays: song.plays,
            listeners: song.listeners,
            last_played: TimeMs(song.last),
            trend,
        }
    }
}

/// Songs to be answered, and their ranks.
struct Chosen {
    songs: Vec<Candidate>,
    ranks: Vec<Option<usize>>,
}

fn total(plays: &[u32]) -> u64 {
    plays.iter().map(|&plays| u64::from(plays)).sum()
}
