//! Runs wrk, which generates the load.

use crate::load_report::LoadReport;
use anyhow::{Context, Result, ensure};
use std::{
    fmt::Write as _,
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

/// A running wrk process.
pub struct Running {
    child: Child,
    script: PathBuf,
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
