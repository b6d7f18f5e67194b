//! The performance goals.

use crate::{
    figures::{Measured, OfMode},
    mode::Mode,
    work::Work,
};

/// The memory of one hash, in MiB.
const HASH_MIB: f64 = 19.0;

/// A goal and the measured value.
pub struct Goal {
    pub what: String,
    pub wanted: String,
    pub found: String,
    pub holds: bool,
}

/// Returns the lowest acceptable ratio of `work` to its limit.
pub fn least_ratio(mode: Mode, work: Work) -> Option<f64> {
    match (work, mode) {
        // The replicas share the cores of one machine, so more of them do not increase rates.
        (_, Mode::ThreeReplicas) | (Work::Logout | Work::Mixed, _) | (Work::Refresh, Mode::Sqlite) => None,
        (Work::Me, Mode::PostgresAlone) => Some(0.30),
        (Work::Me, _) => Some(0.80),
        (Work::Login, _) => Some(0.95),
        (Work::Register, _) => Some(0.90),
        (Work::Refresh, _) => Some(0.60),
    }
}

/// Returns every goal that applies to the figures of this mode.
pub fn goals(of: &OfMode, hash_threads: usize) -> Vec<Goal> {
    let ratios = of.works.iter().filter_map(|work| ratio_goal(of, work));
    let others = of.works.iter().filter_map(|work| other_goal(of.mode, work));
    ratios
        .chain(others)
        .chain(memory_goals(of, hash_threads))
        .collect()
}

fn ratio_goal(of: &OfMode, measured: &Measured) -> Option<Goal> {
    let (least, ratio) = (least_ratio(of.mode, measured.work)?, of.ratio(measured)?);
    Some(Goal {
        what: format!("{} of its limit", measured.work.name()),
        wanted: format!(">= {least:.2}"),
        found: format!("{ratio:.2}"),
        holds: ratio >= least,
    })
}

fn other_goal(mode: Mode, measured: &Measured) -> Option<Goal> {
    let (what, most, found) = match (measured.work, mode) {
        (Work::Logout, Mode::ThreeReplicas) => match &measured.fixed {
            None => ("POST /logout p99, ms", 80.0, measured.p99_ms.median),
            Some(fixed) if fixed.is_demanding() => (
                "POST /logout p99 at a fixed rate, ms",
                25.0,
                measured.p99_ms.median,
            ),
            Some(_) => return None,
        },
        (Work::Login, _) => (
            "POST /login p99 / p50",
            1.3,
            measured.p99_ms.median / measured.p50_ms.median,
        ),
        _ => return None,
    };
    Some(at_most(what.to_owned(), most, found))
}

fn memory_goals(of: &OfMode, hash_threads: usize) -> Vec<Goal> {
    let threads = u32::try_from(hash_threads).unwrap_or(u32::MAX);
    let under_load = 25.0 + f64::from(threads) * HASH_MIB + 64.0;
    let idle = of.idle_mib.get("authapi").copied();
    let mixed = of.works.iter().find(|it| it.work == Work::Mixed);
    let peak = mixed
        .and_then(|it| it.peak_mib.get("authapi"))
        .map(|it| it.median);
    let idle = idle.map(|found| at_most("memory idle, MiB".to_owned(), 25.0, found));
    let peak = peak.map(|found| at_most("memory under the mixed load, MiB".to_owned(), under_load, found));
    idle.into_iter().chain(peak).collect()
}

fn at_most(what: String, most: f64, found: f64) -> Goal {
    Goal {
        what,
        wanted: format!("<= {most}"),
        found: format!("{found:.2}"),
        holds: found <= most,
    }
}
