//! A running service with the users, sessions and input files of its rounds.

use crate::{
    cli::Extent,
    limits::HelloServer,
    mode::Mode,
    place::{POOL_SIZE, Place},
    seed::{Seed, numbered_session},
    service::Replica,
    usage::Watched,
    work::Work,
    wrk::Load,
};
use anyhow::{Context, Result};
use domain::{steps::TokenPair, token::AccessToken, user::User};
use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};
use testservers::Own;
use tokio::runtime::Runtime;

/// A running service with everything that its rounds need. Dropping it stops the service.
pub struct Scene {
    // The replicas are declared before `place`, so that they stop before the servers that they use.
    replicas: Vec<Replica>,
    pub place: Place,
    pub extent: Extent,
    /// Responds with as many bytes as `GET /me`.
    pub hello: HelloServer,
}

impl Scene {
    /// Creates the users and the sessions of all rounds, then starts the service.
    pub fn new(runtime: &Runtime, mode: Mode, binary: &Path, extent: Extent) -> Result<Self> {
        let place = Place::new(mode)?;
        let users = runtime.block_on(async { Seed::open(&place).await?.users(extent.users).await })?;
        Self::with_users(runtime, place, mode, binary, extent, &users)
    }

    /// Creates the sessions of all rounds for existing users, then starts the service.
    pub fn with_users(
        runtime: &Runtime,
        place: Place,
        mode: Mode,
        binary: &Path,
        extent: Extent,
        users: &[User],
    ) -> Result<Self> {
        let token = runtime.block_on(fill(&place, mode, extent, users))?;
        let replicas = (0..mode.replicas())
            .map(|number| Replica::start(binary, &place, number))
            .collect::<Result<Vec<_>>>()?;
        let first = replicas.first().context("the mode has no replica")?;
        let bytes = runtime.block_on(length_of_me(first.address, &token))?;
        Ok(Self {
            hello: HelloServer::start(bytes)?,
            replicas,
            place,
            extent,
        })
    }

    /// Returns the addresses of the replicas.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.replicas.iter().map(|it| it.address).collect()
    }

    /// Returns the load that `work` puts on `replicas`.
    pub fn load<'a>(
        &self,
        work: Work,
        input: &'a Path,
        replicas: &'a [SocketAddr],
        tag: &'a str,
    ) -> Load<'a> {
        Load {
            script: work.script(),
            input,
            replicas,
            threads: work.threads(replicas.len(), self.extent.connections),
            connections: self.extent.connections,
            seconds: self.extent.seconds,
            tag,
        }
    }

    /// Returns the file with the lines that the work reads in a round.
    pub fn input(&self, work: Work, round: usize) -> PathBuf {
        input(self.place.folder(), work, round)
    }

    /// Returns the processes whose usage is measured: the replicas, Postgres and Redis.
    pub fn watched(&self) -> Vec<Watched> {
        let replicas = self.replicas.iter().enumerate().map(|(number, replica)| {
            let name = match number {
                0 => "authapi".to_owned(),
                number => format!("authapi {}", number + 1),
            };
            Watched::one(name, replica.pid())
        });
        let postgres = self.place.postgres().and_then(Own::process_id);
        let postgres = postgres.map(|pid| Watched {
            with_children: true,
            ..Watched::one("postgres", pid)
        });
        let redis = self.place.redis().and_then(Own::process_id);
        let redis = redis.map(|pid| Watched::one("redis", pid));
        replicas.chain(postgres).chain(redis).collect()
    }
}

/// Returns the number of the first session that pgbench rotates in this round.
pub fn first_to_rotate(round: usize) -> usize {
    round * POOL_SIZE
}

fn input(folder: &Path, work: Work, round: usize) -> PathBuf {
    let name = work.name().rsplit('/').next().unwrap_or_default();
    folder.join(format!("{name}-{round}.txt"))
}

/// Writes the input files of all rounds, and returns an access token for `/me`.
async fn fill(place: &Place, mode: Mode, extent: Extent, users: &[User]) -> Result<AccessToken> {
    let seed = Seed::open(place).await?;
    let logins: Vec<&str> = users.iter().map(|user| user.login.as_typed()).collect();
    let for_me = seed.sessions(users, extent.users).await?;
    for round in 0..extent.rounds {
        let write = |work, lines: &[&str]| fs::write(input(place.folder(), work, round), lines.join("\n"));
        write(Work::Me, &access(&for_me))?;
        write(Work::Login, &logins)?;
        write(Work::Register, &[])?;
        write(Work::Mixed, &logins)?;
        // wrk calls `request` once without sending its result, so there are more tokens than
        // connections.
        let chains = seed.sessions(users, 2 * extent.connections).await?;
        let chains: Vec<&str> = chains.iter().map(|pair| pair.refresh_token.expose()).collect();
        write(Work::Refresh, &chains)?;
        let to_end = seed.sessions(users, extent.connections * extent.logouts).await?;
        write(Work::Logout, &access(&to_end))?;
        if mode.has_postgres() {
            let first = first_to_rotate(round);
            let ids = (first..first + POOL_SIZE).map(numbered_session).collect();
            seed.open_all(users, ids).await?;
        }
    }
    let pair = for_me.into_iter().next().context("there are no users")?;
    Ok(pair.access_token)
}

fn access(pairs: &[TokenPair]) -> Vec<&str> {
    pairs.iter().map(|pair| pair.access_token.expose()).collect()
}

async fn length_of_me(address: SocketAddr, token: &AccessToken) -> Result<usize> {
    let answer = reqwest::Client::new()
        .get(format!("http://{address}/me"))
        .bearer_auth(token.expose())
        .send()
        .await?
        .error_for_status()?;
    Ok(answer.bytes().await?.len())
}
