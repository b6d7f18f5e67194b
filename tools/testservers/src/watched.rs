use crate::{failure::Failure, owner::Owner};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Ends the server when this process ends. It says more about itself.
const WATCH: &str = include_str!("watch.sh");

/// A running server, and the shell that watches over it.
#[derive(Debug)]
pub(crate) struct Watched {
    shell: Child,
    server: Pid,
}

impl Watched {
    /// Runs `program` as `owner` with `folder` as its working directory, where its log is too. `ending` is the name of
    /// the signal that asks it to end.
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
            // Ctrl-C and a test runner's kill reach the group of the tests; the shell must outlive them.
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
            said: "the shell that watches over it named no process".to_owned(),
        })?;
        Ok(Self { shell, server })
    }

    pub(crate) fn is_running(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.as_raw_nonzero()));
        status.is_ok_and(|it| !it.contains("State:\tZ"))
    }

    pub(crate) fn process_id(&self) -> i32 {
        self.server.as_raw_nonzero().get()
    }

    /// SIGKILL, for the server and its children: nothing is flushed, nothing is told to anybody.
    pub(crate) fn kill(self) {
        // Stopped first, so that no child is born after they were counted.
        self.signal(Signal::STOP);
        self.signal_family(Signal::KILL);
        self.end();
    }

    /// Ends the server and leaves its folder.
    pub(crate) fn end(mut self) {
        self.order(b"keep\n");
    }

    /// Ends the server and removes its folder.
    pub(crate) fn end_and_remove(mut self) {
        self.order(b"");
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        self.signal_family(Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.signal_family(Signal::CONT);
    }

    fn order(&mut self, order: &[u8]) {
        if let Some(mut orders) = self.shell.stdin.take() {
            // A shell that is gone has ended the server.
            let _ = orders.write_all(order);
        }
        let _ = self.shell.wait();
    }

    fn signal_family(&self, signal: Signal) {
        for child in children_of(self.server) {
            // One that ended by itself needs no signal.
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
