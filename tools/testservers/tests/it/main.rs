//! Checks that the servers serve, fail as requested, and leave nothing behind.

mod cutting_proxy;
mod leftovers;
mod servers;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Polls `done` until it returns `true`, and panics after 30 seconds.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}
