//! The test suite: it runs the program on its own port, folder and database, and uses it like
//! clients and operators. Each test program under `tests/` runs the suite in another [`mode::Mode`]
//! and adds the tests that need this mode.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

pub mod backing;
pub mod burst;
pub mod client;
pub mod journal;
pub mod log;
pub mod mode;
pub mod server;

mod administration;
mod audit_follow;
mod audit_log;
mod authorisation;
mod browsers;
mod command_line;
pub mod crash;
mod endpoints;
mod forwarded_for;
mod import;
pub mod key_rotation;
mod known_places;
mod missing_database;
pub mod overload;
mod passwords;
mod prompt;
mod races;
mod refusals;
mod replays;
mod revocation;
pub mod secrets;
pub mod session_cache;
mod shutdown;
pub mod start_failures;
mod step_up;
mod throttle;
