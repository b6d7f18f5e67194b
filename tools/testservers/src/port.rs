use crate::failure::Failure;
use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Below the ports that the kernel hands out by itself, so that the port of a server that was killed is still free when
/// it starts again.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A port of 127.0.0.1 that nobody listens on now. Another process may still take it first.
pub(crate) fn free() -> Result<u16, Failure> {
    // A prime apart, so that test processes that start together look in different places.
    let start = process::id().wrapping_mul(251);
    for _ in 0..COUNT {
        let offset = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("29,999 fits");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::NoPort)
}
