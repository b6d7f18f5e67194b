//! Temporary Postgres and Redis servers for tests, on Linux.
//!
//! Servers are stopped and their files removed when the test process ends, whether it returns,
//! panics or is killed with SIGKILL.
//!
//! All tests of a process share [`postgres`], [`redis`] and [`redis_cluster`]. A test that kills or
//! suspends a server starts its own.
//!
//! # Panics
//! Functions panic if a server or program is not available; the message names what is missing in
//! one line. A test without its server fails; it is not skipped.

mod cutting_proxy;
mod failure;
mod instance;
mod owner;
mod port;
mod postgres;
mod programs;
mod redis;
mod redis_cluster;
mod redis_sentinel;
mod waiting;
mod watched;

pub use cutting_proxy::{CuttingProxy, ProxyMode};
pub use instance::{Own, Server};
pub use postgres::{FreshDatabase, Postgres, postgres};
pub use redis::{Redis, redis};
pub use redis_cluster::{RedisCluster, redis_cluster};
pub use redis_sentinel::RedisSentinel;
