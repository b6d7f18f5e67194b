use crate::failure::Failure;
use std::{
    io::Read,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Maximum duration of a server's start, generous because other tests may use the machine.
pub(crate) const START_DEADLINE: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Polls `done` until it returns `true`, and fails after `deadline`.
pub(crate) fn until(what: &str, deadline: Duration, mut done: impl FnMut() -> bool) -> Result<(), Failure> {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > deadline {
            return Err(Failure::TooLong {
                what: what.to_owned(),
            });
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Runs `command` and returns its standard output, which must fit into a pipe's buffer.
///
/// Fails if the command does not exit successfully within `deadline`.
pub(crate) fn run(what: &str, command: &mut Command, deadline: Duration) -> Result<String, Failure> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Failure::run(what))?;
    let ended = until(what, deadline, || !matches!(child.try_wait(), Ok(None)));
    if ended.is_err() {
        // The timeout is reported whether or not the kill succeeds.
        let _ = child.kill();
    }
    let output = child.wait_with_output().map_err(Failure::run(what))?;
    ended?;
    succeeded(what, &output)
}

fn succeeded(what: &str, output: &Output) -> Result<String, Failure> {
    let mut said = String::new();
    for stream in [&output.stderr, &output.stdout] {
        let _ = stream.as_slice().read_to_string(&mut said);
    }
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(Failure::Refused {
        what: what.to_owned(),
        said: said.trim().to_owned(),
    })
}
