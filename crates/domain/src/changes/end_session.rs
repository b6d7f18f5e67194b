use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::{EndReason, Liveness, SessionId},
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Ends one live session of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSession {
    pub session: SessionId,
    pub user: UserId,
    pub reason: EndReason,
}

impl Command for EndSession {
    fn reads(&self) -> Reads {
        Reads {
            session: Some(self.session),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        facts
            .session
            .filter(|session| session.user == self.user && session.lifetime.at(at) == Liveness::Live)
            .ok_or(Refusal::SessionEnded)?;
        let event = AuditEvent::on(self.action(), self.user).in_session(self.session);
        Ok(Change::nothing(at)
            .ending(EndSessionsOf::Sessions(vec![self.session]), self.reason)
            .invalidating(InvalidationScope::Session(self.session))
            .recording(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Session(self.session))
    }
}

impl EndSession {
    fn action(&self) -> AuditAction {
        match self.reason {
            EndReason::RefreshTokenReused => AuditAction::RefreshTokenReused,
            EndReason::LoggedOut
            | EndReason::RolesChanged
            | EndReason::PasswordChanged
            | EndReason::PasswordReset
            | EndReason::UserDisabled
            | EndReason::SessionsRevoked
            | EndReason::MadeRoom => AuditAction::SessionEnded,
        }
    }
}
