//! A load, and what the processes of the service used meanwhile.

use super::scene::Scene;
use crate::{
    figures::{Measured, Spread},
    load_report::LoadReport,
    usage::{self, Watched},
    work::Work,
};
use anyhow::Result;
use std::collections::BTreeMap;

/// The result of one load.
pub struct Observed {
    pub report: LoadReport,
    cores: BTreeMap<String, f64>,
    peak_mib: BTreeMap<String, f64>,
}

/// Runs a load. `generator` is the name of the program that generates it, with a function that
/// returns the processor time that this program has used so far, in seconds.
pub fn observe(
    scene: &Scene,
    generator: (&str, fn() -> Result<f64>),
    load: impl FnOnce() -> Result<LoadReport>,
) -> Result<Observed> {
    for watched in scene.watched() {
        watched.reset_peak()?;
    }
    let (name, cpu_seconds) = generator;
    let (before, of_generator) = (of_each(scene, Watched::cpu_seconds)?, cpu_seconds()?);
    let report = load()?;
    let of_generator = cpu_seconds()? - of_generator;
    let after = of_each(scene, Watched::cpu_seconds)?;
    let mut cores = usage::cores(&before, &after, report.seconds);
    cores.insert(name.to_owned(), of_generator / report.seconds);
    Ok(Observed {
        cores,
        peak_mib: of_each(scene, Watched::peak_mib)?,
        report,
    })
}

/// Returns a figure of each process of the service.
pub fn of_each(scene: &Scene, figure: impl Fn(&Watched) -> Result<f64>) -> Result<BTreeMap<String, f64>> {
    let watched = scene.watched();
    watched
        .iter()
        .map(|it| Ok((it.name.clone(), figure(it)?)))
        .collect()
}

/// Summarises the loads of all rounds; `None` if there are none.
pub fn summary(work: Work, rounds: &[Observed]) -> Option<Measured> {
    let spread = |figure: fn(&LoadReport) -> f64| Spread::of(rounds.iter().map(|it| figure(&it.report)));
    let mut errors = BTreeMap::new();
    for (kind, times) in rounds.iter().flat_map(|it| it.report.errors()) {
        *errors.entry(kind).or_default() += times;
    }
    Some(Measured {
        work,
        fixed: None,
        requests: rounds.iter().map(|it| it.report.requests).sum(),
        failed: rounds.iter().map(|it| it.report.failed()).sum(),
        rate: spread(LoadReport::rate).filter(|_| work.has_a_rate()),
        p50_ms: spread(|it| it.p50_ms)?,
        p99_ms: spread(|it| it.p99_ms)?,
        p999_ms: spread(|it| it.p999_ms)?,
        errors,
        cores: spreads(rounds.iter().map(|it| &it.cores)),
        peak_mib: spreads(rounds.iter().map(|it| &it.peak_mib)),
    })
}

/// Returns the spread of each process's figures.
fn spreads<'a>(rounds: impl Iterator<Item = &'a BTreeMap<String, f64>>) -> BTreeMap<String, Spread> {
    let mut by_name: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, figure) in rounds.flatten() {
        by_name.entry(name).or_default().push(*figure);
    }
    let spread = |(name, figures): (&str, Vec<f64>)| Some((name.to_owned(), Spread::of(figures)?));
    by_name.into_iter().filter_map(spread).collect()
}
