use super::{Change, Command, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::{Generation, Liveness, OriginLikeness, SessionId},
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Records that a token before a session's current one was presented again: one event for each
/// rotation, however often and at however many replicas tokens are replayed until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordReplay {
    pub session: SessionId,
    pub user: UserId,
    /// The generation that the rotation issued.
    pub generation: Generation,
    /// How the origin of the replay compares to that of the rotation.
    pub origin: OriginLikeness,
}

impl Command for RecordReplay {
    fn reads(&self) -> Reads {
        Reads {
            session: Some(self.session),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let session = facts
            .session
            .filter(|session| session.user == self.user && session.lifetime.at(at) == Liveness::Live)
            .ok_or(Refusal::SessionEnded)?;
        if session.replay_recorded || session.generation != self.generation {
            return Err(Refusal::ReplayRecorded);
        }
        let event = AuditEvent::on(AuditAction::RefreshTokenReplayed, self.user)
            .in_session(self.session)
            .with("network", self.origin.network.as_str())
            .with("user_agent", self.origin.user_agent.as_str());
        Ok(Change::nothing(at)
            .recording_replay(self.session, self.generation)
            .recording(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        None
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
        session::{EndReason, Likeness},
    };

    fn replay() -> RecordReplay {
        RecordReplay {
            session: SESSION,
            user: USER,
            generation: Generation(5),
            origin: OriginLikeness {
                network: Likeness::Different,
                user_agent: Likeness::Same,
            },
        }
    }

    fn facts(change: impl FnOnce(&mut OwnedSession)) -> Facts {
        let mut session = OwnedSession::from(&stored_session());
        change(&mut session);
        Facts {
            session: Some(session),
            ..Facts::default()
        }
    }

    #[test]
    fn the_first_replay_of_a_rotation_is_recorded_and_changes_nothing_else() {
        let change = replay().decide(&facts(|_| {}), now());

        let details = [("network", "different"), ("user_agent", "same")];
        let expected = Effects {
            at: now(),
            user: UserChange::Nothing,
            end_sessions: None,
            open_session: None,
            record_replay: Some((SESSION, Generation(5))),
            reauthenticated: None,
            event: Some(event(AuditAction::RefreshTokenReplayed, Some(SESSION), &details)),
            invalidates: None,
        };
        assert_eq!(effects(&change.expect("the rules allow the change")), expected);
    }

    #[test]
    fn a_rotation_whose_replay_is_recorded_or_that_was_followed_by_another_is_refused() {
        for facts in [
            facts(|session| session.replay_recorded = true),
            facts(|session| session.generation = Generation(6)),
            facts(|session| session.generation = Generation(4)),
        ] {
            let refused = replay().decide(&facts, now());
            assert_eq!(refused, Err(Refusal::ReplayRecorded), "{facts:?}");
        }
    }

    #[test]
    fn a_session_that_is_not_the_users_or_not_live_is_refused() {
        for facts in [
            Facts::default(),
            facts(|session| session.user = CALLER),
            facts(|session| session.lifetime.ended = Some(EndReason::LoggedOut)),
            facts(|session| session.lifetime.expires_at = now()),
        ] {
            let refused = replay().decide(&facts, now());
            assert_eq!(refused, Err(Refusal::SessionEnded), "{facts:?}");
        }
    }

    #[test]
    fn only_the_session_is_read() {
        let expected = Reads {
            session: Some(SESSION),
            ..Reads::default()
        };
        assert_eq!(replay().reads(), expected);
    }
}
