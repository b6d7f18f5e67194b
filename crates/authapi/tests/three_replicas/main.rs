//! The suite over three servers on one Postgres and one Redis, each request of a client to the next of them.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, client, crowd, journal, log, mode, server};

#[path = "../it/audit_crash.rs"]
mod audit_crash;
mod replicas;
