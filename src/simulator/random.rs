//! Chance, the same on every machine: SplitMix64 (Steele, Lea, Flood 2014) and distributions made with `libm`, whose
//! results, unlike those of the system's mathematics, do not depend on the machine.

/// A stream of random numbers; eight bytes, so that every listener can have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Random(u64);

/// The increment of SplitMix64: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Random {
    /// The stream that belongs to `seed` and `stream`.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(STEP)) ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03)))
    }

    #[inline]
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// In [0, 1), a multiple of 2^-53.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// In [0, bound); the bias is below `bound` in 2^64.
    #[inline]
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Exponential with this mean.
    #[inline]
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        // 1 - u is in (0, 1].
        -mean * libm::log(1.0 - self.unit())
    }

    /// Exponential with this mean, cut to whole seconds.
    #[inline]
    pub(super) fn seconds(&mut self, mean: f64) -> i64 {
        self.exponential(mean) as i64
    }

    /// Standard normal (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Log-normal with mean 1 and sigma 1.
    pub(super) fn log_normal(&mut self) -> f64 {
        libm::exp(self.normal() - 0.5)
    }

    pub(super) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
}

/// Draws an index by weight in constant time (Walker's alias method, built in index order by Vose's algorithm).
#[derive(Debug, Clone, Default)]
pub(super) struct Alias {
    /// For each column: below this share of 2^32 the column itself, else its alias.
    columns: Vec<(u32, u32)>,
}

impl Alias {
    /// None where all weights are 0 (or there are none, or more than 2^32).
    pub(super) fn new(weights: &[f64]) -> Option<Self> {
        let total: f64 = weights.iter().sum();
        if !(total.is_finite() && total > 0.0) || u32::try_from(weights.len()).is_err() {
            return None;
        }
        let mut scaled: Vec<f64> = weights.iter().map(|w| w * weights.len() as f64 / total).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..weights.len() as u32).rev().partition(|&index| scaled.get(index as usize) < Some(&1.0));
        let mut columns: Vec<(u32, u32)> = (0..weights.len() as u32).map(|index| (u32::MAX, index)).collect();
        while let (Some(&less), Some(&more)) = (small.last(), large.last()) {
            let share = scaled.get(less as usize).copied().unwrap_or_default();
            let (Some(column), Some(rest)) = (columns.get_mut(less as usize), scaled.get_mut(more as usize))
            else {
                break;
            };
            *column = ((share * 4_294_967_296.0) as u32, more);
            *rest -= 1.0 - share;
            small.pop();
            if *rest < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        Some(Self { columns })
    }

    #[inline]
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let bits = random.bits();
        let column = ((bits >> 32) * self.columns.len() as u64) >> 32;
        match self.columns.get(column as usize) {
            Some(&(share, alias)) if bits as u32 >= share => alias as usize,
            _ => column as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 seeded with 1234567, from the reference implementation.
        let mut random = Random(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn distributions_have_their_moments() {
        // Five standard errors of a mean of n draws.
        let n = 200_000;
        let bound = |sd: f64| 5.0 * sd / f64::from(n).sqrt();
        let mut random = Random::new(1, 1);
        let mean = |draw: &mut dyn FnMut() -> f64| (0..n).map(|_| draw()).sum::<f64>() / f64::from(n);
        assert!((mean(&mut || random.exponential(3.0)) - 3.0).abs() < bound(3.0));
        assert!(mean(&mut || random.normal()).abs() < bound(1.0));
        // The variance of exp(N(0,1))/sqrt(e) is e - 1.
        assert!((mean(&mut || random.log_normal()) - 1.0).abs() < bound((1f64.exp() - 1.0).sqrt()));
        assert!((mean(&mut || random.unit()) - 0.5).abs() < bound(12f64.sqrt().recip()));
    }

    #[test]
    fn weights_are_kept() {
        let weights = [0.0, 5.0, 1.0, 0.0, 2.5, 1.5];
        let alias = Alias::new(&weights).expect("weights");
        let mut random = Random::new(2, 1);
        let n = 400_000;
        let mut counts = [0u32; 6];
        for _ in 0..n {
            counts[alias.draw(&mut random)] += 1;
        }
        for (count, weight) in counts.iter().zip(weights) {
            let p = weight / 10.0;
            let sd = (p * (1.0 - p) * f64::from(n)).sqrt();
            assert!((f64::from(*count) - p * f64::from(n)).abs() <= 5.0 * sd, "{counts:?}");
        }
        assert!(Alias::new(&[0.0, 0.0]).is_none());
        assert!(Alias::new(&[]).is_none());
    }
}
