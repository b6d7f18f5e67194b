//! What goes wrong with Postgres, and what it means to the core.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use domain::ports::PortError;
use std::{error::Error as StdError, sync::Arc};
use thiserror::Error;

/// Postgres' texts for `lock_not_available` (55P03) and `deadlock_detected` (40P01). diesel keeps the text of an error and
/// drops its code; where the server speaks another language, both count as failed statements.
const LOCK_TIMEOUT: &str = "canceling statement due to lock timeout";
const DEADLOCK: &str = "deadlock detected";

/// What went wrong while using the database.
#[derive(Debug, Error)]
pub enum StorageError {
    /// All connections are taken, or a row is locked, for longer than anybody should wait.
    #[error("the database is busy")]
    Busy,
    /// Postgres took a transaction back to let another one pass. It may be tried again.
    #[error("a transaction had to give way")]
    Conflict,
    #[error("a statement failed")]
    Statement(#[source] Box<dyn StdError + Send + Sync>),
    /// A connection failed before anything was changed. The work may be tried again on another one.
    #[error("a connection failed")]
    Undone(#[source] Box<dyn StdError + Send + Sync>),
    #[error("what {table} holds is not what was written")]
    Row {
        table: &'static str,
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl StorageError {
    /// A row of `table` that does not parse.
    pub fn row(table: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Row {
            table,
            source: source.into(),
        }
    }

    /// This error, when it is known that nothing was changed before it.
    pub fn before_any_change(self) -> Self {
        match self {
            Self::Statement(source) => Self::Undone(source),
            other => other,
        }
    }

    /// Whether the work may be done again without ever being done twice.
    pub fn may_be_tried_again(&self) -> bool {
        matches!(self, Self::Conflict | Self::Undone(_))
    }

    /// What it means to the core, for one of several who are told of it.
    pub fn told_to_one(self: Arc<Self>) -> PortError {
        match *self {
            Self::Busy | Self::Conflict => PortError::Overloaded,
            Self::Statement(_) | Self::Undone(_) => PortError::Unavailable(self.into()),
            Self::Row { .. } => PortError::Corrupt(self.into()),
        }
    }

    /// Whether the connection that it came from can be trusted with other work.
    pub fn leaves_the_connection_good(&self) -> bool {
        matches!(self, Self::Busy | Self::Conflict | Self::Row { .. })
    }
}

/// Every statement's error is judged here and nowhere else, so that `?` is enough after a statement.
impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict,
            DieselError::DatabaseError(_, told) if told.message() == LOCK_TIMEOUT => Self::Busy,
            DieselError::DatabaseError(_, told) if told.message() == DEADLOCK => Self::Conflict,
            DieselError::DeserializationError(source) => Self::row("the database", source),
            other => Self::Statement(other.into()),
        }
    }
}

impl From<StorageError> for PortError {
    fn from(error: StorageError) -> Self {
        Arc::new(error).told_to_one()
    }
}
