//! What was measured, and what is made of several rounds.

use crate::{limits::Limit, mode::Mode, work::Work};
use serde::Serialize;
use std::collections::BTreeMap;

/// A figure of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = |index: usize| sorted.get(index).copied();
        let median = f64::midpoint(middle((sorted.len() - 1) / 2)?, middle(sorted.len() / 2)?);
        Some(Self { median, min, max })
    }
}

/// One kind of request in one mode.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub work: Work,
    /// Requests per second, where they went on for the whole time.
    pub rate: Option<Spread>,
    pub p50_ms: Spread,
    pub p99_ms: Spread,
    pub p999_ms: Spread,
    /// In all rounds together.
    pub errors: BTreeMap<String, u64>,
    /// How many processors each process kept busy, wrk among them.
    pub cores: BTreeMap<String, Spread>,
    /// The most memory of each process, in MiB.
    pub peak_mib: BTreeMap<String, Spread>,
}

/// All that was measured in one mode.
#[derive(Clone, Debug, Serialize)]
pub struct OfMode {
    pub mode: Mode,
    /// The memory of each process before the first request, in MiB.
    pub idle_mib: BTreeMap<String, f64>,
    /// Per second.
    pub limits: BTreeMap<Limit, Spread>,
    pub works: Vec<Measured>,
}

impl OfMode {
    /// The rate of `work` as a part of its limit.
    pub fn ratio(&self, work: &Measured) -> Option<f64> {
        let limit = self.limits.get(&Limit::of(work.work)?)?;
        Some(work.rate?.median / limit.median)
    }
}

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// When, and on what.
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub rounds: usize,
    pub seconds: u64,
    pub connections: usize,
    pub modes: Vec<OfMode>,
}

impl Results {
    /// Requests that failed, one line for each work.
    pub fn failures(&self) -> Vec<String> {
        let of_mode = |of: &OfMode| {
            let failed = of.works.iter().filter(|it| !it.errors.is_empty());
            let lines = failed.map(|it| format!("{}, {}: {:?}", of.mode.name(), it.work.name(), it.errors));
            lines.collect::<Vec<_>>()
        };
        self.modes.iter().flat_map(of_mode).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_both_ends() {
        for (figures, expected) in [
            (&[3.0, 1.0, 2.0][..], Some((2.0, 1.0, 3.0))),
            (&[1.0, 2.0, 5.0, 4.0], Some((3.0, 1.0, 5.0))),
            (&[7.0], Some((7.0, 7.0, 7.0))),
            (&[], None),
        ] {
            let spread = Spread::of(figures.iter().copied());
            assert_eq!(spread.map(|it| (it.median, it.min, it.max)), expected);
        }
    }
}
