//! The measured figures and their summary over several rounds.

use crate::{cli::Extent, limits::Limit, mode::Mode, work::Work};
use adapters_crypto::SystemClock;
use anyhow::{Result, bail};
use domain::ports::Clock;
use procfs::{CpuInfo, Current};
use serde::Serialize;
use std::{collections::BTreeMap, fs, path::Path, thread};

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
    /// Set if the requests were sent at a fixed rate instead of in a closed loop. Latencies are
    /// then counted from the times at which the requests were due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<FixedRate>,
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
    /// The number of processors that each process kept busy, including the load generator.
    pub cores: BTreeMap<String, Spread>,
    /// The peak memory of each process, in MiB.
    pub peak_mib: BTreeMap<String, Spread>,
}

/// The fixed rate at which requests were sent, per second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FixedRate {
    pub wanted: Spread,
    /// The rate of a closed loop right before.
    pub closed_loop: Spread,
}

impl FixedRate {
    /// The rate from which on a goal for latencies applies, if it is not more than half of the
    /// closed loop's.
    const DEMANDING: f64 = 1_000.0;

    /// Returns whether the rate is high enough for a goal.
    pub fn is_demanding(&self) -> bool {
        self.wanted.median >= Self::DEMANDING.min(self.closed_loop.median / 2.0)
    }
}

/// One request in this many may fail, because a service that lacks resources rejects some requests.
const TOLERANCE: u64 = 1_000;

/// Returns whether so many requests failed that the figures would describe error responses.
pub fn exceeds_tolerance(requests: u64, failed: u64) -> bool {
    failed > requests / TOLERANCE
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
    /// Creates the results of a run that begins now on this machine.
    pub fn new(extent: Extent) -> Result<Self> {
        let info = CpuInfo::current()?;
        Ok(Self {
            date: SystemClock.now().format("%Y-%m-%d").to_string(),
            processor: info.model_name(0).unwrap_or("an unknown processor").to_owned(),
            cores: thread::available_parallelism()?.get(),
            rounds: extent.rounds,
            seconds: extent.seconds,
            connections: extent.connections,
            modes: Vec::new(),
        })
    }

    /// Writes `results.json` to a folder, which is created if it does not exist.
    pub fn write(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)?;
        Ok(fs::write(folder.join("results.json"), json)?)
    }

    /// Checks that at most one request in a thousand of each kind failed.
    ///
    /// # Errors
    /// If more did. The error has a line for each such kind.
    pub fn check(&self) -> Result<()> {
        let failures = self.failures();
        if !failures.is_empty() {
            bail!("requests failed:\n{}", failures.join("\n"));
        }
        Ok(())
    }

    /// Returns one line for each kind of request of which more than one in a thousand failed.
    fn failures(&self) -> Vec<String> {
        let of_mode = |of: &OfMode| {
            let failed = of
                .works
                .iter()
                .filter(|it| exceeds_tolerance(it.requests, it.failed));
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
        for (requests, failed, exceeds) in
            [(0, 0, false), (999, 1, true), (1_000, 1, false), (2_000, 3, true)]
        {
            assert_eq!(
                exceeds_tolerance(requests, failed),
                exceeds,
                "{failed} of {requests}"
            );
        }
    }

    #[test]
    fn a_rate_is_demanding_from_a_thousand_or_from_half_of_the_maximum() {
        let some = |figure| Spread::of([figure]).expect("there is one figure");
        for (wanted, closed_loop, expected) in [
            (999.0, 5_000.0, false),
            (1_000.0, 5_000.0, true),
            (399.0, 800.0, false),
            (400.0, 800.0, true),
        ] {
            let fixed = FixedRate {
                wanted: some(wanted),
                closed_loop: some(closed_loop),
            };
            assert_eq!(fixed.is_demanding(), expected, "{wanted} of {closed_loop}");
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
