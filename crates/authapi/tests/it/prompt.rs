//! Password prompts on a terminal.

use crate::server::Place;
use rustix::{
    fs::{Mode, OFlags},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

/// A terminal: the end that a user types at, and the end that a program uses.
struct Terminal {
    user: File,
    program: OwnedFd,
}

impl Terminal {
    fn open() -> Self {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&user).expect("access");
        unlockpt(&user).expect("access");
        let name = ptsname(&user, Vec::new()).expect("a name");
        let program = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        Self {
            user: user.into(),
            program: program.expect("the other end"),
        }
    }

    /// Starts a command with this as its controlling terminal.
    fn run(&self, place: &Place, arguments: &[&str]) -> Child {
        let end = || Stdio::from(self.program.try_clone().expect("a descriptor"));
        Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_authapi")])
            .args(arguments)
            .env("AUTHAPI_DATABASE__URL", place.database().url())
            .env("AUTHAPI_KEYS__GENERATE_MISSING", "true")
            .current_dir(place.path())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("setsid runs")
    }

    /// Reads what the program shows until it contains `text`.
    fn wait_for(&mut self, text: &str) {
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains(text) {
            let mut chunk = [0; 256];
            let length = self.user.read(&mut chunk).expect("an open terminal");
            shown.extend_from_slice(&chunk[..length]);
        }
    }

    fn echoes(&self) -> bool {
        let mode = tcgetattr(&self.program).expect("a mode");
        mode.local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until the program has switched echo off.
    fn wait_for_silence(&self) {
        while self.echoes() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn an_interrupted_password_prompt_leaves_the_terminal_as_it_was() {
    let place = Place::new();
    let mut terminal = Terminal::open();
    for interrupt in [&b"\x03"[..], b"half a passw\x03"] {
        assert!(terminal.echoes());
        let mut program = terminal.run(&place, &["users", "create", "--login", "alice"]);
        terminal.wait_for("Password: ");
        terminal.wait_for_silence();
        terminal.user.write_all(interrupt).expect("an open terminal");
        let status = program.wait().expect("it ends");
        assert_eq!(status.code(), Some(130));
        assert!(terminal.echoes(), "echo stays off");
    }
}

#[test]
fn a_signal_at_a_password_prompt_leaves_the_terminal_as_it_was() {
    let place = Place::new();
    let mut terminal = Terminal::open();
    let mut program = terminal.run(&place, &["users", "create", "--login", "alice"]);
    terminal.wait_for("Password: ");
    terminal.wait_for_silence();
    kill_process(Pid::from_child(&program), Signal::TERM).expect("it runs");
    let status = program.wait().expect("it ends");
    assert_eq!(status.code(), Some(143));
    assert!(terminal.echoes(), "echo stays off");
}
