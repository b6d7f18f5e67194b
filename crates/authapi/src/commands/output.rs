//! The output of commands.

mod list;
mod stream;
mod table;

pub use list::{List, ListRow};
pub use stream::Stream;
pub use table::Table;

use crate::Failure;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use std::{
    fmt::Display,
    io::{Error, ErrorKind, Write, stderr, stdout},
};

/// Prints one line.
pub fn line(text: impl Display) -> Result<(), Failure> {
    ignore_broken_pipe(writeln!(stdout(), "{text}"))
}

/// Prints `value` as indented JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string_pretty(value).map_err(not_json)?)
}

/// Prints `value` as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    line(serde_json::to_string(value).map_err(not_json)?)
}

/// Reports on standard error that a list is empty, since its output is then empty too.
pub fn nothing(what: impl Display) {
    note(what);
}

/// Reports on standard error what the output means.
pub fn note(text: impl Display) {
    // A closed standard error is ignored.
    let _ = writeln!(stderr(), "{text}");
}

/// Formats an instant in UTC (RFC 3339).
pub fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Joins `words` with `separator`.
pub fn words<T: Display>(words: impl IntoIterator<Item = T>, separator: &str) -> String {
    let words = words.into_iter().map(|word| word.to_string());
    words.collect::<Vec<_>>().join(separator)
}

fn not_json(error: serde_json::Error) -> Failure {
    Failure::because("the output cannot be serialised as JSON", error)
}

/// Ignores a reader that has closed the pipe, such as `head`.
fn ignore_broken_pipe(written: Result<(), Error>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(unwritable(error)),
        _ => Ok(()),
    }
}

fn unwritable(error: Error) -> Failure {
    Failure::because("standard output cannot be written to", error)
}
