//! Figures of a run with their standard errors, and the comparison of two runs.
//!
//! Every figure is a ratio of two sums over listeners, such as "Help pages among all pages". Listeners are independent and
//! alike, so the ratio's standard error follows from how each listener's part deviates from it (the estimator for cluster
//! samples): se² = Σ (numerator_i − ratio · denominator_i)² / (Σ denominator_i)².

use std::collections::{BTreeMap, BTreeSet};

/// Standard errors that two runs may differ by. Of a few hundred comparisons none is expected beyond it by chance.
pub const SIGMAS: f64 = 5.0;

#[derive(Debug, Clone, Copy)]
pub struct Estimate {
    pub value: f64,
    pub error: f64,
}

/// Sums by listener.
#[derive(Default)]
struct Ratios {
    numerators: BTreeMap<String, Vec<f64>>,
    denominators: Vec<f64>,
}

/// All figures of a run.
pub struct Measures {
    clusters: usize,
    ratios: BTreeMap<&'static str, Ratios>,
}

impl Measures {
    pub fn new(clusters: usize) -> Self {
        Self { clusters, ratios: BTreeMap::new() }
    }

    fn of(&mut self, figure: &'static str) -> &mut Ratios {
        let clusters = self.clusters;
        self.ratios
            .entry(figure)
            .or_insert_with(|| Ratios { numerators: BTreeMap::new(), denominators: vec![0.0; clusters] })
    }

    /// One more of a kind: the figure is each kind's share.
    pub fn share(&mut self, figure: &'static str, cluster: usize, kind: &str) {
        self.add(figure, cluster, kind, 1.0);
        self.of(figure).denominators[cluster] += 1.0;
    }

    /// Adds to what is counted.
    pub fn add(&mut self, figure: &'static str, cluster: usize, kind: &str, amount: f64) {
        let clusters = self.clusters;
        let ratios = self.of(figure);
        if !ratios.numerators.contains_key(kind) {
            ratios.numerators.insert(kind.to_owned(), vec![0.0; clusters]);
        }
        if let Some(sums) = ratios.numerators.get_mut(kind) {
            sums[cluster] += amount;
        }
    }

    /// Adds to what the count is divided by.
    pub fn per(&mut self, figure: &'static str, cluster: usize) {
        self.of(figure).denominators[cluster] += 1.0;
    }

    /// Every figure by name.
    pub fn estimates(&self) -> BTreeMap<String, Estimate> {
        let mut estimates = BTreeMap::new();
        for (figure, ratios) in &self.ratios {
            let total: f64 = ratios.denominators.iter().sum();
            for (kind, numerators) in &ratios.numerators {
                let value = numerators.iter().sum::<f64>() / total;
                let pairs = numerators.iter().zip(&ratios.denominators);
                let squares: f64 = pairs.map(|(n, d)| (n - value * d).powi(2)).sum();
                estimates
                    .insert(format!("{figure}: {kind}"), Estimate { value, error: squares.sqrt() / total });
            }
        }
        estimates
    }
}

/// Compares two runs, figure by figure, and gives what differs by more than chance does. Figures that one run lacks are 0 in
/// it, with an error as large as the other's.
pub fn differences(real: &Measures, simulated: &Measures) -> Vec<String> {
    let (real, simulated) = (real.estimates(), simulated.estimates());
    let names: BTreeSet<&String> = real.keys().chain(simulated.keys()).collect();
    let mut differing = Vec::new();
    for name in names {
        let none = Estimate { value: 0.0, error: 0.0 };
        let (left, right) = (real.get(name).unwrap_or(&none), simulated.get(name).unwrap_or(&none));
        let error = left.error.hypot(right.error);
        let sigmas = (right.value - left.value) / error.max(1e-12);
        let line =
            format!("{name}: {:.6} against {:.6}, {sigmas:+.1} standard errors", left.value, right.value);
        println!("{line}");
        if sigmas.abs() > SIGMAS {
            differing.push(line);
        }
    }
    differing
}
