use super::{AccountState, Change, Command, EndSessionsOf, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::{EndReason, NewSession, SessionId},
    user::{Epoch, UserStatus},
};
use chrono::{DateTime, Utc};
use std::cmp::Reverse;

/// Opens a session for a user whose password was verified. The oldest sessions beyond the limit make room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    pub session: NewSession,
    /// The epoch at which the user was read.
    pub epoch: Epoch,
    /// The most live sessions of the user, this one among them.
    pub max_sessions: u32,
}

impl Command for OpenSession {
    fn reads(&self) -> Reads {
        Reads {
            account: Some(self.session.user),
            live_sessions: true,
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let unchanged = AccountState {
            status: UserStatus::Active,
            epoch: self.epoch,
        };
        if facts.account != Some(unchanged) {
            return Err(Refusal::UserChanged);
        }
        let user = self.session.user;
        let event = AuditEvent::on(AuditAction::LoggedIn, user).in_session(self.session.id);
        let change = Change::new(at, UserChange::LoggedIn(user))
            .opening(self.session.clone())
            .recording(event);
        let surplus = self.surplus(facts);
        Ok(if surplus.is_empty() {
            change
        } else {
            change
                .ending(EndSessionsOf::Sessions(surplus), EndReason::MadeRoom)
                .invalidating(InvalidationScope::User(user))
        })
    }

    /// A user who changed has been invalidated by the change.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

impl OpenSession {
    /// The oldest of the other sessions, as far as they exceed the limit. Never the one that is opened, however the clocks
    /// that created the others were set.
    fn surplus(&self, facts: &Facts) -> Vec<SessionId> {
        let mut others = facts.live_sessions.clone();
        others.sort_by_key(|(id, created_at)| Reverse((*created_at, *id)));
        let kept = usize::try_from(self.max_sessions.saturating_sub(1)).unwrap_or(usize::MAX);
        others.into_iter().skip(kept).map(|(id, _)| id).collect()
    }
}
