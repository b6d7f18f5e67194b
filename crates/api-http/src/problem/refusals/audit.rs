//! Refusals of requests to read or follow the audit log, or for its checkpoint.

use super::log;
use crate::{
    page::cursor,
    problem::{Code, Problem},
};
use actix_web::http::StatusCode;
use domain::{
    audit::BrokenRow,
    use_cases::{FollowAuditError, ReadAuditError, ShowCheckpointError},
};

impl From<ReadAuditError> for Problem {
    fn from(error: ReadAuditError) -> Self {
        match error {
            ReadAuditError::Unreadable(broken) => {
                unreadable(broken, &format!("cursor={}", cursor(&broken.0.to_string())))
            }
            ReadAuditError::Port(error) => error.into(),
        }
    }
}

impl From<FollowAuditError> for Problem {
    fn from(error: FollowAuditError) -> Self {
        match error {
            FollowAuditError::EventsRemoved { oldest, .. } => Self::new(
                StatusCode::GONE,
                Code::AuditEventsRemoved,
                "Audit events removed",
                format!(
                    "The next events are no longer in the audit log. To continue without them, use after={}.",
                    oldest.0.saturating_sub(1)
                ),
            ),
            FollowAuditError::LogEndsBefore { newest, .. } => Self::new(
                StatusCode::CONFLICT,
                Code::AuditLogEndsBefore,
                "Audit log ends before",
                format!("The last event has number {newest}. The log is not the one that you have read."),
            ),
            FollowAuditError::Unreadable(broken) => unreadable(broken, &format!("after={}", broken.0)),
            FollowAuditError::Port(error) => error.into(),
        }
    }
}

/// Reports an event that cannot be read, and the query parameter with which to continue after it.
fn unreadable(broken: BrokenRow, parameter: &str) -> Problem {
    // The operator should learn of it, too: it may be a sign of tampering.
    tracing::error!("{broken}");
    Problem::new(
        StatusCode::CONFLICT,
        Code::AuditEventUnreadable,
        "Audit event unreadable",
        format!(
            "Event {} cannot be read. To continue after it, use {parameter}.",
            broken.0
        ),
    )
}

impl From<ShowCheckpointError> for Problem {
    fn from(error: ShowCheckpointError) -> Self {
        match error {
            ShowCheckpointError::Failed(error) => {
                log(&error);
                Self::of_failed_port(&error)
            }
            // The call that found it has logged it. Callers without an account cannot fill the log.
            ShowCheckpointError::FailedBefore(error) => Self::of_failed_port(&error),
            ShowCheckpointError::Busy => Self::overloaded(),
        }
    }
}
