//! The suite on SQLite, which needs no other servers.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, burst, client, journal, log, mode, server};

#[path = "../it/audit_crash.rs"]
mod audit_crash;
mod crashed_server;
mod database_file;
mod raw;
mod repository;
mod start_failures;
mod telemetry;
mod writers;
