//! The core of authapi: who a user is, what a token means, and when it stops meaning it.
//!
//! Nothing here does I/O or reads a clock: whatever the core needs from the world is a [port](ports), and whatever it
//! does for the world is a [use case](use_cases).

pub mod audit;
pub mod authority;
pub mod caller;
pub mod changes;
pub mod core;
pub mod invalidating;
pub mod invalidation;
pub mod jwk;
pub mod login;
pub mod origin;
pub mod password;
pub mod ports;
pub mod refresh_token;
pub mod revision;
pub mod role;
pub mod session;
pub mod steps;
pub mod throttle;
pub mod token;
pub mod use_cases;
pub mod user;

#[cfg(test)]
mod fixtures;
