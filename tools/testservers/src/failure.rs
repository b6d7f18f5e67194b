use std::{io, path::PathBuf};
use thiserror::Error;

/// The reason why a server is not available.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{program} is missing: apt-get install {package}")]
    Missing {
        program: &'static str,
        package: &'static str,
    },
    #[error("{what} failed: {said}")]
    Refused { what: String, said: String },
    #[error("{what} took too long")]
    TooLong { what: String },
    #[error("{what} ended during its start; its log: {log}")]
    EndedAtOnce { what: String, log: String },
    #[error("there is no free port on 127.0.0.1 from 20000 to 29999")]
    NoPort,
    #[error("{what} {}", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what} could not be run")]
    Run {
        what: String,
        #[source]
        source: io::Error,
    },
}

impl Failure {
    /// Returns a conversion for errors of the file or folder `path`. `what` says what failed.
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// Returns a conversion for errors of running the program `what`.
    pub(crate) fn run(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Run { what, source }
    }
}

/// Returns the value, or panics with the failure and its cause in one line.
#[track_caller]
pub(crate) fn must<T>(result: Result<T, Failure>) -> T {
    match result {
        Ok(value) => value,
        Err(failure) => match std::error::Error::source(&failure) {
            Some(cause) => panic!("{failure}: {cause}"),
            None => panic!("{failure}"),
        },
    }
}
