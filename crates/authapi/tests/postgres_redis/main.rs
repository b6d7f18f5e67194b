//! The suite on Postgres and one Redis.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, burst, client, journal, log, mode, server};

mod backup;
mod launched;
mod locks;
mod migration_lock;
mod mixed_replicas;
mod pool_metrics;
mod readiness;
mod redis_failures;
mod start_failures;
