use crate::{failure::Failure, owner::Owner};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// The shell script that stops the server when this process ends.
const WATCH: &str = include_str!("watch.sh");

/// A running server and the shell that watches this process.
#[derive(Debug)]
pub(crate) struct Watched {
    shell: Child,
    server: Pid,
}

impl Watched {
    /// Runs `program` as `owner` with the working directory `folder`, which also holds its log.
    ///
    /// `ending` is the name of the signal that requests an immediate shutdown.
    pub(crate) fn start(
        folder: &Path,
        owner: Owner,
        ending: &str,
        program: &Path,
        arguments: &[String],
    ) -> Result<Self, Failure> {
        let name = program.display().to_string();
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "watch"])
            .args([folder.as_os_str(), ending.as_ref(), program.as_os_str()])
            .args(arguments)
            .current_dir(folder)
            // A signal to the process group of the tests, such as Ctrl-C, must not reach the shell.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut shell = owner
            .run_as(&mut command)
            .spawn()
            .map_err(Failure::run(name.as_str()))?;
        let server = server_of(&mut shell).ok_or_else(|| Failure::Refused {
            what: name,
            said: "the shell that runs it printed no process id".to_owned(),
        })?;
        Ok(Self { shell, server })
    }

    /// Returns whether the server runs. A zombie does not run.
    pub(crate) fn is_running(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.as_raw_nonzero()));
        status.is_ok_and(|it| !it.contains("State:\tZ"))
    }

    /// Returns the process id of the server.
    pub(crate) fn process_id(&self) -> i32 {
        self.server.as_raw_nonzero().get()
    }

    /// Kills the server and its children with SIGKILL, so that they flush nothing and close no
    /// connection properly.
    pub(crate) fn kill(self) {
        // Stop the server first, so that it forks no child after its children are listed.
        self.signal(Signal::STOP);
        self.signal_family(Signal::KILL);
        self.end();
    }

    /// Stops the server and keeps its folder.
    pub(crate) fn end(mut self) {
        self.order(b"keep\n");
    }

    /// Stops the server and removes its folder.
    pub(crate) fn end_and_remove(mut self) {
        self.order(b"");
    }

    /// Suspends the server and its children (SIGSTOP).
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        self.signal_family(Signal::STOP);
    }

    /// Resumes the server and its children (SIGCONT).
    pub(crate) fn resume(&self) {
        self.signal_family(Signal::CONT);
    }

    fn order(&mut self, order: &[u8]) {
        if let Some(mut orders) = self.shell.stdin.take() {
            // If the shell has exited, it has already stopped the server.
            let _ = orders.write_all(order);
        }
        let _ = self.shell.wait();
    }

    fn signal_family(&self, signal: Signal) {
        for child in children_of(self.server) {
            // A child that has already exited needs no signal.
            let _ = kill_process(child, signal);
        }
        self.signal(signal);
    }

    fn signal(&self, signal: Signal) {
        let _ = kill_process(self.server, signal);
    }
}

fn server_of(shell: &mut Child) -> Option<Pid> {
    let mut line = String::new();
    BufReader::new(shell.stdout.take()?).read_line(&mut line).ok()?;
    Pid::from_raw(line.trim().parse().ok()?)
}

fn children_of(server: Pid) -> Vec<Pid> {
    let server = server.as_raw_nonzero();
    let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children"));
    children
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| Pid::from_raw(child.parse().ok()?))
        .collect()
}
