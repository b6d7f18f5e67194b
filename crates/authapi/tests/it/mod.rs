//! The test suite: it runs the program on its own port, folder and database, and uses it like
//! clients and operators. Each test program under `tests/` runs the suite in another [`mode::Mode`]
//! and adds the tests that need this mode.

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
