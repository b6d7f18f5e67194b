//! `bench scale`: the same load with increasing numbers of users in Postgres, each with a session.

use crate::{
    cli::{Extent, Scale},
    load_report::LoadReport,
    mode::Mode,
    place::Place,
    run::Scene,
    seed::{self, Seed},
    service,
    work::{CONNECTIONS, Work},
    wrk::Load,
};
use anyhow::{Context, Result, ensure};
use domain::user::{User, UserId};
use std::{fs, path::Path};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Maximum number of users who send requests, spread evenly over all users.
const SAMPLE: usize = 10_000;
/// Number of different searches for users.
const SEARCHES: usize = 1_000;

/// Inserts users and sessions in bulk, without triggers and foreign-key checks, as a restore of a
/// backup does.
const FILL: &str = include_str!("scale/fill.sql");

/// Prints the figures for each number of users.
pub fn run(request: &Scale) -> Result<()> {
    let binary = service::existing_binary(&request.binary)?;
    let runtime = Runtime::new()?;
    for users in &request.users {
        measure(&runtime, &binary, *users, request.seconds)?;
    }
    Ok(())
}

fn measure(runtime: &Runtime, binary: &Path, count: usize, seconds: u64) -> Result<()> {
    let place = Place::new(Mode::Postgres)?;
    let extent = Extent {
        rounds: 1,
        seconds,
        connections: CONNECTIONS,
        users: SAMPLE.min(count),
        logouts: 0,
    };
    let (users, admin) = runtime.block_on(fill(&place, count, extent.users))?;
    let search = place.folder().join("search.txt");
    fs::write(&search, searches(&admin, count))?;
    let scene = Scene::with_users(runtime, place, Mode::Postgres, binary, extent, &users)?;
    println!("{count} users");
    let addresses = scene.addresses();
    for work in [Work::Me, Work::Refresh, Work::Login] {
        let input = scene.input(work, 0);
        print(work.name(), &scene.load(work, &input, &addresses, "scale").run()?)?;
    }
    let load = scene.load(Work::Me, &search, &addresses, "scale");
    let script = include_str!("lua/search.lua");
    print("GET /users", &Load { script, ..load }.run()?)
}

/// Fills the database, and returns the users who send requests and an administrator's access token.
async fn fill(place: &Place, count: usize, sample: usize) -> Result<(Vec<User>, String)> {
    let seed = Seed::open(place).await?;
    let hash = seed::hash().await?;
    let fill = FILL
        .replace(":count", &count.to_string())
        .replace(":hash", hash.as_phc());
    place.psql(&fill)?;
    place.psql("VACUUM ANALYZE")?;
    let admins = seed.users_called(vec!["root".to_owned()], "admin").await?;
    let pairs = seed.sessions(&admins, 1).await?;
    let admin = pairs.first().context("no session was opened")?;
    let ids = (0..sample).map(|number| user_id(number * (count / sample) + 1));
    Ok((
        seed.find(ids.collect()).await?,
        admin.access_token.expose().to_owned(),
    ))
}

/// Returns the id that `fill.sql` assigns to a user, counted from 1.
fn user_id(number: usize) -> UserId {
    let number = u128::try_from(number).expect("a usize fits into 128 bits");
    // The statement writes the decimal digits of the number into the hexadecimal id.
    let digits =
        u128::from_str_radix(&number.to_string(), 16).expect("decimal digits are hexadecimal digits");
    UserId(Uuid::from_u128(
        0x0000_0000_0000_7000_8000_0000_0000_0000 + digits,
    ))
}

/// Returns lines with the administrator's token and a prefix of a login, spread over all logins.
fn searches(admin: &str, count: usize) -> String {
    let logins = (0..SEARCHES).map(|number| format!("user-{:08}", number * count / SEARCHES));
    // Each prefix matches ten users.
    let lines: Vec<String> = logins
        .map(|login| format!("{admin} {}", login.split_at(login.len() - 1).0))
        .collect();
    lines.join("\n")
}

/// Prints the report.
///
/// # Errors
/// If a request failed, because the figures would then describe error responses.
fn print(what: &str, report: &LoadReport) -> Result<()> {
    println!("{what}: {report}");
    let failed = report.errors();
    ensure!(failed.is_empty(), "{what}: requests failed: {failed:?}");
    Ok(())
}
