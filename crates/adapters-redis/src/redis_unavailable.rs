use crate::reconnector::Fault;
use deadpool_redis::{
    PoolError,
    redis::{ErrorKind, RedisError, ServerErrorKind},
};
use domain::ports::PortError;
use std::sync::Arc;
use thiserror::Error;

/// Why Redis gave no answer.
#[derive(Debug, Error)]
pub enum RedisUnavailable {
    #[error("there is no connection to Redis")]
    NotConnected(#[source] Arc<PoolError>),
    #[error("Redis did not answer in time")]
    TooSlow,
    /// It had less time than usual, so this says nothing about it.
    #[error("no time was left to wait for Redis")]
    NoTimeLeft,
    #[error("Redis did not do what it was asked for")]
    Refused(#[source] RedisError),
}

impl RedisUnavailable {
    /// What this says about the connection, if anything.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::TooSlow => Some(Fault::Slow),
            Self::Refused(error) if error.is_timeout() => Some(Fault::Slow),
            Self::Refused(error) if error.is_io_error() || error.is_unrecoverable_error() => {
                Some(Fault::Lost)
            }
            // A primary that became a replica stays connected and will never do.
            Self::Refused(error) if error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly) => {
                Some(Fault::Lost)
            }
            Self::NotConnected(_) | Self::NoTimeLeft | Self::Refused(_) => None,
        }
    }
}

impl From<RedisUnavailable> for PortError {
    fn from(away: RedisUnavailable) -> Self {
        match away {
            RedisUnavailable::NoTimeLeft => Self::Overloaded,
            away => Self::Unavailable(Box::new(away)),
        }
    }
}
