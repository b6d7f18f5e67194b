//! Refusals of requests to follow the audit log, or for its checkpoint.

use super::log;
use crate::problem::{Code, Problem};
use actix_web::http::StatusCode;
use domain::use_cases::{FollowAuditError, ShowCheckpointError};

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
            FollowAuditError::Unreadable { number } => {
                // The operator should learn of it, too: it is a sign of tampering.
                tracing::error!("{error}");
                Self::new(
                    StatusCode::CONFLICT,
                    Code::AuditEventUnreadable,
                    "Audit event unreadable",
                    format!("Event {number} cannot be read. To continue after it, use after={number}."),
                )
            }
            FollowAuditError::Port(error) => error.into(),
        }
    }
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
