use crate::failure::Failure;
use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// The first port, below the kernel's ephemeral ports, so that the port of a killed server is still
/// free when the server restarts.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// Returns a port of 127.0.0.1 on which no process listens now. Another process may still take it.
pub(crate) fn free() -> Result<u16, Failure> {
    // Spreads the starting points of test processes that start together.
    let start = process::id().wrapping_mul(251);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("ports are below 30,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::NoPort)
}
