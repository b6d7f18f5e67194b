//! The command line.

use crate::{
    mode::Mode,
    work::{CONNECTIONS, Work},
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Measures the service.
#[derive(Parser)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Measures every kind of request in each mode, and the limits beside it.
    Run(Run),
    /// Measures what saturated hash threads, and idle connections, do to everybody else.
    Isolation(Isolation),
    /// Measures how more users in Postgres change login, refresh, /me and the search for users.
    Scale(Scale),
    /// Measures what a start costs.
    Start(Start),
    /// Answers every request with so many bytes of JSON: the limit of what a server can do.
    #[command(hide = true)]
    Hello(Hello),
}

#[derive(Args)]
pub struct Run {
    /// The service's binary.
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    /// Where results.json and chart.svg go.
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,
    /// Which modes; all unless named.
    #[arg(long, value_enum)]
    pub mode: Vec<Mode>,
    /// Which kinds of requests; unless named all, but of Postgres without Redis only those that differ there.
    #[arg(long, value_enum)]
    pub work: Vec<Work>,
    /// How often each figure is taken.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long each figure is taken for.
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Connections that are kept alive, each of which sends its next request when the one before is answered.
    #[arg(long, default_value_t = CONNECTIONS)]
    pub connections: usize,
    /// One short round on SQLite and on Postgres: figures that say that everything works, and little more.
    #[arg(long)]
    pub quick: bool,
}

#[derive(Args)]
pub struct Isolation {
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    #[arg(long, value_enum, default_value_t = Mode::Sqlite)]
    pub mode: Mode,
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
}

#[derive(Args)]
pub struct Scale {
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    /// How many users there are; may be given more than once.
    #[arg(long, default_values_t = [10_000, 1_000_000])]
    pub users: Vec<usize>,
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
}

#[derive(Args)]
pub struct Start {
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
}

#[derive(Args)]
pub struct Hello {
    #[arg(long)]
    pub bytes: usize,
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub rounds: usize,
    pub seconds: u64,
    pub connections: usize,
    /// Users who log in, each with a session.
    pub users: usize,
    /// Sessions that each connection may log out of in a round.
    pub logouts: usize,
}

impl Run {
    pub fn extent(&self) -> Extent {
        if self.quick {
            Extent {
                rounds: 1,
                seconds: 2,
                connections: self.connections,
                users: 128,
                logouts: 10,
            }
        } else {
            Extent {
                rounds: self.rounds,
                seconds: self.seconds,
                connections: self.connections,
                users: 1_000,
                logouts: 100,
            }
        }
    }

    pub fn modes(&self) -> Vec<Mode> {
        match (&*self.mode, self.quick) {
            ([], true) => vec![Mode::Sqlite, Mode::Postgres],
            ([], false) => Mode::ALL.to_vec(),
            (named, _) => named.to_vec(),
        }
    }

    pub fn works(&self, mode: Mode) -> Vec<Work> {
        match (&*self.work, mode) {
            ([], Mode::PostgresAlone) => vec![Work::Me],
            ([], _) => Work::ALL.to_vec(),
            (named, _) => named.to_vec(),
        }
    }
}
