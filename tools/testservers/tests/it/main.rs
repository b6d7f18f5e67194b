//! The servers serve, suffer what they are told to, and leave nothing behind.

mod cutting_proxy;
mod leftovers;
mod servers;

use std::{
    thread,
    time::{Duration, Instant},
};

/// Asks again and again until `done`; 30 s are more than anything here takes.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}
