use super::{AccountState, Change, Command, EndSessionsOf, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::{EndReason, NewSession, SessionId},
    user::{Epoch, UserStatus},
};
use chrono::{DateTime, Utc};
use std::cmp::Reverse;

/// Opens a session for a user whose password was verified. If the user then has more live sessions
/// than allowed, the oldest ones end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSession {
    pub session: NewSession,
    /// The epoch at which the user was read.
    pub epoch: Epoch,
    /// The maximum number of live sessions of the user, including this one.
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

    /// Returns `None`: a refusal means that the user changed, and that change has invalidated the
    /// user.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

impl OpenSession {
    /// Returns the oldest of the existing sessions that exceed the limit. The new session is always
    /// kept, even if clock skew makes existing sessions appear newer.
    fn surplus(&self, facts: &Facts) -> Vec<SessionId> {
        let mut others = facts.live_sessions.clone();
        others.sort_by_key(|(id, created_at)| Reverse((*created_at, *id)));
        let kept = usize::try_from(self.max_sessions.saturating_sub(1)).unwrap_or(usize::MAX);
        others.into_iter().skip(kept).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::fixtures::{Effects, NEW_SESSION, effects, event, facts_about, new_session},
        fixtures::{EPOCH, USER, now, user},
    };
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn open(max_sessions: u32) -> OpenSession {
        OpenSession {
            session: new_session(),
            epoch: EPOCH,
            max_sessions,
        }
    }

    /// Facts with live sessions numbered from 1. `created` has the offset of each creation time
    /// from now, in seconds.
    fn facts(created: &[i64]) -> Facts {
        let live_sessions = (1..)
            .zip(created)
            .map(|(id, second)| (session(id), now() + Duration::seconds(*second)))
            .collect();
        Facts {
            live_sessions,
            ..facts_about(user())
        }
    }

    fn session(id: u128) -> SessionId {
        SessionId(Uuid::from_u128(id))
    }

    fn evicted(command: &OpenSession, facts: &Facts) -> Vec<SessionId> {
        let change = command.decide(facts, now()).expect("the rules allow the change");
        match change.end_sessions {
            Some((EndSessionsOf::Sessions(sessions), EndReason::MadeRoom)) => sessions,
            None => vec![],
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_session_is_opened_and_the_login_recorded() {
        let change = open(2)
            .decide(&facts(&[-5]), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::LoggedIn(USER),
            end_sessions: None,
            open_session: Some(new_session()),
            event: Some(event(AuditAction::LoggedIn, Some(NEW_SESSION), &[])),
            invalidates: None,
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn the_oldest_session_is_evicted_and_the_user_invalidated() {
        let change = open(2)
            .decide(&facts(&[-5, -9]), now())
            .expect("the rules allow the change");

        let made_room = (EndSessionsOf::Sessions(vec![session(2)]), EndReason::MadeRoom);
        let expected = Effects {
            at: now(),
            user: UserChange::LoggedIn(USER),
            end_sessions: Some(made_room),
            open_session: Some(new_session()),
            event: Some(event(AuditAction::LoggedIn, Some(NEW_SESSION), &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn the_oldest_sessions_beyond_the_limit_are_evicted() {
        for (max_sessions, created, expected) in [
            (4, &[-3, -2, -1][..], &[][..]),
            (3, &[-3, -2, -1], &[1]),
            (3, &[-1, -2, -3], &[3]),
            (2, &[-3, -1, -2], &[3, 1]),
            (1, &[-2, -1], &[2, 1]),
            // Of sessions with the same creation time, the one with the lower id counts as older.
            (2, &[-1, -1], &[1]),
            // Sessions created by a clock that is ahead do not displace the new session.
            (2, &[5, 9], &[1]),
            (1, &[5], &[1]),
            // The new session is opened even if the limit is 0.
            (0, &[-2, -1], &[2, 1]),
            (0, &[], &[]),
            (u32::MAX, &[-2, -1], &[]),
        ] {
            let expected: Vec<_> = expected.iter().copied().map(session).collect();
            let evicted = evicted(&open(max_sessions), &facts(created));
            assert_eq!(evicted, expected, "at most {max_sessions}: {created:?}");
        }
    }

    #[test]
    fn a_user_who_changed_since_they_were_read_gets_no_session() {
        let account = |status, epoch| Some(AccountState { status, epoch });
        for account in [
            None,
            account(UserStatus::Active, Epoch(EPOCH.0 + 1)),
            account(UserStatus::Active, Epoch(EPOCH.0 - 1)),
            account(UserStatus::Disabled, EPOCH),
        ] {
            let facts = Facts {
                account,
                ..facts(&[])
            };
            let refused = open(2).decide(&facts, now());
            assert_eq!(refused, Err(Refusal::UserChanged), "{account:?}");
        }
    }

    #[test]
    fn the_account_and_its_live_sessions_are_read() {
        let expected = Reads {
            account: Some(USER),
            live_sessions: true,
            ..Reads::default()
        };
        assert_eq!(open(2).reads(), expected);
    }

    proptest! {
        /// Draws from few times, so that several sessions have the same time, including the time of
        /// the login.
        #[test]
        fn the_new_session_is_never_evicted_despite_clock_skew(
            created in prop::collection::vec(-3i64..=3, 0..8),
            max_sessions in 0u32..6,
        ) {
            let facts = facts(&created);
            let evicted = evicted(&open(max_sessions), &facts);

            prop_assert!(!evicted.contains(&NEW_SESSION));
            let kept: Vec<_> = facts
                .live_sessions
                .iter()
                .filter(|(id, _)| !evicted.contains(id))
                .collect();
            prop_assert_eq!(kept.len() + evicted.len(), created.len(), "each evicted session was live and is listed once");
            let limit = usize::try_from(max_sessions).expect("the limit fits in a usize").max(1);
            prop_assert_eq!(kept.len() + 1, limit.min(created.len() + 1), "no more sessions are evicted than necessary");
            for (id, created_at) in facts.live_sessions.iter().filter(|(id, _)| evicted.contains(id)) {
                prop_assert!(kept.iter().all(|(kept, at)| (at, kept) > (created_at, id)), "the oldest sessions are evicted");
            }
        }
    }
}
