//! Which song comes next.

use super::config::{ConfigError, SimulatorConfig};
use super::random::{Alias, Random};
use super::trend::Trending;

/// Draws songs by popularity and by likeness to the song before.
#[derive(Debug)]
pub(super) struct SongChoice {
    all: Alias,
    seconds: Vec<u32>,
    similarity: f64,
    /// For each song the group of those that resemble it; past the end of `groups` where none is known.
    group_of: Vec<u32>,
    groups: Vec<(Alias, Vec<u32>)>,
    trending: Option<Trending>,
}

impl SongChoice {
    pub(super) fn new(config: &SimulatorConfig) -> Result<Self, ConfigError> {
        let catalogue = &config.world.catalogue;
        let weights: Vec<f64> = catalogue.songs.iter().map(|song| song.weight).collect();
        let all = Alias::new(&weights).ok_or_else(|| {
            ConfigError::new("world.catalogue", "has no song of positive weight; give one at least")
        })?;
        let group = |songs: &Vec<u32>| {
            let weights: Vec<f64> =
                songs.iter().map(|&song| weights.get(song as usize).copied().unwrap_or_default()).collect();
            Some((Alias::new(&weights)?, songs.clone()))
        };
        let nobody = || (Alias::default(), Vec::new());
        Ok(Self {
            all,
            seconds: catalogue.songs.iter().map(|song| song.duration as u32).collect(),
            similarity: config.similarity,
            group_of: catalogue.similar_group.clone(),
            trending: Trending::new(config.trends, &config.world, config.seed),
            groups: catalogue.similar.iter().map(|songs| group(songs).unwrap_or_else(nobody)).collect(),
        })
    }

    /// Whole seconds that a song plays.
    #[inline]
    pub(super) fn seconds(&self, song: u32) -> i64 {
        self.seconds.get(song as usize).copied().unwrap_or_default().into()
    }

    /// The song that someone at `place` plays at `second` (since 1970), after `before`.
    pub(super) fn next(
        &mut self,
        before: Option<u32>,
        second: i64,
        place: usize,
        random: &mut Random,
    ) -> u32 {
        if let Some(trending) = &mut self.trending
            && let Some(song) = trending.draw(second, place, random)
        {
            return song;
        }
        if self.similarity > 0.0
            && let Some(song) = before.and_then(|before| self.similar(before, random))
        {
            return song;
        }
        self.all.draw(random) as u32
    }

    fn similar(&self, before: u32, random: &mut Random) -> Option<u32> {
        let group = *self.group_of.get(before as usize)?;
        let (alias, songs) = self.groups.get(group as usize).filter(|(_, songs)| !songs.is_empty())?;
        if !random.chance(self.similarity) {
            return None;
        }
        songs.get(alias.draw(random)).copied()
    }
}
