use super::{announce, outdated};
use crate::{
    audit::AuditContext,
    invalidation::InvalidationScope,
    ports::{Ended, Opened, PortError, Revocations, RevokeSessions, Rotated, Sessions, SessionsRevoked},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, UserId},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Sessions, whose ends are announced.
pub struct InvalidatingSessions {
    sessions: Arc<dyn Sessions>,
    revocations: Arc<dyn Revocations>,
}

impl InvalidatingSessions {
    #[must_use]
    pub fn new(sessions: Arc<dyn Sessions>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            sessions,
            revocations,
        }
    }

    async fn announce(&self, subject: Option<InvalidationScope>) {
        announce(&*self.revocations, subject).await;
    }
}

#[async_trait]
impl Sessions for InvalidatingSessions {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        context: AuditContext,
    ) -> Result<Opened, PortError> {
        let user = session.user;
        let opened = self.sessions.open(session, epoch, max, context).await?;
        let subject = match opened {
            Opened::MadeRoom => Some(InvalidationScope::User(user)),
            Opened::Now | Opened::Stale => None,
        };
        self.announce(subject).await;
        Ok(opened)
    }

    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
        self.sessions.find(id).await
    }

    /// Announces nothing: a session that lives longer is no reason to forget it.
    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.sessions.rotate(rotation).await
    }

    async fn end(
        &self,
        id: SessionId,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<Ended, PortError> {
        let ended = self.sessions.end(id, user, reason, context).await?;
        let subject = match ended {
            Ended::Now | Ended::Before => Some(InvalidationScope::Session(id)),
        };
        self.announce(subject).await;
        Ok(ended)
    }

    async fn end_all(
        &self,
        user: UserId,
        reason: EndReason,
        context: AuditContext,
    ) -> Result<u64, PortError> {
        let ended = self.sessions.end_all(user, reason, context).await?;
        self.announce(Some(InvalidationScope::User(user))).await;
        Ok(ended)
    }

    async fn revoke_sessions(
        &self,
        force: RevokeSessions,
        context: AuditContext,
    ) -> Result<SessionsRevoked, PortError> {
        let (user, caller) = (force.user, force.authorized_by);
        let forced = self.sessions.revoke_sessions(force, context).await?;
        let subject = match &forced {
            SessionsRevoked::Now(_) | SessionsRevoked::NoSuchUser => Some(InvalidationScope::User(user)),
            SessionsRevoked::Denied(denied) => outdated(denied, caller),
        };
        self.announce(subject).await;
        Ok(forced)
    }

    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.sessions.list(user, now).await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.sessions.remove_dead(before, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        invalidating::fixtures::{CALLER, announced, context, every_change, identity},
        ports::MockSessions,
        session::{Generation, SecretDigest, SessionRules},
        use_cases::fixtures::{EPOCH, SESSION, USER, now, origin, stored_session},
    };

    const TOLD: Option<InvalidationScope> = Some(InvalidationScope::User(USER));

    #[tokio::test]
    async fn a_login_is_announced_only_when_it_made_room() {
        for (answer, told) in [
            (Ok(Opened::Now), None),
            (Ok(Opened::MadeRoom), TOLD),
            (Ok(Opened::Stale), None),
            (Err(PortError::Overloaded), None),
        ] {
            let name = format!("{answer:?}");
            let heard = announced(async |commit, revocations| {
                let mut sessions = MockSessions::new();
                sessions.expect_open().return_once(move |_, _, _, _| {
                    commit();
                    answer
                });
                let (digest, rules) = (SecretDigest([1; 32]), SessionRules::default());
                let session = NewSession::opened_at(now(), SESSION, USER, digest, &rules, &origin());
                let sessions = InvalidatingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.open(session, EPOCH, 9, context()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_announced_whoever_ended_it() {
        let told = Some(InvalidationScope::Session(SESSION));
        for (answer, told) in [
            (Ok(Ended::Now), told),
            (Ok(Ended::Before), told),
            (Err(PortError::Overloaded), None),
        ] {
            let name = format!("{answer:?}");
            let heard = announced(async |commit, revocations| {
                let mut sessions = MockSessions::new();
                sessions.expect_end().return_once(move |_, _, _, _| {
                    commit();
                    answer
                });
                let sessions = InvalidatingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.end(SESSION, USER, EndReason::LoggedOut, context()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn the_end_of_all_is_announced_though_none_was_left() {
        for (answer, told) in [(Ok(3), TOLD), (Ok(0), TOLD), (Err(PortError::Overloaded), None)] {
            let name = format!("{answer:?}");
            let heard = announced(async |commit, revocations| {
                let mut sessions = MockSessions::new();
                sessions.expect_end_all().return_once(move |_, _, _| {
                    commit();
                    answer
                });
                let sessions = InvalidatingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.end_all(USER, EndReason::LoggedOut, context()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn who_is_forced_out_is_announced() {
        for (answer, told) in [
            (Ok(SessionsRevoked::Now(2)), TOLD),
            (Ok(SessionsRevoked::Now(0)), TOLD),
            (Ok(SessionsRevoked::NoSuchUser), TOLD),
            (
                Ok(SessionsRevoked::Denied(Denied::Stale)),
                Some(InvalidationScope::User(CALLER)),
            ),
            (Ok(SessionsRevoked::Denied(Denied::OutOfReach)), None),
            (Err(PortError::Overloaded), None),
        ] {
            let name = format!("{answer:?}");
            let heard = announced(async |commit, revocations| {
                let mut sessions = MockSessions::new();
                sessions.expect_revoke_sessions().return_once(move |_, _| {
                    commit();
                    answer
                });
                let sessions = InvalidatingSessions::new(Arc::new(sessions), revocations);
                let force = RevokeSessions {
                    user: USER,
                    authorized_by: Some(identity()),
                };
                let _ = sessions.revoke_sessions(force, context()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn a_refresh_announces_nothing() {
        let heard = announced(async |commit, revocations| {
            let mut sessions = MockSessions::new();
            sessions.expect_rotate().return_once(move |_| {
                commit();
                Ok(Rotated::Now(stored_session()))
            });
            let sessions = InvalidatingSessions::new(Arc::new(sessions), revocations);
            let rotation = Rotation {
                session: SESSION,
                secret_digest: SecretDigest([1; 32]),
                from: Generation(5),
                to: Generation(6),
                at: now(),
                idle_until: now(),
            };
            let _ = sessions.rotate(rotation).await;
        });
        assert_eq!(heard.await, None);
    }

    /// `rotate` and `remove_dead` take no stamp: neither ends anything.
    #[test]
    fn every_method_that_changes_something_is_thought_of() {
        assert_eq!(
            every_change(include_str!("../ports/sessions.rs")),
            ["open", "end", "end_all", "force_out"]
        );
    }
}
