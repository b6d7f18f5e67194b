//! The contract of each port, as plain functions: one case for every MUST that can be seen from outside.
//!
//! This module is private, and [`contract`](crate::contract) exports the cases that the macros name. A case that no macro
//! names would never run. The compiler refuses it: a function that is neither exported nor called is dead code.

#![deny(dead_code)]

pub mod administer;
pub mod assign;
pub mod audit_chain;
pub mod audit_log;
pub mod change_password;
pub mod change_roles;
pub mod clock;
pub mod ending;
pub mod import;
pub mod invalidation_bus;
pub mod listing;
pub mod monotonic_clock;
pub mod password_hasher;
pub mod password_meter;
pub mod randomness;
pub mod refresh_token_mac;
pub mod replace_hash;
pub mod replica_leases;
pub mod revoke_sessions;
pub mod roles;
pub mod rotation;
pub mod session_snapshots;
pub mod sessions;
pub mod set_status;
pub mod storage_health;
mod support;
pub mod throttle;
pub mod tokens;
pub mod users;
