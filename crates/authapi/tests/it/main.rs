//! The real program on a port and in a folder of its own, talked to as clients and operators talk to it.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

mod client;
mod log;
mod server;

mod command_line;
mod crash;
mod overload;
mod races;
mod raw;
mod refusals;
mod revocation;
mod secrets;
mod shutdown;
mod start_failures;
mod throttle;
mod walk;
mod watched;
