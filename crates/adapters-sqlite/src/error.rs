//! Errors of SQLite, and what they mean to the core.

use diesel::result::Error as DieselError;
use domain::ports::PortError;
use std::error::Error as StdError;
use thiserror::Error;

/// SQLite's text for `SQLITE_BUSY`. diesel keeps the text of an error and drops its code.
const BUSY: &str = "database is locked";

/// An error while using the database.
#[derive(Debug, Error)]
pub enum StorageError {
    /// All connections are in use, or another process is writing, for longer than a caller should
    /// wait.
    #[error("the database is busy")]
    Busy,
    #[error("a statement failed")]
    Statement(#[source] Box<dyn StdError + Send + Sync>),
    #[error("a row of {table} is corrupt")]
    Row {
        table: &'static str,
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl StorageError {
    /// Returns the error for a row of `table` that does not parse.
    pub fn row(table: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Row {
            table,
            source: source.into(),
        }
    }
}

/// Classifies the error of any statement, so that `?` is enough after a statement.
impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(_, information) if information.message() == BUSY => Self::Busy,
            DieselError::DeserializationError(source) => Self::row("the database", source),
            other => Self::Statement(other.into()),
        }
    }
}

impl From<StorageError> for PortError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Busy => Self::Overloaded,
            StorageError::Statement(_) => Self::Unavailable(error.into()),
            StorageError::Row { .. } => Self::Corrupt(error.into()),
        }
    }
}
