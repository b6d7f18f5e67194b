//! When to stop: SIGTERM or Ctrl-C.

use crate::{Failure, telemetry};
use std::{process, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::timeout,
};

/// How long a process that is to end at once waits until that is told.
const LAST_WORD: Duration = Duration::from_millis(300);

/// The signals that stop the service. From the moment it is made they no longer kill the process.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// When the system does not let the process listen.
    pub fn listen() -> Result<Self, Failure> {
        let listen_to =
            |kind| signal(kind).map_err(|error| Failure::because("signals cannot be listened to", error));
        Ok(Self {
            terminate: listen_to(SignalKind::terminate())?,
            interrupt: listen_to(SignalKind::interrupt())?,
        })
    }

    /// Returns at the first signal. The second one ends the process at once, whatever is under way.
    pub async fn wait(mut self) {
        self.next().await;
        // Before anything is told: while nobody reads the log, telling may take for ever.
        tokio::spawn(async move {
            self.next().await;
            // Perhaps it is the log that holds everything up.
            let told = spawn_blocking(|| {
                tracing::warn!("stopped at once by a second signal");
                telemetry::end();
            });
            let _ = timeout(LAST_WORD, told).await;
            process::exit(1);
        });
        tracing::info!("stopping: requests in flight are answered first; a second signal stops at once");
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
