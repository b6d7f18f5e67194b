use crate::settings::SettingsError;
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

/// Displays what failed and all its causes on one line. This is the only place that prints causes.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: Option<&dyn Error> = match self {
            Self::Settings(error) => {
                write_on_one_line(f, error)?;
                error.source()
            }
            Self::Usage(what) => {
                write_on_one_line(f, what)?;
                None
            }
            Self::Task { what, cause } => {
                write_on_one_line(f, what)?;
                cause.as_deref().map(|cause| cause as &dyn Error)
            }
        };
        while let Some(error) = cause {
            f.write_str(": ")?;
            write_on_one_line(f, error)?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Writes `text` without line breaks and control characters, which errors of other crates may
/// contain.
fn write_on_one_line(f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display) -> fmt::Result {
    let text = text.to_string();
    let flat = text
        .split(char::is_control)
        .map(str::trim)
        .filter(|part| !part.is_empty());
    f.write_str(&flat.collect::<Vec<_>>().join(" "))
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
