//! What a server logs, line by line as it comes.

use std::{
    io::{BufRead, BufReader},
    process::ChildStderr,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

/// How long the end of a process that has ended may take to be seen.
const PATIENCE: Duration = Duration::from_mins(1);

/// The lines of a standard error, as they come.
#[derive(Clone)]
pub struct Log(Arc<(Mutex<Captured>, Condvar)>);

#[derive(Default)]
struct Captured {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    pub fn of(stderr: ChildStderr) -> Self {
        let log = Self(Arc::default());
        let captured = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                captured.change(|log| log.lines.push(line.expect("UTF-8")));
            }
            captured.change(|log| log.ended = true);
        });
        log
    }

    fn change(&self, change: impl FnOnce(&mut Captured)) {
        change(&mut self.0.0.lock().expect("no panic"));
        self.0.1.notify_all();
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.0.lock().expect("no panic").lines.clone()
    }

    /// What `look` makes of the first line that it knows; `None` when there is none in time, or ever.
    pub fn wait_for<T>(&self, patience: Duration, look: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + patience;
        let mut captured = self.0.0.lock().expect("no panic");
        loop {
            if let Some(found) = captured.lines.iter().find_map(|line| look(line)) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if captured.ended || left.is_zero() {
                return None;
            }
            captured = self.0.1.wait_timeout(captured, left).expect("no panic").0;
        }
    }

    /// Waits until nothing more can come.
    pub fn wait_for_end(&self) {
        let captured = self.0.0.lock().expect("no panic");
        let waited = self.0.1.wait_timeout_while(captured, PATIENCE, |log| !log.ended);
        assert!(
            waited.expect("no panic").0.ended,
            "somebody holds its standard error"
        );
    }
}
