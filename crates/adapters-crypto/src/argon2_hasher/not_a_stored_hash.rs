use super::CostRefused;
use argon2::password_hash::phc;
use domain::ports::ForeignHashRefused;
use thiserror::Error;

/// The error for a stored text that cannot be used as a hash. It never contains the text.
#[derive(Debug, Error)]
pub enum NotAStoredHash {
    #[error("a stored password hash is not a PHC string")]
    Unparsable(#[source] phc::Error),
    #[error("a stored password hash has an unsupported scheme")]
    UnknownScheme,
    #[error("a stored password hash has a missing or superfluous part")]
    Parts,
    #[error("a stored password hash has a cost that is out of bounds")]
    Cost(#[source] CostRefused),
    #[error("a stored password hash cannot be used")]
    Foreign(#[source] ForeignHashRefused),
}
