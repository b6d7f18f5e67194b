//! `make bench`: measures the service against what its machine can do at the most, both in one run.
//!
//! Load comes from wrk, the servers are started here and end with the program. `docs/performance.md` tells the method.

mod cli;
mod figures;
mod goals;
mod hello;
mod isolation;
mod limits;
mod mode;
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
        // In one line and last, where it is seen. A backtrace says nothing of what a server refused.
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
        Command::Isolation(request) => isolation::run(&request),
        Command::Scale(request) => scale::run(&request),
        Command::Start(request) => start::run(&request),
    }
}
