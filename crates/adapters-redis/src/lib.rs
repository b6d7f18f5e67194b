//! Shares throttle counters and the invalidation bus between replicas through Redis. Redis is never
//! the source of truth: if it is unavailable, flushed or lost, each process throttles independently
//! and revocations take longer.
//!
//! One [`RedisClient`] serves every adapter of this crate, with a single node, Sentinel or a
//! Cluster.

mod backoff;
mod breaker;
mod budget;
mod client;
mod connection;
mod fallback_throttle;
mod gcra;
mod listeners;
mod reconnector;
mod redis_bus;
mod redis_health;
mod redis_throttle;
mod redis_unavailable;
mod redis_url;
mod remedy;
mod subscription;

pub use budget::BudgetRefused;
pub use client::RedisClient;
pub use fallback_throttle::{FallbackThrottle, InCharge};
pub use redis_bus::RedisBus;
pub use redis_health::{RedisHealth, RedisUse};
pub use redis_throttle::RedisThrottle;
pub use redis_unavailable::RedisUnavailable;
pub use redis_url::{RedisUrl, RedisUrlRefused};
