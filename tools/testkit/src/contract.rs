//! The contract of each port, as plain functions: one case for each MUST that is observable from
//! outside. Macros at the crate root turn each case into a named test.
//!
//! The cases of `accounts`, `sessions`, `session_snapshots` and `audit_events` need only a
//! [`CoreStorage`](crate::CoreStorage). Cases about roles other than the built-in ones are in
//! `roles`.

pub mod accounts;
pub mod audit_checkpoints;
pub mod audit_events;
pub mod audit_log;
pub mod breached_passwords;
pub mod clock;
pub mod database_clock;
pub mod invalidation_bus;
pub mod key_uses;
pub mod machines;
pub mod monotonic_clock;
pub mod password_hasher;
pub mod password_meter;
mod prelude;
pub mod randomness;
pub mod refresh_token_mac;
pub mod replica_leases;
pub mod replicas;
pub mod roles;
pub mod session_directory;
pub mod session_snapshots;
pub mod sessions;
pub mod storage_health;
mod support;
pub mod throttle;
pub mod tokens;
pub mod user_directory;
