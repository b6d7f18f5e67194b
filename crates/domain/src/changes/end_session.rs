use super::{Change, Command, DirectChange, DirectWrite, EndSessionsOf, Facts, Reads, Refusal};
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
        Ok(self.change(at))
    }

    fn direct(&self, at: DateTime<Utc>) -> Option<DirectChange> {
        Some(DirectChange {
            write: DirectWrite::EndSession {
                session: self.session,
                user: self.user,
                reason: self.reason,
            },
            change: self.change(at),
        })
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::Session(self.session))
    }
}

impl EndSession {
    /// Returns the change for a session that is live and the user's.
    fn change(&self, at: DateTime<Utc>) -> Change {
        let event = AuditEvent::on(self.action(), self.user).in_session(self.session);
        Change::nothing(at)
            .ending(EndSessionsOf::Sessions(vec![self.session]), self.reason)
            .invalidating(InvalidationScope::Session(self.session))
            .recording(event)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{
            OwnedSession, UserChange,
            fixtures::{CALLER, Effects, effects, event},
        },
        fixtures::{SESSION, USER, now, stored_session},
        session::Lifetime,
    };
    use chrono::Duration;

    fn end(reason: EndReason) -> EndSession {
        EndSession {
            session: SESSION,
            user: USER,
            reason,
        }
    }

    fn facts(user: UserId, lifetime: Lifetime) -> Facts {
        Facts {
            session: Some(OwnedSession {
                user,
                lifetime,
                ..OwnedSession::from(&stored_session())
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn a_live_session_ends_alone() {
        for (reason, action) in [
            (EndReason::LoggedOut, AuditAction::SessionEnded),
            (EndReason::RefreshTokenReused, AuditAction::RefreshTokenReused),
        ] {
            let change = end(reason)
                .decide(&facts(USER, stored_session().lifetime), now())
                .expect("the rules allow the change");

            let expected = Effects {
                at: now(),
                user: UserChange::Nothing,
                end_sessions: Some((EndSessionsOf::Sessions(vec![SESSION]), reason)),
                open_session: None,
                record_replay: None,
                reauthenticated: None,
                event: Some(event(action, Some(SESSION), &[])),
                invalidates: Some(InvalidationScope::Session(SESSION)),
            };
            assert_eq!(effects(&change), expected);
        }
    }

    #[test]
    fn the_direct_change_is_the_one_decided_for_a_live_session() {
        for reason in [EndReason::LoggedOut, EndReason::RefreshTokenReused] {
            let command = end(reason);
            let direct = command.direct(now()).expect("one statement can make the change");

            let decided = command.decide(&facts(USER, stored_session().lifetime), now());
            assert_eq!(Ok(&direct.change), decided.as_ref());
            let expected = DirectWrite::EndSession {
                session: SESSION,
                user: USER,
                reason,
            };
            assert_eq!(direct.write, expected);
            assert_eq!(direct.applied().sessions_ended, 1);
            assert_eq!(direct.event(), direct.change.event(1));
        }
    }

    #[test]
    fn a_session_that_is_not_the_users_or_not_live_is_refused() {
        let live = stored_session().lifetime;
        let ended = Lifetime {
            ended: Some(EndReason::MadeRoom),
            ..live
        };
        let idle = Lifetime {
            idle_expires_at: now(),
            ..live
        };
        let expired = Lifetime {
            expires_at: now(),
            ..live
        };
        for facts in [
            Facts::default(),
            facts(CALLER, live),
            facts(USER, ended),
            facts(USER, idle),
            facts(USER, expired),
        ] {
            let refused = end(EndReason::LoggedOut).decide(&facts, now());
            assert_eq!(refused, Err(Refusal::SessionEnded), "{facts:?}");
        }
    }

    #[test]
    fn a_session_is_live_until_the_instant_of_its_expiry() {
        let facts = facts(USER, stored_session().lifetime);
        let expiry = stored_session().lifetime.idle_expires_at;
        for (at, refused) in [(expiry - Duration::microseconds(1), false), (expiry, true)] {
            assert_eq!(end(EndReason::LoggedOut).decide(&facts, at).is_err(), refused);
        }
    }

    #[test]
    fn only_the_session_is_read() {
        let expected = Reads {
            session: Some(SESSION),
            ..Reads::default()
        };
        assert_eq!(end(EndReason::LoggedOut).reads(), expected);
    }
}
