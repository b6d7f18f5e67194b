//! The program as one process, or several on one database, in a temporary folder.

use crate::{
    backing::{Database, OwnRedis, shared_redis_url},
    client::{Client, PASSWORD},
    log::{Log, Part},
    mode::Mode,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Long enough for a start on a busy machine; reached only when a test fails.
pub const TIMEOUT: Duration = Duration::from_mins(1);
/// The interval between checks whether a process has ended.
const POLL: Duration = Duration::from_millis(5);

/// A temporary folder, an empty database, and the settings of the servers that use them.
pub struct Place {
    folder: TempDir,
    database: Database,
    replicas: usize,
    /// A command that runs the server, with its own arguments first; may be empty.
    pub wrapper: Vec<String>,
    settings: BTreeMap<String, String>,
    own_redis: Option<OwnRedis>,
}

impl Place {
    /// Creates a place on the database and Redis of this run.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let database = Database::fresh(folder.path());
        let place = Self::on(folder, database, Mode::of_this_run().replicas());
        match shared_redis_url() {
            Some(url) => place.with("REDIS__URL", &url),
            None => place,
        }
    }

    /// Sets cheap hashing, no throttle, ports chosen by the system, and no lower limit for the
    /// connections of one address than for all: all clients of a test have the same.
    pub fn on(folder: TempDir, database: Database, replicas: usize) -> Self {
        let url = database.url();
        let keys = folder.path().join("keys");
        let place = Self {
            folder,
            database,
            replicas,
            wrapper: Vec::new(),
            settings: BTreeMap::new(),
            own_redis: None,
        };
        place
            .with("SERVER__PORT", "0")
            .with("DATABASE__URL", &url)
            .with("KEYS__DIR", &keys.display().to_string())
            .with("KEYS__GENERATE_MISSING", "true")
            .with("PASSWORD__MEMORY_KIB", "64")
            .with("PASSWORD__ITERATIONS", "1")
            .with("PASSWORD__ALLOW_WEAK_HASHING", "true")
            .with("THROTTLE__ENABLED", "false")
            .with("SERVER__MAX_CONNECTIONS_PER_ADDRESS", "20000")
    }

    /// Enables the throttle, with a separate count of attempts for this place.
    pub fn throttled(mut self) -> Self {
        self.own_redis = OwnRedis::start();
        let place = match &self.own_redis {
            Some(redis) => {
                let url = redis.url();
                self.with("REDIS__URL", &url)
            }
            None => self,
        };
        place.with("THROTTLE__ENABLED", "true")
    }

    /// Sets `AUTHAPI_<name>` from the next start on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(format!("AUTHAPI_{name}"), value.to_owned());
        self
    }

    /// Makes the first start create this admin, with the password of all test users.
    pub fn with_admin(self, login: &str) -> Self {
        self.with("BOOTSTRAP__ADMIN_LOGIN", login)
            .with("BOOTSTRAP__ADMIN_PASSWORD", PASSWORD)
    }

    /// The URL of this place's Redis, if it has one that is a single node.
    pub fn own_redis(&self) -> Option<&str> {
        match &self.own_redis {
            Some(OwnRedis::Single(redis)) => Some(redis.url()),
            Some(OwnRedis::Cluster(_)) | None => None,
        }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn database(&self) -> &Database {
        &self.database
    }

    pub fn keys(&self) -> PathBuf {
        self.path().join("keys")
    }

    /// The files in the key folder whose names end with `end`.
    pub fn key_files(&self, end: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.keys())
            .expect("the key folder can be read")
            .map(|entry| entry.expect("the folder entry can be read").path())
            .filter(|path| path.display().to_string().ends_with(end))
            .collect();
        files.sort();
        files
    }

    /// Runs a command to its end, with `input` on standard input.
    pub fn run(&self, arguments: &[&str], input: &str) -> Run {
        self.run_with(&[], arguments, input)
    }

    /// Runs a command with `settings` in addition to those of the place.
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
        let mut stdin = process.0.stdin.take().expect("the stream is piped");
        // A command that does not read its input may end before this write.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let stdout = reader(process.0.stdout.take().expect("the stream is piped"));
        let stderr = reader(process.0.stderr.take().expect("the stream is piped"));
        let status = process.wait(TIMEOUT).expect("the command ends in time");
        Run {
            code: status.code(),
            stdout: stdout.join().expect("the thread does not panic"),
            stderr: stderr.join().expect("the thread does not panic"),
        }
    }

    /// Runs a command that must succeed, and returns its output.
    pub fn command_succeeds(&self, arguments: &[&str], input: &str) -> String {
        let run = self.run(arguments, input);
        assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
        run.stdout
    }

    /// Starts all servers of this run at once and waits until they log their addresses.
    pub fn start(self) -> Server {
        let mut server = Server {
            replicas: Vec::new(),
            log: Log::default(),
            place: self,
        };
        server.start_missing();
        server
    }

    fn serve(&self) -> Command {
        let Some((wrapper, own)) = self.wrapper.split_first() else {
            return self.command(&["serve"]);
        };
        let mut arguments: Vec<&str> = own.iter().map(String::as_str).collect();
        arguments.extend([env!("CARGO_BIN_EXE_authapi"), "serve"]);
        self.run_as(wrapper, &arguments)
    }

    /// Returns the command, to be run in this place with its settings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.run_as(env!("CARGO_BIN_EXE_authapi"), arguments)
    }

    fn run_as(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
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

/// The output and exit status of a command.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A server, or several that act as one for clients. They are killed on drop.
pub struct Server {
    // The replicas are declared before the place, so that they end before its database.
    replicas: Vec<Replica>,
    log: Log,
    place: Place,
}

struct Replica {
    process: Process,
    log: Part,
    address: SocketAddr,
}

/// The result of stopping a server.
pub struct Stopped {
    pub place: Place,
    /// The first status that is not success, or else success.
    pub status: ExitStatus,
    /// The time from the signal to the end of the last replica.
    pub took: Duration,
    /// All lines that were logged.
    pub log: Vec<String>,
    /// The last line of each replica.
    pub last_lines: Vec<String>,
}

impl Server {
    pub fn start() -> Self {
        Place::new().start()
    }

    /// Returns a client that sends each request to the next replica.
    pub fn client(&self) -> Client {
        Client::new(self.replicas.iter().map(|replica| replica.address))
    }

    /// Returns a client for each replica.
    pub fn each(&self) -> Vec<Client> {
        let addresses = self.replicas.iter().map(|replica| replica.address);
        addresses.map(|address| Client::new([address])).collect()
    }

    /// The address of the first replica.
    pub fn address(&self) -> SocketAddr {
        self.replicas[0].address
    }

    /// The process id of the first replica.
    pub fn pid(&self) -> u32 {
        self.replicas[0].process.0.id()
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until each replica has logged a line that contains `text`.
    pub fn wait_until_each_says(&self, text: &str) {
        for replica in &self.replicas {
            let said = |line: &str| line.contains(text).then_some(());
            let said = self.log.wait_for_in(replica.log, TIMEOUT, said);
            assert!(said.is_some(), "{:#?}", self.log.lines_of(replica.log));
        }
    }

    /// The number of replicas that have not been killed.
    pub fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// Starts all missing replicas at once. The keys must exist, because the replicas share them.
    pub fn start_missing(&mut self) {
        let count = self.place.replicas;
        if count > 1 && !self.place.keys().exists() {
            self.place.command_succeeds(&["keys", "generate"], "");
        }
        let started: Vec<_> = (self.replicas.len()..count)
            .map(|_| {
                let mut process = Process(self.place.serve().spawn().expect("the program runs"));
                let log = self
                    .log
                    .follow(process.0.stderr.take().expect("the stream is piped"));
                (process, log)
            })
            .collect();
        for (process, log) in started {
            let address = self.log.wait_for_in(log, TIMEOUT, |line| {
                let event: Value = serde_json::from_str(line).ok()?;
                event["address"].as_str()?.parse().ok()
            });
            let Some(address) = address else {
                panic!("the server does not listen: {:#?}", self.log.lines_of(log));
            };
            self.replicas.push(Replica {
                process,
                log,
                address,
            });
        }
    }

    /// Sends SIGTERM.
    pub fn ask_to_stop(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGHUP.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(self) -> Stopped {
        self.ask_to_stop();
        self.wait()
    }

    /// Sends SIGKILL to the first `count` replicas and waits for their end. Returns whether the
    /// signal ended each of them.
    pub fn kill(&mut self, count: usize) -> bool {
        let mut killed: Vec<Replica> = self.replicas.drain(..count).collect();
        for replica in &killed {
            send(replica, Signal::KILL);
        }
        killed.iter_mut().all(|replica| {
            let status = replica.process.wait(TIMEOUT).expect("SIGKILL ends a process");
            self.log.wait_for_end_of(replica.log);
            status.signal() == Some(Signal::KILL.as_raw())
        })
    }

    fn signal(&self, signal: Signal) {
        for replica in &self.replicas {
            send(replica, signal);
        }
    }

    /// Waits for the end of servers that were asked to stop.
    pub fn wait(mut self) -> Stopped {
        let started = Instant::now();
        let mut statuses = Vec::new();
        let mut last_lines = Vec::new();
        for replica in &mut self.replicas {
            let Some(status) = replica.process.wait(TIMEOUT) else {
                panic!("the server does not end: {:#?}", self.log.lines_of(replica.log));
            };
            self.log.wait_for_end_of(replica.log);
            statuses.push(status);
            last_lines.extend(self.log.lines_of(replica.log).pop());
        }
        let took = started.elapsed();
        let unhappy = statuses.iter().find(|status| !status.success());
        Stopped {
            status: *unhappy.unwrap_or(&statuses[0]),
            log: self.log.lines(),
            place: self.place,
            took,
            last_lines,
        }
    }
}

fn send(replica: &Replica, signal: Signal) {
    kill_process(Pid::from_child(&replica.process.0), signal).expect("the process is running");
}

/// A child process, killed on drop without its own children.
pub struct Process(pub Child);

impl Process {
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().expect("the process is a child of this process") {
                return Some(status);
            }
            thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("the output is UTF-8");
        text
    })
}
