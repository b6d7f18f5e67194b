//! The limits of this machine, measured in the same rounds as the service.

mod hashes;
mod rotation;

pub use hashes::hashes_per_second;
pub use rotation::RotationLimit;

use crate::work::Work;
use anyhow::{Context, Result};
use serde::Serialize;
use std::{
    env,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

/// The limit of a kind of request: the work that the machine does at most without the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// A server that responds with the same number of bytes and does nothing else.
    Hello,
    /// argon2id on every core.
    Hashes,
    /// The statement that rotates a session, run by pgbench.
    Rotation,
}

impl Limit {
    /// Returns the name in tables and charts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "actix-web, same bytes",
            Self::Hashes => "argon2id, all cores",
            Self::Rotation => "pgbench, rotation",
        }
    }

    /// Returns the limit of `work`; `None` if it has none.
    pub fn of(work: Work) -> Option<Self> {
        match work {
            Work::Me => Some(Self::Hello),
            Work::Login | Work::Register => Some(Self::Hashes),
            Work::Refresh => Some(Self::Rotation),
            Work::Logout | Work::Mixed => None,
        }
    }
}

/// A process that runs the server of [`hello`](crate::hello).
pub struct HelloServer {
    child: Child,
    pub address: SocketAddr,
}

impl HelloServer {
    /// Starts the server, which responds with `bytes` bytes, and waits for its address.
    pub fn start(bytes: usize) -> Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["hello", "--bytes", &bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("standard output is not piped")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().context("the server printed no address")?;
        Ok(Self { child, address })
    }
}

impl Drop for HelloServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
