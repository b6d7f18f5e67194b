//! `make bench`: measures the service and the limits of its machine in one run.
//!
//! wrk generates the load, except at fixed rates. This program starts the servers and stops them
//! when it ends. `docs/performance.md` describes the method.

mod cli;
mod figures;
mod goals;
mod hello;
mod isolation;
mod latency;
mod limits;
mod load_report;
mod mode;
mod paced;
mod place;
mod report;
mod run;
mod scale;
mod seed;
mod service;
mod start;
mod usage;
mod work;
mod wrk;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    match measure(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Print the error last, in one line. A backtrace would not explain a server's error.
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Hello(request) => hello::serve(request.bytes),
        Command::Run(request) => run::run(&request),
        Command::Latency(request) => latency::run(&request),
        Command::Isolation(request) => isolation::run(&request),
        Command::Scale(request) => scale::run(&request),
        Command::Start(request) => start::run(&request),
    }
}
