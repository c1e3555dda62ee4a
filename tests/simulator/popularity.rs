//! How often songs are heard.

use beatlytica::schemas::EventKind;
use beatlytica::simulator::{RecordBuffer, Simulator, SimulatorConfig};

use super::runs::{own_world, real, settings, simulated};
use super::sample::{Plays, count_play};

fn plays(config: SimulatorConfig) -> Plays {
    let mut simulator = Simulator::new(config).expect("sound settings");
    let (mut plays, mut records) = (Plays::new(), RecordBuffer::default());
    while simulator.next_event_time().is_some() {
        records.clear();
        simulator.advance(i64::MAX, 10_000, &mut records);
        for record in records.iter().filter(|record| record.envelope.kind == EventKind::Listen) {
            count_play(&mut plays, record.line);
        }
    }
    plays
}

/// Slope of log plays over log rank for the first hundred songs (least squares), and its standard error: plays are Poisson,
/// so the logarithm of n plays has a variance of 1/n.
fn slope(plays: &Plays) -> (f64, f64) {
    let mut counts: Vec<u64> = plays.values().copied().collect();
    counts.sort_unstable_by(|left, right| right.cmp(left));
    let points: Vec<(f64, f64, f64)> = counts
        .iter()
        .take(100)
        .zip(1..)
        .map(|(&n, rank)| (f64::from(rank).ln(), (n as f64).ln(), n as f64))
        .collect();
    let mean = |of: fn(&(f64, f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let variance: f64 =
        points.iter().map(|point| (point.0 - x).powi(2) / point.2).sum::<f64>() / spread.powi(2);
    (slope, variance.sqrt())
}

#[test]
fn songs_of_a_given_catalogue_keep_their_shares() {
    let (Some(real), Some(simulated)) = (real(), simulated()) else { return };
    let (real, simulated) = (&real.plays, &simulated.plays);
    let total = |plays: &Plays| plays.values().sum::<u64>() as f64;
    let (all, n) = (total(real), total(simulated));
    let mut by_rank: Vec<_> = real.iter().collect();
    by_rank.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for top in [1, 10, 100, 1_000, 2_000, 5_000] {
        let of = |plays: &Plays| {
            by_rank.iter().take(top).map(|(song, _)| plays.get(*song).copied().unwrap_or(0)).sum::<u64>()
        };
        let expected = of(real) as f64 / all;
        let found = of(simulated) as f64 / n;
        // The catalogue's weights are the real counts, so simulated plays are binomial round them.
        let error = (expected * (1.0 - expected) / n).sqrt();
        assert!((found - expected).abs() <= 5.0 * error, "top {top}: {expected} against {found}");
    }
    // One title is empty, and Eventsim's source quotes it all the same; its text cannot be told from the others.
    let is_empty = |song: &&Vec<u8>| memchr::memmem::find(song, b"\"song\":\"\"").is_some();
    let other = simulated.keys().filter(|song| !is_empty(song)).find(|song| !real.contains_key(*song));
    let other = other.map(|song| String::from_utf8_lossy(song));
    assert_eq!(other, None, "texts and lengths are written as they were");
}

#[test]
fn own_songs_fall_off_like_real_ones() {
    let Some(real) = real() else { return };
    let (real, real_error) = slope(&real.plays);
    let mut config = settings(own_world());
    config.users = 10_000;
    let own = plays(config);
    let (slope, error) = slope(&own);
    println!("slope {real:.3} ± {real_error:.3} against {slope:.3} ± {error:.3}, {} songs heard", own.len());
    // The real head is thirteen songs above a plain, no pure power law: a twentieth is allowed for its shape.
    assert!((slope - real).abs() <= 5.0 * real_error.hypot(error) + 0.05, "{real} against {slope}");
    assert!(own.len() > 80_000);
}
