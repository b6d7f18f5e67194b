//! What is wrong with the settings, each in one line that names the setting, the cause and the mend.

use std::{
    error::Error as StdError,
    fs, io,
    path::{Path, PathBuf},
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Settings with which the service does not start. Nothing here repeats a secret.
#[derive(Debug, Error)]
pub enum SettingsError {
    #[error("the settings file {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("the settings file {} is wrong: {cause}", path.display())]
    Syntax { path: PathBuf, cause: String },
    #[error("{name} (environment) is not UTF-8")]
    NotUnicode { name: String },
    #[error("{name} is not a setting{suggestion}; remove it")]
    Unknown { name: String, suggestion: String },
    #[error("{one} and {other} are both set: keep one of them")]
    SetTwice { one: String, other: String },
    #[error("{name}: the file {} cannot be read", path.display())]
    SecretFile {
        name: String,
        path: PathBuf,
        source: io::Error,
    },
    /// `value` is empty where it must not be shown.
    #[error("{name} is wrong{value}: {rule}")]
    Wrong {
        name: String,
        value: String,
        rule: String,
    },
}

impl SettingsError {
    pub(super) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            source: source.into(),
        }
    }

    pub(super) fn not_toml(path: &Path, cause: &str) -> Self {
        Self::Syntax {
            path: path.to_owned(),
            cause: cause.to_owned(),
        }
    }

    /// Leaves out the line that dotenvy quotes: it may hold a secret.
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

/// What stands before the first `=` of a line, if that looks like a name at all. dotenvy quotes the line or, when the
/// name is good, the value alone: then the name stands in the file.
fn line_name(path: &Path, quoted: &str) -> String {
    let text = fs::read_to_string(path).map(Zeroizing::new).unwrap_or_default();
    let line = text.lines().find(|line| line.contains(quoted.trim()));
    match line.unwrap_or(quoted).split_once('=') {
        Some((name, _)) if name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            name.trim().to_owned()
        }
        _ => "unclear name".to_owned(),
    }
}
