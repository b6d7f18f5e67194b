//! What replicas share through Redis: throttle counters and the invalidation bus. Nothing in Redis is truth: when it is
//! away, flushed or lost, throttling goes on in each process by itself and revocations get slower, and that is all.
//!
//! One [`RedisClient`] serves every adapter here, over a single node, a Sentinel group or a Cluster alike.

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
mod subscription;

pub use budget::{Budget, BudgetRefused, Budgets};
pub use client::RedisClient;
pub use fallback_throttle::{FallbackThrottle, InCharge};
pub use redis_bus::RedisBus;
pub use redis_health::RedisHealth;
pub use redis_throttle::RedisThrottle;
pub use redis_unavailable::RedisUnavailable;
pub use redis_url::{RedisUrl, RedisUrlRefused};
