use crate::{
    reconnector::Fault,
    remedy::{remedy, remedy_of_connecting},
};
use deadpool_redis::{
    PoolError,
    redis::{ErrorKind, RedisError, ServerErrorKind},
};
use domain::ports::PortError;
use std::sync::Arc;
use thiserror::Error;

/// Why Redis did not respond. The message names the remedy if an operator must correct something.
#[derive(Clone, Debug, Error)]
pub enum RedisUnavailable {
    #[error("there is no connection to Redis{}", remedy_of_connecting(.0))]
    NotConnected(#[source] Arc<PoolError>),
    #[error("Redis did not respond in time")]
    TooSlow,
    /// The request had less time left than a command usually takes, so this does not show that
    /// Redis is unavailable.
    #[error("the request has no time left to wait for Redis")]
    NoTimeLeft,
    #[error("Redis rejected the command{}", remedy(.0))]
    Refused(#[source] RedisError),
}

impl RedisUnavailable {
    /// Returns the fault of the connection that this error shows, if it shows one.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::TooSlow => Some(Fault::Slow),
            Self::Refused(error) if error.is_timeout() => Some(Fault::Slow),
            Self::Refused(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                Some(Fault::Lost)
            }
            // A demoted primary stays connected and rejects all writes.
            Self::Refused(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                Some(Fault::Lost)
            }
            Self::NotConnected(_) | Self::NoTimeLeft | Self::Refused(_) => None,
        }
    }
}

impl From<RedisUnavailable> for PortError {
    fn from(error: RedisUnavailable) -> Self {
        match error {
            RedisUnavailable::NoTimeLeft => Self::Overloaded,
            error => Self::Unavailable(Box::new(error)),
        }
    }
}
