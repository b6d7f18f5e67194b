//! The `authapi` program.

use authapi::{cli::Cli, commands, telemetry};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let log = telemetry::LogGuard;
    let ended = commands::run(Cli::parse());
    // Write the remaining log lines before the failure, which is not part of the log.
    drop(log);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            for line in failure.lines() {
                eprintln!("authapi: {line}");
            }
            failure.exit_code()
        }
    }
}
