//! Fault injection: runs the program on real servers and kills, suspends, disconnects or fills them
//! under load. While a fault lasts, the tests check each cell of the [`cells::Row`] table; a
//! journal records all other requests. Afterwards both are compared with the database.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

#[expect(dead_code, reason = "fault tests do not change the database directly")]
#[path = "../it/backing.rs"]
mod backing;
#[path = "../it/burst.rs"]
mod burst;
#[expect(dead_code, reason = "fault tests make only some of the calls")]
#[path = "../it/client.rs"]
mod client;
#[path = "../it/journal.rs"]
mod journal;
#[expect(dead_code, reason = "fault tests read the log afterwards")]
#[path = "../it/log.rs"]
mod log;
#[expect(
    dead_code,
    reason = "the fault determines the servers, not the mode of the run"
)]
#[path = "../it/mode.rs"]
mod mode;
#[expect(dead_code, reason = "fault tests use neither commands nor keys")]
#[path = "../it/server.rs"]
mod server;

mod cells;
mod clock_step;
mod clocks;
mod disk;
mod flood;
mod guessing;
mod machine_pause;
mod oracle;
mod postgres;
mod redis;
mod revocation;
mod scene;
mod signals;
