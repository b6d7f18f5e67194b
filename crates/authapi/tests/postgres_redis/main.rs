//! The suite on Postgres and one Redis.

#[path = "../it/mod.rs"]
mod it;

use it::{backing, client, crowd, journal, log, mode, server};

mod backup;
mod locks;
mod start_failures;
mod watched;
