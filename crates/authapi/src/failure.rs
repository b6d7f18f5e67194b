use crate::settings::SettingsError;
use std::{error::Error, fmt, process::ExitCode};

/// Why the program ends early, told in one line.
///
/// Exit codes: 0 done, 1 it could not be done, 2 a setting or the command line is wrong.
#[derive(Debug)]
pub enum Failure {
    Settings(SettingsError),
    /// The command line asks for something that it cannot have so.
    Usage(&'static str),
    /// What could not be done, with its causes.
    Task {
        what: String,
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Failure {
    /// Something that could not be done, for no other reason than the text gives.
    pub fn new(what: impl Into<String>) -> Self {
        Self::Task {
            what: what.into(),
            cause: None,
        }
    }

    /// Something that could not be done because of `cause`.
    pub fn because(what: impl Into<String>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Task {
            what: what.into(),
            cause: Some(cause.into()),
        }
    }

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

/// One line: what failed and every cause beneath it. Nobody else prints the chain, so nothing is said twice.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cause: Option<&dyn Error> = match self {
            Self::Settings(error) => {
                write_flat(f, error)?;
                error.source()
            }
            Self::Usage(what) => {
                write_flat(f, what)?;
                None
            }
            Self::Task { what, cause } => {
                write_flat(f, what)?;
                cause.as_deref().map(|cause| cause as &dyn Error)
            }
        };
        while let Some(error) = cause {
            f.write_str(": ")?;
            write_flat(f, error)?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Foreign errors may span lines or carry control characters; a line of ours does not.
fn write_flat(f: &mut fmt::Formatter<'_>, text: &dyn fmt::Display) -> fmt::Result {
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
