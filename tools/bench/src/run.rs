//! `bench run`: measures all kinds of requests in all modes, and their limits in the same rounds.

mod rounds;
mod scene;

pub use scene::Scene;

use crate::{cli::Run, figures::Results, report};
use adapters_crypto::SystemClock;
use anyhow::{Context, Result, bail};
use domain::ports::Clock;
use procfs::{CpuInfo, Current};
use std::{fs, thread};

/// Measures the service, prints tables, and writes `results.json` and `chart.svg` to the output
/// folder.
///
/// # Errors
/// If a figure cannot be measured, or if more than one request in a thousand of a kind failed. Low
/// figures are not an error.
pub fn run(request: &Run) -> Result<()> {
    let binary = fs::canonicalize(&request.binary)
        .with_context(|| format!("{} is missing: build the service first", request.binary.display()))?;
    let extent = request.extent();
    let mut results = Results {
        date: SystemClock.now().format("%Y-%m-%d").to_string(),
        processor: processor()?,
        cores: thread::available_parallelism()?.get(),
        rounds: extent.rounds,
        seconds: extent.seconds,
        connections: extent.connections,
        modes: Vec::new(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    println!("{}", report::heading(&results));
    for mode in request.modes() {
        let measured = rounds::measure(&runtime, mode, &binary, extent, &request.works(mode))?;
        // Print the tables now, because a later mode may fail.
        println!("{}", report::tables(&measured, results.cores));
        results.modes.push(measured);
    }
    fs::create_dir_all(&request.out)?;
    fs::write(
        request.out.join("results.json"),
        serde_json::to_string_pretty(&results)?,
    )?;
    fs::write(request.out.join("chart.svg"), report::chart(&results))?;
    let failures = results.failures();
    if !failures.is_empty() {
        bail!("requests failed:\n{}", failures.join("\n"));
    }
    Ok(())
}

fn processor() -> Result<String> {
    let info = CpuInfo::current()?;
    Ok(info.model_name(0).unwrap_or("an unknown processor").to_owned())
}
