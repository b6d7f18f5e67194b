use crate::settings::SettingsError;
use std::{error::Error, fmt, process::ExitCode};

/// The exit code of a process that SIGINT ended: 128 and the number of the signal.
const INTERRUPTED: u8 = 130;

/// An error that ends the program.
///
/// Exit codes: 0 success, 1 failure, 2 invalid settings or usage, 130 interrupted at a prompt.
#[derive(Debug)]
pub enum Failure {
    /// Invalid settings, at least one.
    Settings(Vec<SettingsError>),
    /// An invalid use of the command line.
    Usage(&'static str),
    /// The user pressed Ctrl-C at a prompt.
    Interrupted,
    /// A failed task, with its cause.
    Task {
        what: String,
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Failure {
    /// Returns a failure without a cause.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Task {
            what: what.into(),
            cause: None,
        }
    }

    /// Returns a failure with a cause.
    pub fn because(what: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Task {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }

    /// Returns the exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Usage(_) => ExitCode::from(2),
            Self::Interrupted => ExitCode::from(INTERRUPTED),
            Self::Task { .. } => ExitCode::FAILURE,
        }
    }
}

impl From<Vec<SettingsError>> for Failure {
    fn from(errors: Vec<SettingsError>) -> Self {
        Self::Settings(errors)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(vec![error])
    }
}

impl Failure {
    /// Returns what failed, with all causes: one line, one for each invalid setting, or none if the
    /// user interrupted the program. This is the only place that prints causes.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Settings(errors) => errors.iter().map(|error| line(error, error.source())).collect(),
            Self::Usage(what) => vec![line(what, None)],
            Self::Interrupted => Vec::new(),
            Self::Task { what, cause } => {
                let cause = cause.as_deref().map(|cause| cause as &dyn Error);
                vec![line(what, cause)]
            }
        }
    }
}

/// Displays the [lines](Failure::lines) on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

/// Joins `what` and its causes.
fn line(what: &dyn fmt::Display, mut cause: Option<&dyn Error>) -> String {
    let mut line = on_one_line(what);
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&on_one_line(error));
        cause = error.source();
    }
    line
}

/// Displays `text` without line breaks and control characters, which errors of other crates may
/// contain.
fn on_one_line(text: &dyn fmt::Display) -> String {
    let text = text.to_string();
    let flat = text
        .split(char::is_control)
        .map(str::trim)
        .filter(|part| !part.is_empty());
    flat.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_failure_is_one_line_with_every_cause_once() {
        let cause = io::Error::other(io::Error::other("disk\nis \u{1b}[31mfull"));
        let failure = Failure::because("the key cannot be written", cause);
        assert_eq!(failure.to_string(), "the key cannot be written: disk is [31mfull");
    }
}
