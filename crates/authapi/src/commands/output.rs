//! What commands print.

use crate::Failure;
use serde::Serialize;
use std::{
    fmt::Display,
    io::{Error, ErrorKind, Write, stdout},
};

/// Prints one line.
pub fn line(text: impl Display) -> Result<(), Failure> {
    settle(writeln!(stdout(), "{text}"))
}

/// Prints `value` as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::because("the answer cannot be written as JSON", error))?;
    line(text)
}

/// A reader that has seen enough, such as `head`, is no failure.
fn settle(written: Result<(), Error>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::because("standard output cannot be written", error))
        }
        _ => Ok(()),
    }
}
