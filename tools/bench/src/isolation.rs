//! `bench isolation`: what logins that saturate the hash threads, and connections that do nothing, do to everybody else.

use crate::{
    cli::{Extent, Isolation},
    run::Scene,
    usage::Watched,
    work::{CONNECTIONS, Work},
    wrk::{Load, Told},
};
use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    fs,
    net::{SocketAddr, TcpStream},
};
use tokio::runtime::Runtime;

/// Connections of the work whose latency is looked at.
const WATCHED: usize = 16;
/// Logins at once.
const CROWD: usize = 5_000;
/// Connections that do nothing.
const IDLE: u64 = 10_000;
/// Files that a server opens besides two for each connection.
const OTHER_FILES: u64 = 200;

/// Prints all of it, figure by figure.
pub fn run(request: &Isolation) -> Result<()> {
    let binary = fs::canonicalize(&request.binary)
        .with_context(|| format!("{} is missing: build the service first", request.binary.display()))?;
    let extent = Extent {
        // Each work alone, and beside the logins: a round's sessions each.
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
    // Last: what it leaves behind would count against the files that idle connections may open.
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
        print("the logins", &logins);
        println!("p99 beside / alone: {:.2}\n", beside.p99_ms / alone.p99_ms);
    }
    Ok(())
}

/// More logins at once than may wait: the rest is told to come back.
fn crowd(scene: &Scene) -> Result<()> {
    let (input, addresses) = (scene.input(Work::Login, 0), scene.addresses());
    forget_peaks(scene)?;
    let load = scene.load(Work::Login, &input, &addresses, "crowd");
    let told = Load {
        threads: 4,
        connections: CROWD,
        ..load
    }
    .run()?;
    print(&format!("POST /login, {CROWD} at once"), &told);
    print_peaks(scene)
}

fn idle(scene: &Scene) -> Result<()> {
    let addresses = scene.addresses();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = IDLE.min(most.saturating_sub(OTHER_FILES) / 2);
    forget_peaks(scene)?;
    println!("without idle connections");
    print_peaks(scene)?;
    let turns = addresses.iter().cycle().zip(0..count);
    let connections = turns
        .map(|(address, _)| TcpStream::connect(address))
        .collect::<Result<Vec<_>, _>>()?;
    let told = few(scene, Work::Me, 0, &addresses)?;
    print(
        &format!("GET /me beside {} idle connections", connections.len()),
        &told,
    );
    print_peaks(scene)
}

/// The work over a few connections.
fn few(scene: &Scene, work: Work, round: usize, replicas: &[SocketAddr]) -> Result<Told> {
    let input = scene.input(work, round);
    Load {
        connections: WATCHED,
        ..scene.load(work, &input, replicas, "few")
    }
    .run()
}

fn forget_peaks(scene: &Scene) -> Result<()> {
    scene.watched().iter().try_for_each(Watched::forget_peak)
}

fn print_peaks(scene: &Scene) -> Result<()> {
    for watched in scene.watched() {
        println!("  memory of {}: {:.0} MiB", watched.name, watched.peak_mib()?);
    }
    println!();
    Ok(())
}

fn print(what: &str, told: &Told) {
    println!("{what}: {told}");
}

/// This process, and those that it starts, may open as many files as the system allows.
fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, most)?)
}
