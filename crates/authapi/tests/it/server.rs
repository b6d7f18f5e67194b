//! The program as a process: started in a temporary folder, watched, and stopped in every way there is.

use crate::{
    client::{Client, PASSWORD},
    log::Log,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Long enough for a start on a machine with much else to do; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// A temporary folder, and the settings of a server that keeps everything in it.
pub struct Place {
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl Place {
    /// Cheap hashing, no throttle, a port that the system chooses.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = folder.path().join("data/authapi.db");
        let keys = folder.path().join("keys");
        let place = Self {
            folder,
            settings: BTreeMap::new(),
        };
        place
            .with("SERVER__PORT", "0")
            .with("DATABASE__URL", &format!("sqlite://{}", database.display()))
            .with("KEYS__DIR", &keys.display().to_string())
            .with("PASSWORD__MEMORY_KIB", "64")
            .with("PASSWORD__ITERATIONS", "1")
            .with("PASSWORD__ALLOW_WEAK_HASHING", "true")
            .with("THROTTLE__ENABLED", "false")
    }

    /// Sets `AUTHAPI_<name>` from the next start on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(format!("AUTHAPI_{name}"), value.to_owned());
        self
    }

    /// The first start makes this admin, with the password that all have here.
    pub fn with_admin(self, login: &str) -> Self {
        self.with("BOOTSTRAP__ADMIN_LOGIN", login)
            .with("BOOTSTRAP__ADMIN_PASSWORD", PASSWORD)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> PathBuf {
        self.path().join("data/authapi.db")
    }

    pub fn keys(&self) -> PathBuf {
        self.path().join("keys")
    }

    /// The key folder's files whose names end in `end`.
    pub fn key_files(&self, end: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.keys())
            .expect("a key folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.display().to_string().ends_with(end))
            .collect();
        files.sort();
        files
    }

    /// Runs a command to its end, `input` on its standard input.
    pub fn run(&self, arguments: &[&str], input: &str) -> Run {
        self.run_with(&[], arguments, input)
    }

    /// Runs a command for which `settings` count on top of the place's own.
    pub fn run_with(&self, settings: &[(&str, &str)], arguments: &[&str], input: &str) -> Run {
        let settings = settings
            .iter()
            .map(|(name, value)| (format!("AUTHAPI_{name}"), value));
        let mut process = Process(
            self.command(arguments)
                .envs(settings)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program runs"),
        );
        let mut stdin = process.0.stdin.take().expect("it is piped");
        // A command that does not read its input may be gone before it is written.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let stdout = reader(process.0.stdout.take().expect("it is piped"));
        let stderr = reader(process.0.stderr.take().expect("it is piped"));
        let status = process.wait(PATIENCE).expect("a command ends");
        Run {
            code: status.code(),
            stdout: stdout.join().expect("no panic"),
            stderr: stderr.join().expect("no panic"),
        }
    }

    /// Runs a command that has to succeed; what it prints.
    pub fn command_succeeds(&self, arguments: &[&str], input: &str) -> String {
        let run = self.run(arguments, input);
        assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
        run.stdout
    }

    /// Starts the server and waits until it tells where it listens.
    pub fn start(self) -> Server {
        let mut process = Process(self.command(&["serve"]).spawn().expect("the program runs"));
        let log = Log::of(process.0.stderr.take().expect("it is piped"));
        let address = log.wait_for(PATIENCE, |line| {
            let event: Value = serde_json::from_str(line).ok()?;
            event["address"].as_str()?.parse().ok()
        });
        let Some(address) = address else {
            panic!("it does not listen: {:#?}", log.lines());
        };
        Server {
            place: self,
            process,
            log,
            address,
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authapi"));
        command
            .args(arguments)
            .env_clear()
            .envs(&self.settings)
            .current_dir(self.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

/// What a command that has ended said.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A server that runs. It ends with the value.
pub struct Server {
    place: Place,
    process: Process,
    log: Log,
    address: SocketAddr,
}

/// A server that was stopped.
pub struct Stopped {
    pub place: Place,
    pub status: ExitStatus,
    /// From the signal to the end.
    pub took: Duration,
    /// Everything it ever logged.
    pub log: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Place::new().start()
    }

    pub fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.process.0.try_wait(), Ok(None))
    }

    /// SIGTERM.
    pub fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).expect("it runs");
    }

    /// SIGTERM, and the end.
    pub fn terminate(self) -> Stopped {
        self.ask_to_stop();
        self.wait()
    }

    /// SIGKILL, and the end.
    pub fn kill(self) -> Stopped {
        kill_process(Pid::from_child(&self.process.0), Signal::KILL).expect("it runs");
        self.wait()
    }

    /// Waits for the end that somebody has asked for.
    pub fn wait(mut self) -> Stopped {
        let started = Instant::now();
        let status = self.process.wait(PATIENCE);
        let took = started.elapsed();
        let Some(status) = status else {
            panic!("it does not end: {:#?}", self.log.lines());
        };
        self.log.wait_for_end();
        Stopped {
            log: self.log.lines(),
            place: self.place,
            status,
            took,
        }
    }
}

/// A child that is ended with the value, and no other process with it.
struct Process(Child);

impl Process {
    fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().expect("a child of ours") {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("UTF-8");
        text
    })
}
