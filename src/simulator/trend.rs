//! What makes charts move: releases that rise and fall, songs that go viral in one state, songs of the holidays. All of it is
//! a function of the seed and of the time, so it neither needs a beginning nor an end.

use super::calendar::{DAY, civil, is_holiday};
use super::random::{Alias, Random};
use super::world::World;

/// Trends that are simulated on purpose; none by default, as in Eventsim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trends {
    /// New releases that rise and fall, a week.
    pub releases_a_week: u32,
    /// Songs that go viral in one state, a day.
    pub viral_a_day: u32,
    /// Whether holidays have their songs.
    pub holidays: bool,
}

impl Trends {
    /// Enough to be worth watching.
    pub fn lively() -> Self {
        Self { releases_a_week: 14, viral_a_day: 24, holidays: true }
    }
}

/// Seconds for which shares are left as they are.
const STEP: i64 = 120;
const WEEK: i64 = 7 * DAY;
const HOUR: i64 = 3_600;

/// Largest share of all plays that releases and holidays have together.
const MOST: f64 = 0.5;

/// Streams of chance, besides those of listeners.
const RELEASES: u64 = u64::MAX - 2;
const VIRAL: u64 = u64::MAX - 3;

/// A song on its way up and down.
#[derive(Debug, Clone, Copy)]
struct Wave {
    song: u32,
    /// Number of the state; for releases of no meaning.
    region: usize,
    /// Seconds since 1970.
    begins: i64,
    /// Largest share of plays that it ever has.
    peak: f64,
    /// Seconds in which it comes up, and in which it dies away, to about a third.
    rise: f64,
    decay: f64,
}

impl Wave {
    /// Share of plays at `second`.
    fn share(&self, second: i64) -> f64 {
        let age = (second - self.begins) as f64;
        if age <= 0.0 { 0.0 } else { self.peak * self.shape(age) / self.shape(self.top()) }
    }

    /// How high it stands at an age in seconds, by a measure of its own.
    fn shape(&self, age: f64) -> f64 {
        -libm::expm1(-age / self.rise) * libm::exp(-age / self.decay)
    }

    /// The age at which it stands highest, where the shape's derivative is zero.
    fn top(&self) -> f64 {
        self.rise * libm::log((self.rise + self.decay) / self.rise)
    }
}

/// The trends of one simulation.
#[derive(Debug)]
pub(super) struct Trending {
    trends: Trends,
    seed: u64,
    songs: u64,
    /// Number of the state of each place.
    region_of: Vec<usize>,
    regions: usize,
    holiday_songs: Option<(Alias, Vec<u32>)>,
    step: i64,
    hour: i64,
    waves: Vec<Wave>,
    viral: Vec<Wave>,
    /// Cumulative shares at this step.
    everywhere: Vec<(f64, u32)>,
    by_region: Vec<Vec<(f64, u32)>>,
    holiday: f64,
}

impl Trending {
    /// None where nothing moves.
    pub(super) fn new(trends: Trends, world: &World, seed: u64) -> Option<Self> {
        if trends == Trends::default() {
            return None;
        }
        let mut names: Vec<&str> = world.places.iter().map(|place| place.state.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let region = |state: &str| names.binary_search(&state).unwrap_or_default();
        let catalogue = &world.catalogue;
        let of_holidays = catalogue.songs.iter().zip(0..).filter(|(song, _)| {
            catalogue.artists.get(song.artist as usize).is_some_and(|artist| artist.genre == "holiday")
        });
        let (weights, songs): (Vec<f64>, Vec<u32>) =
            of_holidays.map(|(song, number)| (song.weight, number)).unzip();
        Some(Self {
            trends,
            seed,
            songs: catalogue.songs.len() as u64,
            region_of: world.places.iter().map(|place| region(&place.state)).collect(),
            regions: names.len(),
            holiday_songs: Alias::new(&weights).filter(|_| trends.holidays).map(|alias| (alias, songs)),
            step: i64::MIN,
            hour: i64::MIN,
            waves: Vec::new(),
            viral: Vec::new(),
            everywhere: Vec::new(),
            by_region: Vec::new(),
            holiday: 0.0,
        })
    }

    /// A song of the moment, for someone at `place`; none where they listen to what they always do.
    pub(super) fn draw(&mut self, second: i64, place: usize, random: &mut Random) -> Option<u32> {
        self.move_on(second);
        let region = *self.region_of.get(place)?;
        let mut at = random.unit();
        for list in [self.by_region.get(region)?, &self.everywhere] {
            let total = list.last().map_or(0.0, |(end, _)| *end);
            if at < total {
                return list.get(list.partition_point(|(end, _)| *end <= at)).map(|(_, song)| *song);
            }
            at -= total;
        }
        if at < self.holiday {
            let (alias, songs) = self.holiday_songs.as_ref()?;
            return songs.get(alias.draw(random)).copied();
        }
        None
    }

    /// Makes the lists of the step that `second` is in.
    fn move_on(&mut self, second: i64) {
        let step = second.div_euclid(STEP);
        if step == self.step {
            return;
        }
        self.step = step;
        let now = step * STEP;
        if now.div_euclid(HOUR) != self.hour {
            self.hour = now.div_euclid(HOUR);
            self.waves = self.releases(now);
            self.viral = self.going_viral(now);
        }
        self.holiday = self.holiday_share(now.div_euclid(DAY));
        let sum: f64 = self.waves.iter().map(|wave| wave.share(now)).sum::<f64>() + self.holiday;
        let scale = if sum > MOST { MOST / sum } else { 1.0 };
        self.holiday *= scale;
        self.everywhere.clear();
        let mut end = 0.0;
        for wave in &self.waves {
            end += scale * wave.share(now);
            self.everywhere.push((end, wave.song));
        }
        self.by_region.resize_with(self.regions, Vec::new);
        self.by_region.iter_mut().for_each(Vec::clear);
        for wave in &self.viral {
            if let Some(list) = self.by_region.get_mut(wave.region) {
                let end = list.last().map_or(0.0, |(end, _)| *end);
                list.push(((end + wave.share(now)).min(MOST), wave.song));
            }
        }
    }

    /// Releases of the weeks that still matter: after ten of them the longest has lost all but a thousandth.
    fn releases(&self, now: i64) -> Vec<Wave> {
        let week = now.div_euclid(WEEK);
        let mut waves = Vec::new();
        for week in week - 10..=week {
            let mut random = Random::new(self.seed ^ RELEASES, week as u64);
            for _ in 0..self.trends.releases_a_week {
                waves.push(Wave {
                    song: random.below(self.songs) as u32,
                    region: 0,
                    begins: week * WEEK + random.below(WEEK as u64) as i64,
                    // From a third of a percent to three.
                    peak: 0.0033 * libm::pow(9.0, random.unit()),
                    rise: HOUR as f64 * (4.0 + 24.0 * random.unit()),
                    decay: DAY as f64 * (2.0 + 8.0 * random.unit()),
                });
            }
        }
        waves
    }

    /// Songs that go viral today or did so yesterday.
    fn going_viral(&self, now: i64) -> Vec<Wave> {
        let day = now.div_euclid(DAY);
        let mut waves = Vec::new();
        for day in day - 1..=day {
            let mut random = Random::new(self.seed ^ VIRAL, day as u64);
            for _ in 0..self.trends.viral_a_day {
                waves.push(Wave {
                    song: random.below(self.songs) as u32,
                    region: random.below(self.regions as u64) as usize,
                    begins: day * DAY + random.below(DAY as u64) as i64,
                    peak: 0.2 + 0.3 * random.unit(),
                    rise: 60.0 * (5.0 + 20.0 * random.unit()),
                    decay: 60.0 * (30.0 + 90.0 * random.unit()),
                });
            }
        }
        waves
    }

    /// A quarter of all plays on a holiday, and from the first of December on more from day to day.
    fn holiday_share(&self, day: i64) -> f64 {
        match civil(day) {
            _ if self.holiday_songs.is_none() => 0.0,
            (_, 12, date @ 1..=25) => 0.01 * f64::from(date),
            _ if is_holiday(day) => 0.25,
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// 2024-07-01T00:00:00Z, a Monday, in seconds.
    const MONDAY: i64 = 1_719_792_000;

    /// Shares of songs in ten thousand draws of someone at `place`.
    fn shares(trending: &mut Trending, second: i64, place: usize) -> HashMap<Option<u32>, f64> {
        let mut random = Random::new(1, 1);
        let mut shares = HashMap::new();
        for _ in 0..10_000 {
            *shares.entry(trending.draw(second, place, &mut random)).or_default() += 1e-4;
        }
        shares
    }

    fn trending(trends: Trends) -> Trending {
        Trending::new(trends, &World::own(), 1).expect("trends")
    }

    #[test]
    fn releases_rise_and_fall() {
        let mut trending = trending(Trends { releases_a_week: 1, viral_a_day: 0, holidays: false });
        trending.move_on(MONDAY);
        let release = *trending.waves.last().expect("a release");
        let at = |days: f64| release.share(release.begins + (days * DAY as f64) as i64);
        assert!(at(-0.1) == 0.0 && at(0.02) < at(1.0) && at(1.0) > at(20.0) && at(20.0) > 0.0);
        let found = shares(&mut trending, release.begins + DAY, 0);
        // Five standard errors of a binomial share.
        let (share, expected) = (found[&Some(release.song)], at(1.0));
        assert!(
            (share - expected).abs() < 5.0 * (expected / 10_000.0).sqrt() + 1e-3,
            "{share} for {expected}"
        );
    }

    #[test]
    fn waves_reach_their_peaks_and_go_no_higher() {
        let mut trending = trending(Trends::lively());
        trending.move_on(MONDAY);
        let highest = |wave: &Wave| {
            let ages = (1..20_000).map(|step| f64::from(step) * (wave.rise + wave.decay) / 10_000.0);
            ages.map(|age| wave.share(wave.begins + age as i64)).fold(0.0, f64::max)
        };
        for (waves, peaks) in [(&trending.waves, 0.0033..0.0298), (&trending.viral, 0.2..0.5)] {
            for wave in waves {
                assert!(peaks.contains(&wave.peak), "{wave:?}");
                assert!((highest(wave) / wave.peak - 1.0).abs() < 1e-3, "{wave:?}: {}", highest(wave));
            }
        }
    }

    #[test]
    fn a_song_goes_viral_in_one_state() {
        let mut trending = trending(Trends { releases_a_week: 0, viral_a_day: 1, holidays: false });
        trending.move_on(MONDAY + DAY - STEP);
        let wave = *trending.viral.last().expect("a song");
        let place =
            |here: bool| trending.region_of.iter().position(|&region| (region == wave.region) == here);
        let (here, elsewhere) = (place(true).expect("a place"), place(false).expect("a place"));
        let now = wave.begins + 1_800;
        assert!(shares(&mut trending, now, here)[&Some(wave.song)] > 0.05);
        assert!(!shares(&mut trending, now, elsewhere).contains_key(&Some(wave.song)));
    }

    #[test]
    fn holidays_have_their_songs() {
        let mut trending = trending(Trends { releases_a_week: 0, viral_a_day: 0, holidays: true });
        let mut usual = |day: i64| shares(&mut trending, MONDAY + day * DAY + 7_200, 0)[&None];
        // The fourth of July, and the day before.
        assert!((usual(3) - 0.75).abs() < 0.025 && usual(2) > 0.999);
        // Christmas Eve and Boxing Day.
        assert!((usual(176) - 0.76).abs() < 0.025 && usual(178) > 0.999);
    }

    #[test]
    fn the_past_does_not_matter() {
        let (mut straight, mut jumping) = (trending(Trends::lively()), trending(Trends::lively()));
        (0..200).for_each(|minute| straight.move_on(MONDAY + minute * 60));
        jumping.move_on(MONDAY + 400 * DAY);
        jumping.move_on(MONDAY + 199 * 60);
        assert_eq!((&straight.everywhere, &straight.by_region), (&jumping.everywhere, &jumping.by_region));
        assert!(straight.everywhere.last().is_some_and(|(end, _)| *end <= MOST));
    }
}
