//! The rounds of one mode.

use super::scene::{Scene, first_to_rotate};
use crate::{
    cli::Extent,
    figures::{Measured, OfMode, Spread},
    limits::{Limit, RotationLimit, hashes_per_second},
    mode::Mode,
    usage::{self, Watched},
    work::Work,
    wrk::LoadReport,
};
use anyhow::{Context, Result};
use std::{collections::BTreeMap, path::Path, time::Duration};
use tokio::runtime::Runtime;

/// The result of one round of one kind of request.
struct Round {
    report: LoadReport,
    cores: BTreeMap<String, f64>,
    peak_mib: BTreeMap<String, f64>,
}

/// Measures one mode.
pub fn measure(
    runtime: &Runtime,
    mode: Mode,
    binary: &Path,
    extent: Extent,
    works: &[Work],
) -> Result<OfMode> {
    eprintln!("{}: preparing", mode.name());
    let scene = Scene::new(runtime, mode, binary, extent)?;
    let idle_mib = of_each(&scene, Watched::peak_mib)?;
    let mut limits: BTreeMap<Limit, Vec<f64>> = BTreeMap::new();
    let mut rounds: BTreeMap<Work, Vec<Round>> = BTreeMap::new();
    for round in 0..extent.rounds {
        for &work in works {
            let measured = measure_work(&scene, work, round)?;
            eprintln!(
                "{}: round {}, {}: {}",
                mode.name(),
                round + 1,
                work.name(),
                measured.report
            );
            rounds.entry(work).or_default().push(measured);
            // Measure the limit right after the work, so that both see the same conditions.
            if let Some((limit, rate)) = measure_limit(runtime, &scene, work, round)? {
                eprintln!(
                    "{}: round {}, {}: {rate:.0}/s",
                    mode.name(),
                    round + 1,
                    limit.name()
                );
                limits.entry(limit).or_default().push(rate);
            }
        }
    }
    Ok(OfMode {
        mode,
        idle_mib,
        limits: limits
            .into_iter()
            .filter_map(|(it, rates)| Some((it, Spread::of(rates)?)))
            .collect(),
        works: rounds
            .into_iter()
            .map(|(work, rounds)| summary(work, &rounds).context("no round was run"))
            .collect::<Result<_>>()?,
    })
}

fn measure_work(scene: &Scene, work: Work, round: usize) -> Result<Round> {
    let (input, addresses) = (scene.input(work, round), scene.addresses());
    let tag = format!("round{round}");
    for watched in scene.watched() {
        watched.reset_peak()?;
    }
    let before = of_each(scene, Watched::cpu_seconds)?;
    let ended_before = usage::of_ended_children()?;
    let report = scene.load(work, &input, &addresses, &tag).run()?;
    let after = of_each(scene, Watched::cpu_seconds)?;
    let mut cores = usage::cores(&before, &after, report.seconds);
    let of_wrk = usage::of_ended_children()? - ended_before;
    cores.insert("wrk".to_owned(), of_wrk / report.seconds);
    Ok(Round {
        cores,
        peak_mib: of_each(scene, Watched::peak_mib)?,
        report,
    })
}

/// Measures the limit of `work`.
fn measure_limit(runtime: &Runtime, scene: &Scene, work: Work, round: usize) -> Result<Option<(Limit, f64)>> {
    Ok(match work {
        Work::Me => Some((Limit::Hello, hello(scene, round)?)),
        Work::Login => {
            let span = Duration::from_secs(scene.extent.seconds);
            Some((Limit::Hashes, hashes_per_second(span)?))
        }
        Work::Refresh => rotation(runtime, scene, round)?.map(|rate| (Limit::Rotation, rate)),
        Work::Register | Work::Logout | Work::Mixed => None,
    })
}

fn of_each(scene: &Scene, figure: impl Fn(&Watched) -> Result<f64>) -> Result<BTreeMap<String, f64>> {
    let watched = scene.watched();
    watched
        .iter()
        .map(|it| Ok((it.name.clone(), figure(it)?)))
        .collect()
}

fn hello(scene: &Scene, round: usize) -> Result<f64> {
    let input = scene.input(Work::Me, round);
    let report = scene
        .load(Work::Me, &input, &[scene.hello.address], "hello")
        .run()?;
    Ok(report.rate())
}

fn rotation(runtime: &Runtime, scene: &Scene, round: usize) -> Result<Option<f64>> {
    let limit = RotationLimit::new(&scene.place);
    let rate = limit.map(|it| it.per_second(runtime, first_to_rotate(round), scene.extent.seconds));
    rate.transpose()
}

fn summary(work: Work, rounds: &[Round]) -> Option<Measured> {
    let spread = |figure: fn(&LoadReport) -> f64| Spread::of(rounds.iter().map(|it| figure(&it.report)));
    let mut errors = BTreeMap::new();
    for (kind, times) in rounds.iter().flat_map(|it| it.report.errors()) {
        *errors.entry(kind).or_default() += times;
    }
    Some(Measured {
        work,
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
