//! The processes of the measured service.

use crate::place::Place;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Maximum duration of a start.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Interval between reads of the log during a start.
const POLL: Duration = Duration::from_millis(1);

/// A process of the service, killed when the value is dropped.
pub struct Replica {
    child: Child,
    pub address: SocketAddr,
}

/// The log line with the address on which the service listens.
#[derive(Deserialize)]
struct Listening {
    address: SocketAddr,
}

/// Returns the absolute path of the service's binary.
///
/// # Errors
/// If it does not exist.
pub fn existing_binary(path: &Path) -> Result<PathBuf> {
    fs::canonicalize(path).with_context(|| format!("{} is missing: build the service first", path.display()))
}

impl Replica {
    /// Starts the service at `place` and waits until it logs its address.
    ///
    /// The log goes to a file, as it does under a service manager.
    pub fn start(binary: &Path, place: &Place, number: usize) -> Result<Self> {
        let log = place.folder().join(format!("service-{number}.log"));
        let mut child = Command::new(binary)
            .arg("serve")
            .env_clear()
            .envs(place.settings())
            .current_dir(place.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("cannot run {}", binary.display()))?;
        match wait_for_address(&mut child, &log) {
            Ok(address) => Ok(Self { child, address }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Returns the process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are positive")
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        // The process may already have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for_address(child: &mut Child, log: &Path) -> Result<SocketAddr> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        let text = fs::read_to_string(log)?;
        let line = |line| serde_json::from_str::<Listening>(line).ok();
        if let Some(listening) = text.lines().find_map(line) {
            return Ok(listening.address);
        }
        if let Some(status) = child.try_wait()? {
            bail!("the service ended with {status}: {text}");
        }
        thread::sleep(POLL);
    }
    bail!("the service did not log its address: {}", log.display())
}
