//! The edge over in-memory adapters.

#![expect(
    clippy::indexing_slicing,
    reason = "a JSON body that lacks what a test looks for should fail it"
)]

mod administration;
mod app;
mod audit_log;
mod authorisation;
mod bad_input;
mod connection;
mod cors;
mod device_tokens;
mod document;
mod endpoints;
mod escalation;
mod machines;
mod metrics;
mod mounting;
mod own_account;
mod preconditions;
mod queries;
mod refresh_cookies;
mod replays;
mod reset_codes;
mod revocation;
mod statuses;
mod step_up;
mod wiring;
