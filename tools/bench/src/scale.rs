//! `bench scale`: the same work with ever more users in Postgres, each of whom has a session.

use crate::{
    cli::{Extent, Scale},
    mode::Mode,
    place::Place,
    run::Scene,
    seed::{self, Seed},
    work::{CONNECTIONS, Work},
    wrk::{Load, Told},
};
use anyhow::{Context, Result, ensure};
use domain::user::{User, UserId};
use std::{fs, path::Path};
use tokio::runtime::Runtime;
use uuid::Uuid;

/// The most users who take part; they lie evenly among the others.
const SAMPLE: usize = 10_000;
/// How many pages of users are asked for, each at another place.
const SEARCHES: usize = 1_000;

/// Users and sessions in two statements, as whoever restores a backup writes them: no triggers, no references checked.
const FILL: &str = include_str!("scale/fill.sql");

/// Prints the figures of each size.
pub fn run(request: &Scale) -> Result<()> {
    let binary = fs::canonicalize(&request.binary)
        .with_context(|| format!("{} is missing: build the service first", request.binary.display()))?;
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

/// Fills the database; those who take part, and an administrator's access token.
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
    let admin = pairs.first().context("a session was opened")?;
    let ids = (0..sample).map(|number| user_id(number * (count / sample) + 1));
    Ok((
        seed.find(ids.collect()).await?,
        admin.access_token.expose().to_owned(),
    ))
}

/// The ids that `fill.sql` gives, from 1 on.
fn user_id(number: usize) -> UserId {
    let number = u128::try_from(number).expect("128 bits hold any number");
    // The statement writes the number in decimal digits.
    let digits = u128::from_str_radix(&number.to_string(), 16).expect("digits are digits");
    UserId(Uuid::from_u128(
        0x0000_0000_0000_7000_8000_0000_0000_0000 + digits,
    ))
}

/// The administrator's token and the beginning of a login, from all over; wrk's threads share the lines out.
fn searches(admin: &str, count: usize) -> String {
    let logins = (0..SEARCHES).map(|number| format!("user-{:08}", number * count / SEARCHES));
    // Ten users begin so.
    let lines: Vec<String> = logins
        .map(|login| format!("{admin} {}", login.split_at(login.len() - 1).0))
        .collect();
    lines.join("\n")
}

/// # Errors
/// When requests failed: then the figure is that of refusals.
fn print(what: &str, told: &Told) -> Result<()> {
    println!("{what}: {told}");
    let failed = told.errors();
    ensure!(failed.is_empty(), "{what}: requests failed: {failed:?}");
    Ok(())
}
