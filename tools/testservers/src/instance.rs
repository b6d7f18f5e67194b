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

/// Something that can be asked whether it answers.
pub trait Server {
    /// Whether the server answers a real question now.
    fn answers(&self) -> bool;
}

/// How a server is started, every time in the same way.
#[derive(Debug)]
pub(crate) struct StartedBy {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// The name of the signal that ends it at once.
    pub(crate) ending: &'static str,
}

/// A server's processes and its folder.
#[derive(Debug)]
pub(crate) struct Instance {
    folder: Folder,
    by: StartedBy,
    running: Mutex<Option<Watched>>,
}

/// A folder under the system's folder for temporary files.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) owner: Owner,
}

impl Folder {
    pub(crate) fn make() -> Result<Self, Failure> {
        let owner = Owner::find()?;
        let folder = tempfile::Builder::new()
            .prefix("authapi-testserver-")
            .tempdir()
            .map_err(Failure::file("cannot make a folder in", std::env::temp_dir()))?;
        owner.take_over(folder.path())?;
        Ok(Self {
            path: folder.keep(),
            owner,
        })
    }

    /// The last lines of what the server in it said.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    fn remove(&self) {
        // Best effort, like everything that cleans up.
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Instance {
    /// Starts a server in `folder` and waits until `answers`. When the server ends at once, the folder is removed.
    pub(crate) fn start(folder: Folder, by: StartedBy, answers: impl Fn() -> bool) -> Result<Self, Failure> {
        let instance = Self {
            folder,
            by,
            running: Mutex::new(None),
        };
        instance.run(answers)?;
        Ok(instance)
    }

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

/// A server that one test has to itself, to do harm to. Dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct Own<S> {
    server: S,
    instance: Instance,
}

impl<S> Own<S> {
    pub(crate) fn new(server: S, instance: Instance) -> Self {
        Self { server, instance }
    }

    /// The folder that it lives in and takes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.instance.folder()
    }

    /// The server's process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<i32> {
        self.instance.running().as_ref().map(Watched::process_id)
    }

    /// Ends the server by SIGKILL. Does nothing when it does not run.
    pub fn kill(&self) {
        if let Some(watched) = self.instance.running().take() {
            watched.kill();
        }
    }

    /// Ends the server at once, in the way that it calls a shutdown: Postgres "immediately". Does nothing when it does
    /// not run.
    pub fn stop_immediate(&self) {
        if let Some(watched) = self.instance.running().take() {
            watched.end();
        }
    }

    /// Holds the server still, its children too (SIGSTOP): connections are accepted by the kernel and nothing answers.
    pub fn pause(&self) {
        if let Some(watched) = &*self.instance.running() {
            watched.pause();
        }
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        if let Some(watched) = &*self.instance.running() {
            watched.resume();
        }
    }
}

impl<S: Server> Own<S> {
    /// Starts the server again, on its port and with its folder, after ending it when it runs.
    ///
    /// # Panics
    /// When it does not answer within a minute.
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
