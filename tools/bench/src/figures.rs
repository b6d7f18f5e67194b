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
    /// In all rounds together, those that failed among them.
    pub requests: u64,
    pub failed: u64,
    /// Requests per second, where they went on for the whole time.
    pub rate: Option<Spread>,
    pub p50_ms: Spread,
    pub p99_ms: Spread,
    pub p999_ms: Spread,
    /// What failed, by kind and by status.
    pub errors: BTreeMap<String, u64>,
    /// How many processors each process kept busy, wrk among them.
    pub cores: BTreeMap<String, Spread>,
    /// The most memory of each process, in MiB.
    pub peak_mib: BTreeMap<String, Spread>,
}

/// One request in so many may fail: a service that has too little of its machine refuses some, and says so.
const TOLERANCE: u64 = 1_000;

impl Measured {
    fn is_spoilt(&self) -> bool {
        self.failed > self.requests / TOLERANCE
    }
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
    /// Requests that failed, one line for each work of which more than one in a thousand did.
    pub fn failures(&self) -> Vec<String> {
        let of_mode = |of: &OfMode| {
            let failed = of.works.iter().filter(|it| it.is_spoilt());
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
    fn more_failures_than_one_in_a_thousand_spoil_a_work() {
        let some = Spread::of([1.0]).expect("a figure");
        let measured = |requests, failed| Measured {
            work: Work::Me,
            requests,
            failed,
            rate: None,
            p50_ms: some,
            p99_ms: some,
            p999_ms: some,
            errors: BTreeMap::new(),
            cores: BTreeMap::new(),
            peak_mib: BTreeMap::new(),
        };
        for (requests, failed, spoilt) in [(0, 0, false), (999, 1, true), (1_000, 1, false), (2_000, 3, true)]
        {
            assert_eq!(
                measured(requests, failed).is_spoilt(),
                spoilt,
                "{failed} of {requests}"
            );
        }
    }

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
