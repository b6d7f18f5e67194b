//! The suite on Postgres and a Redis Cluster of six nodes.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, client, crowd, journal, log, mode, server};
