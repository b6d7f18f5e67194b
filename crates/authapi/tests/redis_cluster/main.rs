//! The suite over Postgres and a Redis Cluster of six.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, client, crowd, journal, log, mode, server};
