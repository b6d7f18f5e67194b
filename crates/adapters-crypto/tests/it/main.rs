//! The adapters against the ports' contract, the standards' examples, and whoever would cheat them.

mod argon2_hasher;
mod attacks;
mod contract;
mod foreign_hashes;
mod forgery;
mod keys;
mod remembered_verdicts;
mod tokens;
