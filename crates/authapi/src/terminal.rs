//! The mode of the terminal, which a password prompt changes.

use crate::telemetry;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::{fs::File, io, process, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};

/// Added to the number of a signal for the exit code of a process that the signal ended.
const SIGNAL_EXIT: i32 = 128;

/// Restores the present mode of the terminal when a signal ends the process. Without this, echo
/// stays off if the process ends at a prompt. Has no effect without a terminal.
///
/// MUST be called inside a multi-thread tokio runtime.
///
/// # Errors
/// If the mode or the signals cannot be read.
pub fn restore_on_signal() -> io::Result<()> {
    let Ok(terminal) = File::open("/dev/tty") else {
        return Ok(());
    };
    let terminal = Arc::new(terminal);
    let mode = tcgetattr(&*terminal)?;
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind)?;
        let (terminal, mode) = (Arc::clone(&terminal), mode.clone());
        tokio::spawn(async move {
            signals.recv().await;
            // If this fails, the terminal is gone.
            let _ = tcsetattr(&*terminal, OptionalActions::Now, &mode);
            telemetry::end();
            process::exit(SIGNAL_EXIT + kind.as_raw_value());
        });
    }
    Ok(())
}
