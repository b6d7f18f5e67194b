//! Errors in the settings. Each message is one line that names the setting, the cause and the
//! remedy.

use std::{
    error::Error as StdError,
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::Zeroizing;

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

    /// Converts an error of dotenvy without the line that it quotes, which may contain a secret.
    pub(super) fn bad_dotenv(path: &Path, error: dotenvy::Error) -> Self {
        match error {
            dotenvy::Error::LineParse(line, _) => Self::Syntax {
                path: path.to_owned(),
                cause: format!(
                    "the line of {} is not NAME=value; quote values with spaces or `#`",
                    line_name(path, &line)
                ),
            },
            other => Self::Unreadable {
                path: path.to_owned(),
                source: other.into(),
            },
        }
    }
}

/// Returns the name of the variable on the line of the error if it has a valid form. dotenvy quotes
/// the whole line, or only the value if the name is valid; the name is then looked up in the file.
fn line_name(path: &Path, quoted: &str) -> String {
    let text = fs::read_to_string(path).map(Zeroizing::new).unwrap_or_default();
    let line = text.lines().find(|line| line.contains(quoted.trim()));
    match line.unwrap_or(quoted).split_once('=') {
        Some((name, _)) if name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            name.trim().to_owned()
        }
        _ => "unknown name".to_owned(),
    }
}
