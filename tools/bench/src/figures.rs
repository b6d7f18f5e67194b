//! The measured figures and their summary over several rounds.

use crate::{limits::Limit, mode::Mode, work::Work};
use serde::Serialize;
use std::collections::BTreeMap;

/// The median and the range of a figure over several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Returns `None` if there are no figures.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = |index: usize| sorted.get(index).copied();
        let median = f64::midpoint(middle((sorted.len() - 1) / 2)?, middle(sorted.len() / 2)?);
        Some(Self { median, min, max })
    }
}

/// The figures of one kind of request in one mode.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    pub work: Work,
    /// The number of requests in all rounds, including failed ones.
    pub requests: u64,
    pub failed: u64,
    /// Requests per second, for work that runs for the whole duration.
    pub rate: Option<Spread>,
    pub p50_ms: Spread,
    pub p99_ms: Spread,
    pub p999_ms: Spread,
    /// The number of failures by kind and by status.
    pub errors: BTreeMap<String, u64>,
    /// The number of processors that each process kept busy, including wrk.
    pub cores: BTreeMap<String, Spread>,
    /// The peak memory of each process, in MiB.
    pub peak_mib: BTreeMap<String, Spread>,
}

/// One request in this many may fail, because a service that lacks resources rejects some requests.
const TOLERANCE: u64 = 1_000;

impl Measured {
    fn exceeds_tolerance(&self) -> bool {
        self.failed > self.requests / TOLERANCE
    }
}

/// The figures of one mode.
#[derive(Clone, Debug, Serialize)]
pub struct OfMode {
    pub mode: Mode,
    /// The memory of each process before the first request, in MiB.
    pub idle_mib: BTreeMap<String, f64>,
    /// The limits, per second.
    pub limits: BTreeMap<Limit, Spread>,
    pub works: Vec<Measured>,
}

impl OfMode {
    /// Returns the rate of `work` as a fraction of its limit.
    pub fn ratio(&self, work: &Measured) -> Option<f64> {
        let limit = self.limits.get(&Limit::of(work.work)?)?;
        Some(work.rate?.median / limit.median)
    }
}

/// The results of a whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The date of the run, as `YYYY-MM-DD`.
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub rounds: usize,
    pub seconds: u64,
    pub connections: usize,
    pub modes: Vec<OfMode>,
}

impl Results {
    /// Returns one line for each kind of request of which more than one in a thousand failed.
    pub fn failures(&self) -> Vec<String> {
        let of_mode = |of: &OfMode| {
            let failed = of.works.iter().filter(|it| it.exceeds_tolerance());
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
    fn more_than_one_failure_in_a_thousand_exceeds_the_tolerance() {
        let some = Spread::of([1.0]).expect("there is one figure");
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
        for (requests, failed, exceeds) in
            [(0, 0, false), (999, 1, true), (1_000, 1, false), (2_000, 3, true)]
        {
            assert_eq!(
                measured(requests, failed).exceeds_tolerance(),
                exceeds,
                "{failed} of {requests}"
            );
        }
    }

    #[test]
    fn a_spread_has_the_median_the_minimum_and_the_maximum() {
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
