//! Rows, the queries that read and write them, and their conversion to and from the core's types.

pub mod audit;
pub mod audit_checkpoints;
pub mod audit_keys;
pub mod audit_pages;
pub mod key_uses;
pub mod login_facts;
pub mod machines;
pub mod permissions;
pub mod replica_leases;
pub mod replicas;
pub mod roles;
pub mod rotation;
mod rows;
pub mod sessions;
pub mod snapshots;
pub mod user_pages;
pub mod users;
