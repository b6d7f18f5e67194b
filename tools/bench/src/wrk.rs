//! wrk, which makes the load, and what it tells at its end.

use crate::usage::as_f64;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The password of everybody.
pub const PASSWORD: &str = "bench-Quartz-lantern-58";

/// One run of wrk.
pub struct Load<'a> {
    pub script: &'a str,
    /// A file with a line for each user, or token, that the script goes through.
    pub input: &'a Path,
    pub replicas: &'a [SocketAddr],
    /// Must be a multiple of the replicas, or the last ones get less.
    pub threads: usize,
    pub connections: usize,
    pub seconds: u64,
    /// What logins that are registered begin with. No two runs may use the same.
    pub tag: &'a str,
}

/// What wrk counted and measured.
#[derive(Clone, Debug, Deserialize)]
pub struct Told {
    pub requests: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// By kind: sockets that failed, answers that took too long, statuses above 399.
    errors: BTreeMap<String, u64>,
    /// Answers by status, where the script looks at them.
    statuses: BTreeMap<String, u64>,
}

/// wrk at work.
pub struct Running {
    child: Child,
    script: PathBuf,
}

impl Told {
    /// Requests per second.
    pub fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds
    }

    /// Requests that failed, of whatever kind.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// By kind or, where it is known, by status; what never happened is left out.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let by_kind = self.errors.iter().map(|(kind, times)| (kind.clone(), *times));
        let by_status = self
            .statuses
            .iter()
            .filter(|(status, _)| status.as_str() > "399")
            .map(|(status, times)| (format!("status {status}"), *times));
        by_kind.chain(by_status).filter(|(_, times)| *times > 0).collect()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, errors {:?}",
            self.rate(),
            self.p50_ms,
            self.p99_ms,
            self.p999_ms,
            self.errors()
        )
    }
}

impl Load<'_> {
    /// Runs wrk to its end.
    pub fn run(&self) -> Result<Told> {
        self.start()?.wait()
    }

    /// Starts wrk. Its script is written beside the input.
    pub fn start(&self) -> Result<Running> {
        let script = self.input.with_extension("lua");
        fs::write(&script, self.whole_script()).context("cannot write the script for wrk")?;
        let first = self.replicas.first().context("no replica to call")?;
        let child = Command::new("wrk")
            .arg(format!("-t{}", self.threads))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds))
            .args(["--timeout", "30s", "-s"])
            .arg(&script)
            .arg(format!("http://{first}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run wrk: scripts/setup bench installs it")?;
        Ok(Running { child, script })
    }

    fn whole_script(&self) -> String {
        let mut text = String::new();
        let mut replicas = String::new();
        for replica in self.replicas {
            let _ = write!(replicas, "{{host='{}',port='{}'}},", replica.ip(), replica.port());
        }
        let _ = writeln!(
            text,
            "input, threads, connections, password, tag = [[{}]], {}, {}, '{PASSWORD}', '{}'\nreplicas = {{{replicas}}}",
            self.input.display(),
            self.threads,
            self.connections / self.threads,
            self.tag
        );
        text + include_str!("lua/common.lua") + self.script
    }
}

impl Running {
    /// Waits until wrk ends.
    pub fn wait(self) -> Result<Told> {
        let output = self.child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {said}");
        let last = said.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("wrk, by {}, said: {said}", self.script.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_by_kind_and_by_status_and_those_that_never_happened_are_not() {
        let told: Told = serde_json::from_str(
            r#"{"requests":9,"seconds":1.0,"p50_ms":1.0,"p99_ms":2.0,"p999_ms":3.0,
                "errors":{"connect":0,"timeout":2,"status":3},"statuses":{"200":6,"401":1,"503":2}}"#,
        )
        .expect("what the script prints");
        let expected = [
            ("status", 3),
            ("status 401", 1),
            ("status 503", 2),
            ("timeout", 2),
        ];
        let expected = expected.map(|(kind, times)| (kind.to_owned(), times));
        assert_eq!(told.errors(), BTreeMap::from(expected));
        assert_eq!(told.failed(), 5);
    }
}
