//! The suite on three servers with one Postgres and one Redis; a client sends each request to the
//! next of them. Revocations also run without Redis.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, burst, client, journal, log, mode, server};

#[path = "../it/audit_crash.rs"]
mod audit_crash;
mod key_rotation;
#[path = "../postgres_redis/redis_failures.rs"]
mod redis_failures;
mod replicas;
mod without_redis;
