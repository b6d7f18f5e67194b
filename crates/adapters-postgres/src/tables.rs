//! Rows, queries and conversions. Each function is one statement, unless its documentation names
//! more.

pub mod audit;
pub mod audit_checkpoints;
pub mod audit_keys;
pub mod audit_pages;
pub mod audit_pending;
pub mod batched_rotation;
pub mod clock;
pub mod key_uses;
pub mod login_facts;
pub mod machines;
pub mod notifications;
mod permissions;
pub mod recorded;
pub mod replica_leases;
pub mod replicas;
pub mod roles;
pub mod rotation;
mod rows;
pub mod session_insert;
mod session_rows;
pub mod sessions;
pub mod snapshots;
pub mod user_pages;
pub mod user_roles;
pub mod user_rows;
pub mod users;
