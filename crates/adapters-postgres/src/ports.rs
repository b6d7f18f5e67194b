//! The ports of the core. Each method is one statement or one transaction.

mod accounts;
mod audit_checkpoints;
mod audit_events;
mod audit_log;
mod database_clock;
mod health;
mod key_uses;
mod machines;
mod replica_leases;
mod replicas;
mod roles;
mod session_directory;
mod session_snapshots;
mod sessions;
mod user_directory;
