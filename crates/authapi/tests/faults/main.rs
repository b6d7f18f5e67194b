//! Faults, caused on purpose: the real program on real servers that are killed, held still, cut off and filled up, under
//! load. Each cell of [`cells::Row`]'s table is asked for while the fault lasts, a journal is kept of everything else, and
//! both are compared with the database afterwards.

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
