//! The program as a library, so that tests can run the whole service in their own process:
//! settings, wiring, telemetry, shutdown and the command line. Business rules are in `domain`.

mod app;
mod audit_keys;
mod audit_size;
mod audit_start;
mod bus;
mod byte_order_mark;
mod checkpoints;
pub mod cli;
mod clock_watch;
pub mod commands;
mod composition;
mod core_dumps;
mod error_chain;
mod failure;
mod first_admin;
mod housekeeping;
mod key_folder;
mod listener;
mod metered_audit_log;
mod metered_throttle;
mod metrics;
mod missing_events;
mod omitted_failures;
mod open_files;
mod openapi_3_0;
mod operator;
mod operator_revocations;
mod pending_watch;
mod progress;
mod prompt;
mod replica;
mod replica_entry;
mod sealing;
pub mod settings;
mod shutdown;
mod storage;
pub mod telemetry;
mod terminal;
mod throttles;
mod traces;
pub mod user_file;
mod violation;
mod wiring;

pub use app::Application;
pub use failure::Failure;
