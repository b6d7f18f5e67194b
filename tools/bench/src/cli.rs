//! The command line.

use crate::{
    mode::Mode,
    work::{CONNECTIONS, PacedWork, Work},
};
use clap::{Args, Parser, Subcommand, value_parser};
use std::path::PathBuf;

/// Measures the performance of the service.
#[derive(Parser)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Measure each kind of request in each mode, and the corresponding limits of the machine.
    Run(Run),
    /// Measure the latency of logouts and refreshes at a fixed rate.
    Latency(Latency),
    /// Measure how saturated hash threads and idle connections affect other requests.
    Isolation(Isolation),
    /// Measure how the number of users in Postgres affects login, refresh, /me and user search.
    Scale(Scale),
    /// Measure the cost of a start: time, memory and the size of the binary.
    Start(Start),
    /// Serve a JSON body of the given size on every route, as the limit of any server.
    #[command(hide = true)]
    Hello(Hello),
}

#[derive(Args)]
pub struct Run {
    /// Path of the service's binary.
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    /// Folder for results.json and chart.svg.
    #[arg(long, default_value = "target/bench")]
    pub out: PathBuf,
    /// Modes to measure [default: all].
    #[arg(long, value_enum)]
    pub mode: Vec<Mode>,
    /// Kinds of requests to measure [default: all; on Postgres without Redis, only /me].
    #[arg(long, value_enum)]
    pub work: Vec<Work>,
    /// Number of rounds. Each figure is measured once per round.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Number of connections. Each is kept alive and sends its next request after the response to
    /// the previous one.
    #[arg(long, default_value_t = CONNECTIONS)]
    pub connections: usize,
    /// Run one short round on SQLite and on Postgres, as a test of the setup, not of performance.
    #[arg(long)]
    pub quick: bool,
}

#[derive(Args)]
pub struct Latency {
    /// Path of the service's binary.
    #[arg(long, default_value = "target/release/authapi")]
    pub binary: PathBuf,
    /// Folder for results.json.
    #[arg(long, default_value = "target/bench/latency")]
    pub out: PathBuf,
    /// Modes to measure [default: all].
    #[arg(long, value_enum)]
    pub mode: Vec<Mode>,
    /// Kinds of requests to measure [default: all].
    #[arg(long, value_enum)]
    pub work: Vec<PacedWork>,
    /// Number of requests per second [default: half of the rate of a closed loop right before].
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pub rate: Option<u32>,
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Duration of each measurement, in seconds.
    #[arg(long, default_value_t = 8)]
    pub seconds: u64,
    /// Number of connections. Each sends one request at a time.
    #[arg(long, default_value_t = CONNECTIONS)]
    pub connections: usize,
    /// Run one short round on SQLite and on Postgres, as a test of the setup, not of performance.
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
    /// Number of users. May be repeated.
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

/// The extent of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub rounds: usize,
    pub seconds: u64,
    pub connections: usize,
    /// Number of users who log in, each with a session.
    pub users: usize,
    /// Number of sessions that each connection may log out of in a round.
    pub logouts: usize,
}

impl Extent {
    /// Returns the extent of a run, or of one that tests the setup if it is `quick`.
    fn new(quick: bool, rounds: usize, seconds: u64, connections: usize) -> Self {
        if quick {
            return Self {
                rounds: 1,
                seconds: 2,
                connections,
                users: 128,
                logouts: 10,
            };
        }
        Self {
            rounds,
            seconds,
            connections,
            users: 1_000,
            logouts: 100,
        }
    }
}

impl Run {
    /// Returns the extent of the run.
    pub fn extent(&self) -> Extent {
        Extent::new(self.quick, self.rounds, self.seconds, self.connections)
    }

    /// Returns the modes to measure.
    pub fn modes(&self) -> Vec<Mode> {
        modes(&self.mode, self.quick)
    }

    /// Returns the kinds of requests to measure in `mode`.
    pub fn works(&self, mode: Mode) -> Vec<Work> {
        match (&*self.work, mode) {
            ([], Mode::PostgresAlone) => vec![Work::Me],
            ([], _) => Work::ALL.to_vec(),
            (named, _) => named.to_vec(),
        }
    }
}

impl Latency {
    /// Returns the extent of the run.
    pub fn extent(&self) -> Extent {
        Extent::new(self.quick, self.rounds, self.seconds, self.connections)
    }

    /// Returns the modes to measure.
    pub fn modes(&self) -> Vec<Mode> {
        modes(&self.mode, self.quick)
    }

    /// Returns the kinds of requests to measure.
    pub fn works(&self) -> Vec<PacedWork> {
        if self.work.is_empty() {
            return PacedWork::ALL.to_vec();
        }
        self.work.clone()
    }
}

fn modes(named: &[Mode], quick: bool) -> Vec<Mode> {
    match (named, quick) {
        ([], true) => vec![Mode::Sqlite, Mode::Postgres],
        ([], false) => Mode::ALL.to_vec(),
        (named, _) => named.to_vec(),
    }
}
