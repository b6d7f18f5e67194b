//! `bench isolation`: the effect of logins that saturate the hash threads, and of idle connections,
//! on other requests.

use crate::{
    cli::{Extent, Isolation},
    load_report::LoadReport,
    run::Scene,
    service,
    usage::Watched,
    work::{CONNECTIONS, Work},
    wrk::Load,
};
use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{SocketAddr, TcpStream};
use tokio::runtime::Runtime;

/// Number of connections whose latency is measured.
const WATCHED: usize = 16;
/// Number of concurrent logins.
const CROWD: usize = 5_000;
/// Number of idle connections.
const IDLE: u64 = 10_000;
/// Number of files that a server opens in addition to two for each connection.
const OTHER_FILES: u64 = 200;

/// Prints each figure as soon as it is measured.
pub fn run(request: &Isolation) -> Result<()> {
    let binary = service::existing_binary(&request.binary)?;
    let extent = Extent {
        // Each kind of request runs alone and during logins; each run needs the sessions of one
        // round.
        rounds: 2,
        seconds: request.seconds,
        connections: CONNECTIONS,
        users: 1_000,
        logouts: 0,
    };
    allow_many_files()?;
    let scene = Scene::new(&Runtime::new()?, request.mode, &binary, extent)?;
    beside_logins(&scene)?;
    idle(&scene)?;
    // Runs last, because the connections that it leaves behind would count against the file
    // limit of the idle connections.
    crowd(&scene)
}

fn beside_logins(scene: &Scene) -> Result<()> {
    let addresses = scene.addresses();
    for work in [Work::Me, Work::Refresh] {
        let alone = few(scene, work, 0, &addresses)?;
        let (input, seconds) = (scene.input(Work::Login, 0), scene.extent.seconds + 1);
        let logins = scene.load(Work::Login, &input, &addresses, "login");
        let logins = Load { seconds, ..logins }.start()?;
        let beside = few(scene, work, 1, &addresses)?;
        let logins = logins.wait()?;
        print(work.name(), &alone);
        print(&format!("{} beside logins", work.name()), &beside);
        print("the logins themselves", &logins);
        println!("p99 beside / alone: {:.2}\n", beside.p99_ms / alone.p99_ms);
    }
    Ok(())
}

/// Sends more concurrent logins than may wait for a hash thread, so that the service rejects the
/// rest.
fn crowd(scene: &Scene) -> Result<()> {
    let (input, addresses) = (scene.input(Work::Login, 0), scene.addresses());
    reset_peaks(scene)?;
    let load = scene.load(Work::Login, &input, &addresses, "crowd");
    let report = Load {
        threads: 4,
        connections: CROWD,
        ..load
    }
    .run()?;
    print(&format!("POST /login, {CROWD} at once"), &report);
    print_peaks(scene)
}

fn idle(scene: &Scene) -> Result<()> {
    let addresses = scene.addresses();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = IDLE.min(most.saturating_sub(OTHER_FILES) / 2);
    reset_peaks(scene)?;
    println!("without idle connections");
    print_peaks(scene)?;
    let turns = addresses.iter().cycle().zip(0..count);
    let connections = turns
        .map(|(address, _)| TcpStream::connect(address))
        .collect::<Result<Vec<_>, _>>()?;
    let report = few(scene, Work::Me, 0, &addresses)?;
    print(
        &format!("GET /me beside {} idle connections", connections.len()),
        &report,
    );
    print_peaks(scene)
}

/// Runs the work over a few connections.
fn few(scene: &Scene, work: Work, round: usize, replicas: &[SocketAddr]) -> Result<LoadReport> {
    let input = scene.input(work, round);
    Load {
        connections: WATCHED,
        ..scene.load(work, &input, replicas, "few")
    }
    .run()
}

fn reset_peaks(scene: &Scene) -> Result<()> {
    scene.watched().iter().try_for_each(Watched::reset_peak)
}

fn print_peaks(scene: &Scene) -> Result<()> {
    for watched in scene.watched() {
        println!("  memory of {}: {:.0} MiB", watched.name, watched.peak_mib()?);
    }
    println!();
    Ok(())
}

fn print(what: &str, report: &LoadReport) {
    println!("{what}: {report}");
}

/// Raises the file limit of this process and its children to the maximum.
fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, most)?)
}
