use crate::{
    error_chain::{ErrorChain, on_one_line},
    settings::SettingsError,
};
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
    /// user interrupted the program.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Settings(errors) => errors.iter().map(|error| ErrorChain(error).to_string()).collect(),
            Self::Usage(what) => vec![on_one_line(*what)],
            Self::Interrupted => Vec::new(),
            Self::Task { what, cause: None } => vec![on_one_line(what)],
            Self::Task {
                what,
                cause: Some(cause),
            } => vec![format!("{}: {}", on_one_line(what), ErrorChain(cause.as_ref()))],
        }
    }
}

/// Displays the [lines](Failure::lines) on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
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
