use std::error::Error as StdError;
use thiserror::Error;

/// What can go wrong behind any port. The cause is in `source()`, never in the text. Outcomes that a caller expects (a
/// login that is taken, a session that ended before) are answers, not errors.
#[derive(Debug, Error)]
pub enum PortError {
    /// The dependency is away or too slow. The caller may try again.
    #[error("a dependency is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// There is more work than capacity. The caller should come back later.
    #[error("too much work at once")]
    Overloaded,
    /// What was read cannot be what was written.
    #[error("stored data is corrupt")]
    Corrupt(#[source] Box<dyn StdError + Send + Sync>),
}
