//! The adapters against the ports' contract, the standards' examples, and whoever would cheat them.

mod argon2_hasher;
mod attacks;
mod cached_token_verifier;
mod contract;
mod foreign_hashes;
mod forgery;
mod keys;
mod tokens;
