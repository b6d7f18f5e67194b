//! Runs wrk, which generates the load, and parses its report.

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

/// The password of all users.
pub const PASSWORD: &str = "bench-Quartz-lantern-58";

/// The parameters of one run of wrk.
pub struct Load<'a> {
    pub script: &'a str,
    /// A file with one line for each user or token that the script uses.
    pub input: &'a Path,
    pub replicas: &'a [SocketAddr],
    /// Must be a multiple of the number of replicas for an even load.
    pub threads: usize,
    pub connections: usize,
    pub seconds: u64,
    /// The prefix of logins that the script registers. It must be unique to the run.
    pub tag: &'a str,
}

/// The figures that the script prints when wrk ends.
#[derive(Clone, Debug, Deserialize)]
pub struct LoadReport {
    pub requests: u64,
    pub seconds: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// Failures by kind: socket errors, timeouts, and statuses of 400 and above.
    errors: BTreeMap<String, u64>,
    /// Responses by status, if the script counts them.
    statuses: BTreeMap<String, u64>,
}

/// A running wrk process.
pub struct Running {
    child: Child,
    script: PathBuf,
}

impl LoadReport {
    /// Returns the number of requests per second.
    pub fn rate(&self) -> f64 {
        as_f64(self.requests) / self.seconds
    }

    /// Returns the number of failed requests of all kinds.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Returns the number of failures by kind and, if the script counts statuses, by status. Kinds
    /// without failures are omitted.
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

impl fmt::Display for LoadReport {
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
    /// Runs wrk and waits until it ends.
    pub fn run(&self) -> Result<LoadReport> {
        self.start()?.wait()
    }

    /// Starts wrk with a script that is written next to the input file.
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
    /// Waits until wrk ends and returns its report.
    pub fn wait(self) -> Result<LoadReport> {
        let output = self.child.wait_with_output()?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "wrk failed: {stdout}");
        let last = stdout.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .with_context(|| format!("wrk with {} printed no report: {stdout}", self.script.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_listed_by_kind_and_by_status_without_those_that_did_not_happen() {
        let report: LoadReport = serde_json::from_str(
            r#"{"requests":9,"seconds":1.0,"p50_ms":1.0,"p99_ms":2.0,"p999_ms":3.0,
                "errors":{"connect":0,"timeout":2,"status":3},"statuses":{"200":6,"401":1,"503":2}}"#,
        )
        .expect("the report is JSON");
        let expected = [
            ("status", 3),
            ("status 401", 1),
            ("status 503", 2),
            ("timeout", 2),
        ];
        let expected = expected.map(|(kind, times)| (kind.to_owned(), times));
        assert_eq!(report.errors(), BTreeMap::from(expected));
        assert_eq!(report.failed(), 5);
    }
}
