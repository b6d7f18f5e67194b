//! Fuzz targets: for each parser of untrusted bytes, a function that checks one input and panics if
//! a property does not hold.
//!
//! `make fuzz` runs them under libFuzzer (`fuzz/`), and a test of this crate replays the inputs in
//! `fuzz/corpus/`. The first byte or line of some inputs selects a form of the rest; the targets
//! document it.

mod access_token;
mod breached_file;
mod bus_message;
mod checkpoint;
mod cursor;
mod device_token;
mod dotenv;
mod forwarded_for;
mod import;
mod json_body;
mod key_files;
mod login;
mod password_hash;
mod refresh_token;
mod reset_code;
mod service;

/// A check of one input. It panics if a property does not hold.
pub type Check = fn(&[u8]);

/// Every target by its name, which is also the name of its corpus and of its binary in `fuzz/`.
pub const TARGETS: [(&str, Check); 16] = [
    ("access_token", access_token::check),
    ("breached_file", breached_file::check),
    ("bus_message", bus_message::check),
    ("checkpoint", checkpoint::check),
    ("cursor", cursor::check),
    ("device_token", device_token::check),
    ("dotenv", dotenv::check),
    ("forwarded_for", forwarded_for::check),
    ("import_csv", import::check_csv),
    ("import_jsonl", import::check_jsonl),
    ("json_body", json_body::check),
    ("key_files", key_files::check),
    ("login", login::check),
    ("password_hash", password_hash::check),
    ("refresh_token", refresh_token::check),
    ("reset_code", reset_code::check),
];

/// Returns the check of the target `name`.
///
/// # Panics
/// Panics if there is no such target.
#[must_use]
pub fn target(name: &str) -> Check {
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.expect("the target exists").1
}
