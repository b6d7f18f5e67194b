//! `bench latency`: the latency of logouts and refreshes at a fixed rate.

use crate::{
    cli::{Extent, Latency},
    figures::{FixedRate, Measured, OfMode, Results, Spread, exceeds_tolerance},
    load_report::LoadReport,
    mode::Mode,
    paced::{Pace, PacedLoad},
    place::Place,
    report,
    run::{Scene, observe, of_each, summary},
    seed::Seed,
    service,
    usage::{self, Watched},
    work::{PacedWork, Work},
};
use anyhow::{Context, Result, ensure};
use domain::user::User;
use std::{collections::BTreeMap, path::Path, time::Duration};
use tokio::runtime::Runtime;

/// A running service with its users.
struct Stage<'a> {
    runtime: &'a Runtime,
    scene: Scene,
    users: Vec<User>,
    extent: Extent,
    /// Requests per second, if they are given.
    rate: Option<u32>,
}

/// Measures the service, prints tables, and writes `results.json` to the output folder.
///
/// # Errors
/// If a figure cannot be measured, or if more than one request in a thousand of a kind failed. High
/// latencies are not an error.
pub fn run(request: &Latency) -> Result<()> {
    let binary = service::existing_binary(&request.binary)?;
    let mut results = Results::new(request.extent())?;
    let runtime = Runtime::new()?;
    println!("{}", report::heading(&results));
    for mode in request.modes() {
        eprintln!("{}: preparing", mode.name());
        let stage = Stage::new(&runtime, mode, &binary, request)?;
        let measured = stage.measure(mode, &request.works())?;
        println!("{}", report::tables(&measured, results.cores));
        results.modes.push(measured);
    }
    results.write(&request.out)?;
    results.check()
}

impl<'a> Stage<'a> {
    fn new(runtime: &'a Runtime, mode: Mode, binary: &Path, request: &Latency) -> Result<Self> {
        let extent = request.extent();
        let place = Place::new(mode)?;
        let users = runtime.block_on(async { Seed::open(&place).await?.users(extent.users).await })?;
        // Sessions are created before each load, when their number is known.
        let of_scene = Extent { rounds: 0, ..extent };
        let scene = Scene::with_users(runtime, place, mode, binary, of_scene, &users)?;
        Ok(Self {
            runtime,
            scene,
            users,
            extent,
            rate: request.rate,
        })
    }

    fn measure(&self, mode: Mode, works: &[PacedWork]) -> Result<OfMode> {
        let idle_mib = of_each(&self.scene, Watched::peak_mib)?;
        let works = works.iter().map(|&work| self.measure_work(mode, work));
        Ok(OfMode {
            mode,
            idle_mib,
            limits: BTreeMap::new(),
            works: works.collect::<Result<_>>()?,
        })
    }

    fn measure_work(&self, mode: Mode, work: PacedWork) -> Result<Measured> {
        let (mut closed_loop, mut wanted, mut rounds) = (Vec::new(), Vec::new(), Vec::new());
        for round in 1..=self.extent.rounds {
            let name = format!("{}: round {round}, {}", mode.name(), Work::from(work).name());
            let maximum = self.maximum(work)?;
            eprintln!("{name}, closed loop: {maximum:.0}/s");
            let rate = self.rate.map_or(maximum / 2.0, f64::from);
            let load = self.load(work, Pace::PerSecond(rate), self.requests(rate))?;
            let observed = observe(&self.scene, ("client", usage::of_this_process), || load.run())?;
            eprintln!("{name}, {rate:.0}/s: {}", observed.report);
            closed_loop.push(maximum);
            wanted.push(rate);
            rounds.push(observed);
        }
        let measured = || {
            Some(Measured {
                fixed: Some(FixedRate {
                    wanted: Spread::of(wanted)?,
                    closed_loop: Spread::of(closed_loop)?,
                }),
                rate: Spread::of(rounds.iter().map(|it| it.report.rate())),
                ..summary(work.into(), &rounds)?
            })
        };
        measured().context("no round was run")
    }

    /// Returns the number of requests per second in a closed loop.
    fn maximum(&self, work: PacedWork) -> Result<f64> {
        let logouts = self.extent.connections * self.extent.logouts;
        let report: LoadReport = self.load(work, Pace::ClosedLoop, logouts)?.run()?;
        let failed = exceeds_tolerance(report.requests, report.failed());
        ensure!(
            report.requests > 0 && !failed,
            "requests failed: {:?}",
            report.errors()
        );
        Ok(report.rate())
    }

    /// Returns a load with sessions for `requests` logouts, or for a chain of refreshes on each
    /// connection.
    fn load(&self, work: PacedWork, pace: Pace, requests: usize) -> Result<PacedLoad> {
        let sessions = match work {
            PacedWork::Logout => requests,
            PacedWork::Refresh => self.extent.connections,
        };
        let pairs = self.runtime.block_on(async {
            let seed = Seed::open(&self.scene.place).await?;
            seed.sessions(&self.users, sessions).await
        })?;
        let mut tokens = vec![Vec::new(); self.extent.connections];
        for (index, pair) in pairs.iter().enumerate() {
            let token = match work {
                PacedWork::Logout => pair.access_token.expose(),
                PacedWork::Refresh => pair.refresh_token.expose(),
            };
            if let Some(tokens) = tokens.get_mut(index % self.extent.connections) {
                tokens.push(token.to_owned());
            }
        }
        Ok(PacedLoad {
            work,
            replicas: self.scene.addresses(),
            pace,
            duration: Duration::from_secs(self.extent.seconds),
            tokens,
        })
    }

    /// Returns the number of requests that are due during a load at `rate`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is positive and fits into memory"
    )]
    fn requests(&self, rate: f64) -> usize {
        (rate * Duration::from_secs(self.extent.seconds).as_secs_f64()).ceil() as usize
    }
}
