//! Signals that stop the service: SIGTERM and Ctrl-C.

use crate::{Failure, telemetry};
use std::{process, time::Duration};
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
}

impl StopSignals {
    /// Registers the signal handlers.
    ///
    /// # Errors
    /// If the system rejects the registration.
    pub fn listen() -> Result<Self, Failure> {
        let listen_to = |kind| {
            signal(kind).map_err(|error| Failure::because("signal handlers cannot be registered", error))
        };
        Ok(Self {
            terminate: listen_to(SignalKind::terminate())?,
            interrupt: listen_to(SignalKind::interrupt())?,
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
        }
    }
}
