//! Signals: SIGTERM and Ctrl-C stop the service. SIGHUP makes it read its keys again, or stops it
//! if it runs in a terminal, which was closed then.

use crate::{Failure, telemetry};
use std::{
    io::{self, IsTerminal},
    process,
    time::Duration,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::timeout,
};

/// The wait budget for logging that a second signal stops the process.
const LOG_BUDGET: Duration = Duration::from_millis(300);

/// The signals that stop the service. Once created, it prevents them from killing the process.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// Present if the service runs in a terminal.
    terminal_closed: Option<Signal>,
}

impl StopSignals {
    /// Registers the signal handlers.
    ///
    /// # Errors
    /// If the system rejects the registration.
    pub fn listen() -> Result<Self, Failure> {
        let hangup = is_in_terminal().then(|| listen_to(SignalKind::hangup()));
        Ok(Self {
            terminate: listen_to(SignalKind::terminate())?,
            interrupt: listen_to(SignalKind::interrupt())?,
            terminal_closed: hangup.transpose()?,
        })
    }

    /// Returns at the first signal. A second signal ends the process immediately.
    pub async fn wait(mut self) {
        self.next().await;
        // Start this task before logging: logging blocks while the reader of the log is stuck.
        tokio::spawn(async move {
            self.next().await;
            // Logging may be what blocks, so its time is limited.
            let logged = spawn_blocking(|| {
                tracing::warn!("stopped immediately by a second signal");
                telemetry::end();
            });
            let _ = timeout(LOG_BUDGET, logged).await;
            process::exit(1);
        });
        tracing::info!("stopping: completing requests in flight; a second signal stops immediately");
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            Some(()) = next_of(&mut self.terminal_closed) => {}
        }
    }
}

/// The signal that makes the service read its keys again. Once created, it prevents the signal from
/// killing the process.
pub struct ReloadSignal(Option<Signal>);

impl ReloadSignal {
    /// Registers the signal handler, unless the service runs in a terminal.
    ///
    /// # Errors
    /// If the system rejects the registration.
    pub fn listen() -> Result<Self, Failure> {
        let hangup = (!is_in_terminal()).then(|| listen_to(SignalKind::hangup()));
        hangup.transpose().map(Self)
    }

    /// Returns `Some` at the next signal, or `None` if there will be none.
    pub async fn next(&mut self) -> Option<()> {
        next_of(&mut self.0).await
    }
}

async fn next_of(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

fn is_in_terminal() -> bool {
    io::stdin().is_terminal()
}

fn listen_to(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| Failure::because("signal handlers cannot be registered", error))
}
