use crate::{
    failure::{Failure, must},
    owner::Owner,
    waiting::{START_DEADLINE, until},
    watched::Watched,
};
use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A server that can be probed.
pub trait Server {
    /// Returns whether the server responds to a request now.
    fn answers(&self) -> bool;
}

/// The command that starts a server, the same at every restart.
#[derive(Debug)]
pub(crate) struct StartedBy {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Name of the signal that requests an immediate shutdown.
    pub(crate) ending: &'static str,
}

/// A server's processes and its folder.
#[derive(Debug)]
pub(crate) struct Instance {
    folder: Folder,
    by: StartedBy,
    running: Mutex<Option<Watched>>,
}

/// A folder in the system's directory for temporary files.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
}

impl Folder {
    /// Creates a folder for the user that runs the servers.
    pub(crate) fn make() -> Result<Self, Failure> {
        let owner = Owner::find()?;
        let folder = tempfile::Builder::new()
            .prefix("authapi-testserver-")
            .tempdir()
            .map_err(Failure::file("cannot create a folder in", std::env::temp_dir()))?;
        owner.take_over(folder.path())?;
        Ok(Self {
            path: folder.keep(),
            owner,
        })
    }

    /// Returns the last lines of the server's log.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    fn remove(&self) {
        // Best effort: a folder that cannot be removed must not fail the test.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Instance {
    /// Starts a server in `folder` and waits until `answers` returns `true`.
    ///
    /// If the server exits during its start, the folder is removed.
    pub(crate) fn start(folder: Folder, by: StartedBy, answers: impl Fn() -> bool) -> Result<Self, Failure> {
        let instance = Self {
            folder,
            by,
            running: Mutex::new(None),
        };
        instance.run(answers)?;
        Ok(instance)
    }

    /// Returns the path of the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder.path
    }

    fn run(&self, answers: impl Fn() -> bool) -> Result<(), Failure> {
        let Folder { path, owner } = &self.folder;
        let started = Watched::start(path, *owner, self.by.ending, &self.by.program, &self.by.arguments)?;
        let mut running = self.running();
        let watched = running.insert(started);
        let what = self.by.program.display().to_string();
        until(&what, START_DEADLINE, || !watched.is_running() || answers())?;
        if watched.is_running() {
            return Ok(());
        }
        Err(Failure::EndedAtOnce {
            what,
            log: self.folder.log(),
        })
    }

    fn running(&self) -> MutexGuard<'_, Option<Watched>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        match self.running().take() {
            Some(watched) => watched.end_and_remove(),
            None => self.folder.remove(),
        }
    }
}

/// A server that one test owns and may damage. Dropping it stops the server and removes its folder.
#[derive(Debug)]
pub struct Own<S> {
    server: S,
    instance: Instance,
}

impl<S> Own<S> {
    /// Combines a server with its processes and its folder.
    pub(crate) fn new(server: S, instance: Instance) -> Self {
        Self { server, instance }
    }

    /// Returns the server's folder, which is removed when the value is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.instance.folder()
    }

    /// Returns the server's process id, or `None` if it is not running.
    #[must_use]
    pub fn process_id(&self) -> Option<i32> {
        self.instance.running().as_ref().map(Watched::process_id)
    }

    /// Kills the server with SIGKILL. Does nothing if it is not running.
    pub fn kill(&self) {
        if let Some(watched) = self.instance.running().take() {
            watched.kill();
        }
    }

    /// Stops the server with its immediate shutdown signal (SIGQUIT for Postgres, SIGTERM for
    /// Redis). Does nothing if it is not running.
    pub fn stop_immediate(&self) {
        if let Some(watched) = self.instance.running().take() {
            watched.end();
        }
    }

    /// Suspends the server and its children (SIGSTOP): the kernel accepts connections, but the
    /// server does not respond.
    pub fn pause(&self) {
        if let Some(watched) = &*self.instance.running() {
            watched.pause();
        }
    }

    /// Resumes a suspended server (SIGCONT).
    pub fn resume(&self) {
        if let Some(watched) = &*self.instance.running() {
            watched.resume();
        }
    }
}

impl<S: Server> Own<S> {
    /// Restarts the server with its port and folder, and stops it first if it is running.
    ///
    /// # Panics
    /// If the server does not respond within a minute.
    #[track_caller]
    pub fn restart(&self) {
        self.stop_immediate();
        must(self.instance.run(|| self.server.answers()));
    }
}

impl<S> Deref for Own<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.server
    }
}
