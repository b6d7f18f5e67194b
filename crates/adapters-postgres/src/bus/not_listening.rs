use crate::database::Unopened;
use domain::ports::PortError;
use thiserror::Error;

/// Why a connection does not receive notifications. The message names the remedy if an operator
/// must correct something.
#[derive(Debug, Error)]
pub enum NotListening {
    #[error("the connection that listens cannot be opened")]
    Unopened(#[source] Unopened),
    #[error("the server rejects LISTEN")]
    Refused(#[source] tokio_postgres::Error),
    #[error("the server did not respond in time")]
    TooSlow,
    #[error("a probe cannot be sent to the channel")]
    Unpublished(#[source] PortError),
    #[error(
        "notifications do not arrive on the connection that listens: its URL must lead to the same database as that \
         of the pool, and not through a pooler that lends connections per transaction"
    )]
    Undelivered,
}
