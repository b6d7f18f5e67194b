//! The commands of the command line, one file per command.

mod audit;
mod config_check;
mod healthcheck;
mod keys;
mod migrate;
mod openapi;
mod output;
mod roles;
mod serve;
mod sessions;
mod users;

use crate::{
    Failure,
    cli::{Cli, Command, Config},
    settings::{self, LogSettings, Settings, Sources},
    telemetry,
    traces::Traces,
};
use std::future::Future;
use tokio::runtime::Runtime;

/// Runs the command that the command line names.
///
/// # Errors
/// If the command fails.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let command = cli.command.unwrap_or(Command::Serve);
    let loaded = settings::load(&Sources::of_process(cli.config))?;
    let settings = &loaded.settings;
    let traces = if matches!(command, Command::Serve) {
        Traces::start(&settings.traces)?
    } else {
        None
    };
    start_log(&command, settings, traces.as_ref())?;
    match command {
        Command::Serve => block_on(serve::run(loaded.settings)),
        Command::Migrate(command) => block_on(migrate::run(&settings.database, command)),
        Command::Keys(command) => keys::run(&settings.keys, command),
        Command::Users(command) => block_on(users::run(settings, command)),
        Command::Roles(command) => block_on(roles::run(settings, command)),
        Command::Sessions(command) => block_on(sessions::run(settings, command)),
        Command::Audit(command) => block_on(audit::run(settings, command)),
        Command::Config(Config::Check(listing)) => config_check::run(&loaded, listing),
        Command::Openapi => openapi::run(),
        Command::Healthcheck => healthcheck::run(&settings.server),
    }
}

/// Starts the log. Only `serve` logs at the level of the settings; other commands print results to
/// standard output and log warnings and errors.
fn start_log(command: &Command, settings: &Settings, traces: Option<&Traces>) -> Result<(), Failure> {
    let quiet = LogSettings {
        level: "warn".to_owned(),
        ..settings.log.clone()
    };
    let log = if matches!(command, Command::Serve) {
        &settings.log
    } else {
        &quiet
    };
    telemetry::start(log, traces).map_err(|error| Failure::because("the log cannot be started", error))
}

/// Runs `task` on the process's runtime, which outlives requests; the web server's workers have
/// their own runtimes.
fn block_on(task: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Runtime::new()
        .map_err(|error| Failure::because("the runtime cannot be started", error))?
        .block_on(task)
}
