//! Tests of the adapters: the contract of the ports, the examples of the standards, and attacks.

mod argon2_hasher;
mod attacks;
mod cached_token_verifier;
mod contract;
mod foreign_hashes;
mod forgery;
mod keys;
mod password_measure;
mod password_samples;
mod rotation;
mod tokens;
