//! The adapters against the ports' contract, the standards' examples, and whoever would cheat them.

mod argon2_hasher;
mod attacks;
mod contract;
mod forgery;
mod keys;
mod tokens;
