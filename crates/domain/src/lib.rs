//! The core of authapi: users, roles, sessions and the rules that decide when a token is valid.
//!
//! This crate performs no I/O and reads no clock. It reaches the outside through [ports] and
//! offers its operations as [use cases](use_cases).

pub mod audit;
pub mod authority;
pub mod caller;
pub mod changes;
pub mod clock_skew;
pub mod core;
pub mod device_token;
pub mod invalidating;
pub mod invalidation;
pub mod jwk;
pub mod key_rotation;
pub mod login;
pub mod machine;
pub mod one_time_password;
pub mod origin;
pub mod password;
pub mod ports;
pub mod principal;
pub mod refresh_token;
pub mod replica;
pub mod revision;
pub mod role;
pub mod session;
pub mod step_up;
pub mod steps;
pub mod throttle;
pub mod token;
pub mod use_cases;
pub mod user;

#[cfg(test)]
mod fixtures;
