//! The suite on Postgres and a Redis Cluster of six nodes.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, burst, client, journal, log, mode, server};
