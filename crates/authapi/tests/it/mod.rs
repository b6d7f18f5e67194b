//! The suite: the real program on a port, in a folder and on a database of its own, talked to as clients and operators
//! talk to it. Each program under `tests/` runs all of it on another [`mode::Mode`], and what only that one can show.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

pub mod backing;
pub mod client;
pub mod crowd;
pub mod journal;
pub mod log;
pub mod mode;
pub mod server;

mod administration;
mod audit_trail;
mod authorisation;
mod command_line;
pub mod crash;
mod import;
pub mod overload;
mod races;
mod refusals;
pub mod remembered;
mod revocation;
pub mod secrets;
mod shutdown;
pub mod start_failures;
mod throttle;
mod walk;
