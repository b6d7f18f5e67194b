//! Errors of Postgres, and what they mean to the core.

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use domain::ports::PortError;
use std::{error::Error as StdError, sync::Arc};
use thiserror::Error;

/// Postgres' texts for `lock_not_available` (55P03) and `deadlock_detected` (40P01). diesel keeps
/// the text of an error and drops its code; where the server speaks another language, both count as
/// failed statements.
const LOCK_TIMEOUT: &str = "canceling statement due to lock timeout";
const DEADLOCK: &str = "deadlock detected";

/// A part of the error of statements with [`ON_PRIMARY`] on a standby, in every language.
const STANDBY: &str = "the server is a standby";
/// A condition that is true on a primary. On a standby it fails the statement, whose rows may be
/// outdated or missing there.
///
/// New connections lead to a primary, and a primary closes its connections before it becomes a
/// standby. Only a pooler between them can lead an open connection to another server.
pub const ON_PRIMARY: &str =
    "(CASE WHEN pg_is_in_recovery() THEN 'the server is a standby' ELSE 'true' END)::boolean";

/// An error while using the database.
#[derive(Debug, Error)]
pub enum StorageError {
    /// All connections are in use, or a row is locked, for longer than a caller should wait.
    #[error("the database is busy")]
    Busy,
    /// Postgres rolled back a transaction in favour of another one. It may be retried.
    #[error("the server rolled back the transaction because of a conflict")]
    Conflict,
    /// The server is a standby, or its transactions are read-only. The work may be retried on
    /// another connection.
    #[error("the server accepts no changes")]
    ReadOnly(#[source] Box<dyn StdError + Send + Sync>),
    #[error("a statement failed")]
    Statement(#[source] Box<dyn StdError + Send + Sync>),
    /// A statement or its connection failed before anything was changed. The work may be retried on
    /// another connection.
    #[error("the database failed before anything was changed")]
    BeforeChanges(#[source] Box<dyn StdError + Send + Sync>),
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

    /// Returns this error for work that has changed nothing.
    pub fn before_changes(self) -> Self {
        match self {
            Self::Statement(source) => Self::BeforeChanges(source),
            other => other,
        }
    }

    /// Returns whether the work can be repeated without taking effect twice.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict | Self::ReadOnly(_) | Self::BeforeChanges(_))
    }

    /// Returns whether other connections to the same server would fail as well, since it accepts no
    /// changes.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly(_))
    }

    /// Converts this error, which several callers share, to the error of a port.
    pub fn to_port_error(self: Arc<Self>) -> PortError {
        match *self {
            Self::Busy | Self::Conflict => PortError::Overloaded,
            Self::ReadOnly(_) | Self::Statement(_) | Self::BeforeChanges(_) => {
                PortError::Unavailable(self.into())
            }
            Self::Row { .. } => PortError::Corrupt(self.into()),
        }
    }

    /// Returns whether the connection can be used for other work.
    pub fn leaves_connection_usable(&self) -> bool {
        matches!(self, Self::Busy | Self::Conflict | Self::Row { .. })
    }
}

/// Classifies the error of any statement, so that `?` is enough after a statement.
impl From<DieselError> for StorageError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _) => Self::Conflict,
            DieselError::DatabaseError(_, information) if information.message() == LOCK_TIMEOUT => Self::Busy,
            DieselError::DatabaseError(_, information) if information.message() == DEADLOCK => Self::Conflict,
            DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => {
                Self::ReadOnly(error.into())
            }
            DieselError::DatabaseError(_, ref information) if information.message().contains(STANDBY) => {
                Self::ReadOnly(error.into())
            }
            DieselError::DeserializationError(source) => Self::row("the database", source),
            other => Self::Statement(other.into()),
        }
    }
}

impl From<StorageError> for PortError {
    fn from(error: StorageError) -> Self {
        Arc::new(error).to_port_error()
    }
}
