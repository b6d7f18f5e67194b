//! The rounds of one mode.

use super::{
    observed::{Observed, observe, of_each, summary},
    scene::{Scene, first_to_rotate},
};
use crate::{
    cli::Extent,
    figures::{OfMode, Spread},
    limits::{Limit, RotationLimit, hashes_per_second},
    mode::Mode,
    usage::{self, Watched},
    work::Work,
};
use anyhow::{Context, Result};
use std::{collections::BTreeMap, path::Path, time::Duration};
use tokio::runtime::Runtime;

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
    let mut rounds: BTreeMap<Work, Vec<Observed>> = BTreeMap::new();
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

fn measure_work(scene: &Scene, work: Work, round: usize) -> Result<Observed> {
    let (input, addresses) = (scene.input(work, round), scene.addresses());
    let tag = format!("round{round}");
    let load = scene.load(work, &input, &addresses, &tag);
    observe(scene, ("wrk", usage::of_ended_children), || load.run())
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
