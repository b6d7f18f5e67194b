//! The log lines of servers, as they arrive.

use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::ChildStderr,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// How long the pipe of an ended process may take to close.
const TIMEOUT: Duration = Duration::from_mins(1);

/// The lines of several standard error streams, as they arrive.
#[derive(Clone, Default)]
pub struct Log(Arc<(Mutex<Vec<Captured>>, Condvar)>);

/// One of the streams that a log follows.
#[derive(Clone, Copy)]
pub struct Part(usize);

#[derive(Default)]
struct Captured {
    lines: Vec<String>,
    ended: bool,
}

/// The result of a search.
enum Look<T> {
    Found(T),
    NotYet,
    Never,
}

impl Log {
    pub fn follow(&self, stderr: ChildStderr) -> Part {
        let part = {
            let mut parts = self.parts();
            parts.push(Captured::default());
            Part(parts.len() - 1)
        };
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                log.change(part, |captured| {
                    captured.lines.push(line.expect("the lines are UTF-8"));
                });
            }
            log.change(part, |captured| captured.ended = true);
        });
        part
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Captured>> {
        self.0.0.lock().expect("the lock is not poisoned")
    }

    fn change(&self, part: Part, change: impl FnOnce(&mut Captured)) {
        change(&mut self.parts()[part.0]);
        self.0.1.notify_all();
    }

    /// All lines, stream by stream.
    pub fn lines(&self) -> Vec<String> {
        let parts = self.parts();
        parts.iter().flat_map(|captured| captured.lines.clone()).collect()
    }

    pub fn lines_of(&self, part: Part) -> Vec<String> {
        self.parts()[part.0].lines.clone()
    }

    /// Waits for the first line for which `look` returns a value. Returns `None` when the time is
    /// over or all streams have ended.
    pub fn wait_for<T>(&self, timeout: Duration, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.wait(timeout, |parts| find(parts, &look))
    }

    /// Like [`Log::wait_for`], in one stream.
    pub fn wait_for_in<T>(
        &self,
        part: Part,
        timeout: Duration,
        look: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.wait(timeout, |parts| find(&parts[part.0..=part.0], &look))
    }

    /// Waits until the stream has ended.
    pub fn wait_for_end_of(&self, part: Part) {
        let ended = self.wait(TIMEOUT, |parts| {
            if parts[part.0].ended {
                Look::Found(())
            } else {
                Look::NotYet
            }
        });
        assert!(ended.is_some(), "another process keeps standard error open");
    }

    fn wait<T>(&self, timeout: Duration, look: impl Fn(&[Captured]) -> Look<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut parts = self.parts();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match look(&parts) {
                Look::Found(found) => return Some(found),
                Look::NotYet if !left.is_zero() => {}
                Look::NotYet | Look::Never => return None,
            }
            parts = self
                .0
                .1
                .wait_timeout(parts, left)
                .expect("the lock is not poisoned")
                .0;
        }
    }
}

/// The clients' ids of all requests logged as answered in `lines`.
pub fn answered(lines: &[String]) -> BTreeSet<String> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("the line is a JSON event"))
        .filter(|event: &Value| event["message"] == "answered")
        .filter_map(|event| Some(event["client_request_id"].as_str()?.to_owned()))
        .collect()
}

fn find<T>(parts: &[Captured], look: impl Fn(&str) -> Option<T>) -> Look<T> {
    let mut lines = parts.iter().flat_map(|captured| &captured.lines);
    match lines.find_map(|line| look(line)) {
        Some(found) => Look::Found(found),
        None if parts.iter().all(|captured| captured.ended) => Look::Never,
        None => Look::NotYet,
    }
}
