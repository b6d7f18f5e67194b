//! The `authapi` program.

use authapi::{cli::Cli, commands, telemetry};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let ended = commands::run(Cli::parse());
    telemetry::end();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("authapi: {failure}");
            failure.exit_code()
        }
    }
}
