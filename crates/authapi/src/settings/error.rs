//! Errors in the settings. Each message is one line that names the setting, the cause and the
//! remedy.

use super::dotenv::LineRefused;
use std::{
    error::Error as StdError,
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Invalid settings, which prevent the service from starting. Messages never contain a secret.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("the settings file {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("the settings file {} is invalid: {cause}", path.display())]
    Syntax { path: PathBuf, cause: String },
    /// `name` is empty, or the name of the variable in parentheses.
    #[error("the settings file {} is invalid: line {number}{name}: {cause}", path.display())]
    BadLine {
        path: PathBuf,
        number: usize,
        name: String,
        cause: LineRefused,
    },
    #[error("{name} (environment) is not UTF-8")]
    NotUnicode { name: String },
    #[error("{name} is not a setting{suggestion}; remove it")]
    Unknown { name: String, suggestion: String },
    #[error("{one} and {other} are both set; keep one of them")]
    SetTwice { one: String, other: String },
    #[error("{name}: the file {} cannot be read", path.display())]
    SecretFile {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// `value` is empty if it must not be printed.
    #[error("{name} is invalid{value}: {rule}")]
    Wrong {
        name: String,
        value: String,
        rule: String,
    },
}

impl SettingsError {
    /// Returns the error for a file that cannot be read.
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// Returns the error for a file that is not TOML.
    pub(super) fn not_toml(path: &Path, cause: &str) -> Self {
        Self::Syntax {
            path: path.to_owned(),
            cause: cause.to_owned(),
        }
    }
}
