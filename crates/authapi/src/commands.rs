//! The commands of the command line, one file per command.

mod audit;
mod completions;
mod config_check;
mod healthcheck;
mod keys;
mod man;
mod migrate;
mod openapi;
mod output;
mod passwords;
mod roles;
mod serve;
mod sessions;
mod users;

use crate::{
    Failure,
    cli::{Cli, Command, Config, Configured, Document},
    core_dumps,
    settings::{self, Loaded, LogLevel, LogSettings, Settings, Sources, warnings},
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
    match cli.command.unwrap_or(Command::Configured(Configured::Serve)) {
        Command::Configured(command) => {
            core_dumps::disable()?;
            configured(command, settings::load(&Sources::of_process(cli.config))?)
        }
        Command::Document(Document::Openapi { version }) => openapi::run(version),
        Command::Document(Document::Completions { shell }) => completions::run(shell),
        Command::Document(Document::Man { directory }) => man::run(&directory),
    }
}

fn configured(command: Configured, loaded: Loaded) -> Result<(), Failure> {
    let settings = &loaded.settings;
    let traces = if matches!(command, Configured::Serve) {
        Traces::start(&settings.traces)?
    } else {
        None
    };
    start_log(&command, settings, traces.as_ref())?;
    if matches!(command, Configured::Serve | Configured::Config(Config::Check(_))) {
        log_warnings(settings);
    }
    match command {
        Configured::Serve => block_on(serve::run(loaded.settings)),
        Configured::Migrate(command) => block_on(migrate::run(settings, command)),
        Configured::Keys(command) => block_on(keys::run(settings, command)),
        Configured::Users(command) => block_on(users::run(settings, command)),
        Configured::Passwords(command) => block_on(passwords::run(settings, command)),
        Configured::Roles(command) => block_on(roles::run(settings, command)),
        Configured::Sessions(command) => block_on(sessions::run(settings, command)),
        Configured::Audit(command) => block_on(audit::run(settings, command)),
        Configured::Config(Config::Check(listing)) => config_check::run(&loaded, listing),
        Configured::Healthcheck => healthcheck::run(&settings.server),
    }
}

/// Starts the log. Only `serve` logs at the level of the settings; other commands print results to
/// standard output and log warnings and errors.
fn start_log(command: &Configured, settings: &Settings, traces: Option<&Traces>) -> Result<(), Failure> {
    let quiet = LogSettings {
        level: LogLevel::warnings(),
        ..settings.log.clone()
    };
    let log = if matches!(command, Configured::Serve) {
        &settings.log
    } else {
        &quiet
    };
    telemetry::start(log, traces).map_err(|error| Failure::because("the log cannot be started", error))
}

fn log_warnings(settings: &Settings) {
    for warning in warnings(settings) {
        tracing::warn!(code = warning.code, "{warning}");
    }
}

/// Runs `task` on the process's runtime, which outlives requests; the web server's workers have
/// their own runtimes.
fn block_on(task: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Runtime::new()
        .map_err(|error| Failure::because("the runtime cannot be started", error))?
        .block_on(task)
}
