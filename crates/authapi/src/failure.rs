use crate::{
    error_chain::{ErrorChain, on_one_line},
    settings::SettingsError,
};
use std::{error::Error, fmt, process::ExitCode};

/// An error that ends the program, displayed as one line.
///
/// Exit codes: 0 success, 1 failure, 2 invalid settings or usage.
#[derive(Debug)]
pub enum Failure {
    Settings(SettingsError),
    /// An invalid use of the command line.
    Usage(&'static str),
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
            Self::Task { .. } => ExitCode::FAILURE,
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Settings(error)
    }
}

/// Displays what failed and all its causes on one line.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => ErrorChain(error).fmt(f),
            Self::Usage(what) => f.write_str(&on_one_line(*what)),
            Self::Task { what, cause } => {
                f.write_str(&on_one_line(what))?;
                match cause {
                    Some(cause) => write!(f, ": {}", ErrorChain(cause.as_ref())),
                    None => Ok(()),
                }
            }
        }
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
