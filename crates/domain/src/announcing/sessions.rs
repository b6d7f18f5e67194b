use super::{announce, outdated};
use crate::{
    audit::Stamp,
    leases::Subject,
    ports::{Ended, ForceOut, ForcedOut, Opened, PortError, Revocations, Rotated, Sessions},
    session::{EndReason, NewSession, Rotation, SessionId, SessionSummary, StoredSession},
    user::{Epoch, UserId},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Sessions, whose ends are announced.
pub struct AnnouncingSessions {
    sessions: Arc<dyn Sessions>,
    revocations: Arc<dyn Revocations>,
}

impl AnnouncingSessions {
    #[must_use]
    pub fn new(sessions: Arc<dyn Sessions>, revocations: Arc<dyn Revocations>) -> Self {
        Self {
            sessions,
            revocations,
        }
    }

    async fn announce(&self, subject: Option<Subject>) {
        announce(&*self.revocations, subject).await;
    }
}

#[async_trait]
impl Sessions for AnnouncingSessions {
    async fn open(
        &self,
        session: NewSession,
        epoch: Epoch,
        max: u32,
        stamp: Stamp,
    ) -> Result<Opened, PortError> {
        let user = session.user;
        let opened = self.sessions.open(session, epoch, max, stamp).await?;
        let subject = match opened {
            Opened::MadeRoom => Some(Subject::User(user)),
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
        stamp: Stamp,
    ) -> Result<Ended, PortError> {
        let ended = self.sessions.end(id, user, reason, stamp).await?;
        let subject = match ended {
            Ended::Now | Ended::Before => Some(Subject::Session(id)),
        };
        self.announce(subject).await;
        Ok(ended)
    }

    async fn end_all(&self, user: UserId, reason: EndReason, stamp: Stamp) -> Result<u64, PortError> {
        let ended = self.sessions.end_all(user, reason, stamp).await?;
        self.announce(Some(Subject::User(user))).await;
        Ok(ended)
    }

    async fn force_out(&self, force: ForceOut, stamp: Stamp) -> Result<ForcedOut, PortError> {
        let (user, caller) = (force.user, force.only_while);
        let forced = self.sessions.force_out(force, stamp).await?;
        let subject = match &forced {
            ForcedOut::Now(_) | ForcedOut::NoSuchUser => Some(Subject::User(user)),
            ForcedOut::Denied(denied) => outdated(denied, caller),
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
        announcing::fixtures::{CALLER, announced, every_change, stamp, vouched},
        authority::Denied,
        ports::MockSessions,
        session::{Generation, SecretDigest, SessionRules},
        use_cases::fixtures::{EPOCH, SESSION, USER, now, origin, stored_session},
    };

    const TOLD: Option<Subject> = Some(Subject::User(USER));

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
                let sessions = AnnouncingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.open(session, EPOCH, 9, stamp()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_session_is_announced_whoever_ended_it() {
        let told = Some(Subject::Session(SESSION));
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
                let sessions = AnnouncingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.end(SESSION, USER, EndReason::LoggedOut, stamp()).await;
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
                let sessions = AnnouncingSessions::new(Arc::new(sessions), revocations);
                let _ = sessions.end_all(USER, EndReason::LoggedOut, stamp()).await;
            });
            assert_eq!(heard.await, told, "{name}");
        }
    }

    #[tokio::test]
    async fn who_is_forced_out_is_announced() {
        for (answer, told) in [
            (Ok(ForcedOut::Now(2)), TOLD),
            (Ok(ForcedOut::Now(0)), TOLD),
            (Ok(ForcedOut::NoSuchUser), TOLD),
            (Ok(ForcedOut::Denied(Denied::Stale)), Some(Subject::User(CALLER))),
            (Ok(ForcedOut::Denied(Denied::OutOfReach)), None),
            (Err(PortError::Overloaded), None),
        ] {
            let name = format!("{answer:?}");
            let heard = announced(async |commit, revocations| {
                let mut sessions = MockSessions::new();
                sessions.expect_force_out().return_once(move |_, _| {
                    commit();
                    answer
                });
                let sessions = AnnouncingSessions::new(Arc::new(sessions), revocations);
                let force = ForceOut {
                    user: USER,
                    only_while: Some(vouched()),
                };
                let _ = sessions.force_out(force, stamp()).await;
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
            let sessions = AnnouncingSessions::new(Arc::new(sessions), revocations);
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
