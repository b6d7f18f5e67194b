//! `bench start`: the cost of a start with a SQLite file.

use crate::{
    cli::Start,
    figures::Spread,
    mode::Mode,
    place::Place,
    service::{self, Replica},
    usage::{Watched, as_f64},
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path, time::Instant};
use tokio::runtime::Runtime;

/// Prints the time from the start of the process to its first ready response, the size of the
/// binary, and the memory afterwards.
pub fn run(request: &Start) -> Result<()> {
    let binary = service::existing_binary(&request.binary)?;
    let runtime = Runtime::new()?;
    let (mut first, mut next, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..request.rounds {
        let place = Place::new(Mode::Sqlite)?;
        first.push(start_once(&runtime, &binary, &place)?.0);
        let (millis, mib) = start_once(&runtime, &binary, &place)?;
        next.push(millis);
        idle.push(mib);
    }
    let bytes = fs::metadata(&binary)?.len();
    println!("binary: {:.1} MiB", as_f64(bytes) / 1024.0 / 1024.0);
    print("start to ready, a new database, ms", first)?;
    print("start to ready, an existing database, ms", next)?;
    print("memory when ready, MiB", idle)
}

/// Returns the time until the service is ready, in milliseconds, and its peak memory, in MiB.
fn start_once(runtime: &Runtime, binary: &Path, place: &Place) -> Result<(f64, f64)> {
    let client = reqwest::Client::new();
    let started = Instant::now();
    let replica = Replica::start(binary, place, 0)?;
    let ready = client
        .get(format!("http://{}/health/ready", replica.address))
        .send();
    let status = runtime.block_on(ready)?.status();
    let millis = started.elapsed().as_secs_f64() * 1e3;
    ensure!(status.is_success(), "not ready: {status}");
    Ok((millis, Watched::one("authapi", replica.pid()).peak_mib()?))
}

fn print(what: &str, figures: Vec<f64>) -> Result<()> {
    let spread = Spread::of(figures).context("no round was run")?;
    println!(
        "{what}: {:.1} ({:.1} to {:.1})",
        spread.median, spread.min, spread.max
    );
    Ok(())
}
