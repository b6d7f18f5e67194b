use std::error::Error as StdError;
use thiserror::Error;

/// A failure behind a port. The cause is in `source()`, not in the message. Expected outcomes, such
/// as a login that is taken, are return values.
#[derive(Debug, Error)]
pub enum PortError {
    /// The dependency is unreachable or too slow. The caller may retry.
    #[error("a dependency is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// The demand exceeds the capacity. The caller should retry later.
    #[error("the service is overloaded")]
    Overloaded,
    /// Stored data is invalid.
    #[error("stored data is corrupt")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
}
