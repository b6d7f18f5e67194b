//! Fault injection: runs the program on real servers and kills, suspends, disconnects or fills them
//! under load. While a fault lasts, the tests check each cell of the [`cells::Row`] table; a
//! journal records all other requests. Afterwards both are compared with the database.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

#[expect(dead_code, reason = "nobody tampers with the database here")]
#[path = "../it/backing.rs"]
mod backing;
#[expect(dead_code, reason = "only some calls are made here")]
#[path = "../it/client.rs"]
mod client;
#[path = "../it/crowd.rs"]
mod crowd;
#[path = "../it/journal.rs"]
mod journal;
#[expect(dead_code, reason = "the log is looked at afterwards")]
#[path = "../it/log.rs"]
mod log;
#[expect(
    dead_code,
    reason = "what there is, is chosen by the fault and not by the run"
)]
#[path = "../it/mode.rs"]
mod mode;
#[expect(dead_code, reason = "nothing here looks at commands and keys")]
#[path = "../it/server.rs"]
mod server;

mod cells;
mod disk;
mod flood;
mod oracle;
mod postgres;
mod redis;
mod revocation;
mod scene;
mod signals;
