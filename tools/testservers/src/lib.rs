//! Throwaway servers for tests on real servers, on Linux. Everything here ends and is removed when the test process
//! ends, however it ends: normally, by a panic, or by SIGKILL.
//!
//! [`postgres`], [`redis`] and [`redis_cluster`] are shared by all tests of a process. Tests that kill or pause a
//! server start one of their own.
//!
//! # Panics
//! Whatever cannot be had is a panic that says in one line what is missing: a test without its server has failed.

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
