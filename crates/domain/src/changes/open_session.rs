use super::{
    AccountState, Change, Command, DirectChange, DirectWrite, EndSessionsOf, Facts, KnownAccount, Reads,
    Refusal, UserChange,
};
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
    /// The account as it was read with the epoch, for a [direct change](DirectChange); `None` if
    /// only the epoch is known.
    pub known: Option<KnownAccount>,
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
        let account = facts.account.filter(|account| self.is_unchanged(*account));
        let account = account.ok_or(Refusal::UserChanged)?;
        let user = self.session.user;
        let event = AuditEvent::on(AuditAction::LoggedIn, user).in_session(self.session.id);
        let (user_change, event) = match account.one_time_password {
            None => (UserChange::LoggedIn(user), event),
            Some(password) if password.is_usable_at(at) => (
                UserChange::LoggedInOnce(user),
                event.with("with", "one_time_password"),
            ),
            Some(_) => return Err(Refusal::UserChanged),
        };
        let change = Change::new(at, user_change)
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

    /// Returns the change for an account that is as it was read and has room for the session. A
    /// one-time password is left to the general way, because its use has to be stored as well.
    fn direct(&self, at: DateTime<Utc>) -> Option<DirectChange> {
        let known = self.known?;
        let facts = Facts {
            account: Some(known.state),
            ..Facts::default()
        };
        let change = self.decide(&facts, at).ok()?;
        let is_plain = change.user == UserChange::LoggedIn(self.session.user);
        is_plain.then(|| DirectChange {
            write: DirectWrite::OpenSession {
                session: self.session.clone(),
                revision: known.revision,
                max_sessions: self.max_sessions,
            },
            change,
        })
    }

    /// Returns `None`: a refusal means that the user changed, and that change has invalidated the
    /// user.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

impl OpenSession {
    fn is_unchanged(&self, account: AccountState) -> bool {
        account.status == UserStatus::Active && account.epoch == self.epoch
    }

    /// Returns the existing sessions that exceed the limit, those opened first. The new session is
    /// always kept.
    fn surplus(&self, facts: &Facts) -> Vec<SessionId> {
        let mut newest_first = facts.live_sessions.clone();
        newest_first.sort_unstable_by_key(|session| Reverse(*session));
        let kept = usize::try_from(self.max_sessions.saturating_sub(1)).unwrap_or(usize::MAX);
        let surplus = newest_first.into_iter().skip(kept);
        surplus.map(|session| session.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{
            LiveSession,
            fixtures::{Effects, NEW_SESSION, effects, event, facts_about, new_session},
        },
        fixtures::{EPOCH, USER, now, user},
        one_time_password::OneTimePassword,
        user::User,
    };
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn open(max_sessions: u32) -> OpenSession {
        OpenSession {
            session: new_session(),
            epoch: EPOCH,
            known: Some((&user()).into()),
            max_sessions,
        }
    }

    /// Facts with live sessions whose ids count from 1. Each has this number, and was created at
    /// this offset from now in seconds.
    fn facts(numbers: &[(i64, i64)]) -> Facts {
        let live_sessions = (1..)
            .zip(numbers)
            .map(|(id, (number, second))| LiveSession {
                number: *number,
                created_at: now() + Duration::seconds(*second),
                id: session(id),
            })
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
            .decide(&facts(&[(1, -5)]), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::LoggedIn(USER),
            end_sessions: None,
            open_session: Some(new_session()),
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::LoggedIn, Some(NEW_SESSION), &[])),
            invalidates: None,
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn the_oldest_session_is_evicted_and_the_user_invalidated() {
        let change = open(2)
            .decide(&facts(&[(2, -5), (1, -9)]), now())
            .expect("the rules allow the change");

        let made_room = (EndSessionsOf::Sessions(vec![session(2)]), EndReason::MadeRoom);
        let expected = Effects {
            at: now(),
            user: UserChange::LoggedIn(USER),
            end_sessions: Some(made_room),
            open_session: Some(new_session()),
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::LoggedIn, Some(NEW_SESSION), &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn the_sessions_that_were_opened_first_are_evicted() {
        for (max_sessions, numbers, expected) in [
            (4, &[(1, -3), (2, -2), (3, -1)][..], &[][..]),
            (3, &[(1, -3), (2, -2), (3, -1)], &[1]),
            (3, &[(3, -1), (2, -2), (1, -3)], &[3]),
            (2, &[(1, -3), (3, -1), (2, -2)], &[3, 1]),
            (1, &[(1, -2), (2, -1)], &[2, 1]),
            // Clocks that disagree: only the numbers count.
            (2, &[(1, 86_400), (2, -5)], &[1]),
            (3, &[(7, -9), (5, 0), (6, 9)], &[2]),
            (1, &[(1, 5)], &[1]),
            // Sessions without numbers are older than others, and ordered by their creation times.
            (3, &[(1, -8), (0, -1), (0, -3)], &[3]),
            (2, &[(0, 9), (0, -1)], &[2]),
            // Of sessions created at the same time, the one with the lower id counts as older.
            (2, &[(0, -1), (0, -1)], &[1]),
            // The new session is opened even if the limit is 0.
            (0, &[(1, -2), (2, -1)], &[2, 1]),
            (0, &[], &[]),
            (u32::MAX, &[(1, -2), (2, -1)], &[]),
        ] {
            let expected: Vec<_> = expected.iter().copied().map(session).collect();
            let evicted = evicted(&open(max_sessions), &facts(numbers));
            assert_eq!(evicted, expected, "at most {max_sessions}: {numbers:?}");
        }
    }

    #[test]
    fn a_user_who_changed_since_they_were_read_gets_no_session() {
        let account = |status, epoch| {
            Some(AccountState {
                status,
                epoch,
                one_time_password: None,
            })
        };
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

    /// Facts about [`user`], whose password is limited by `password`.
    fn facts_with(password: OneTimePassword) -> Facts {
        facts_about(User {
            must_change_password: true,
            one_time_password: Some(password),
            ..user()
        })
    }

    #[test]
    fn a_one_time_password_is_stored_as_used_by_the_change_that_opens_the_session() {
        let password = OneTimePassword::until(now() + Duration::seconds(1));
        let change = open(2)
            .decide(&facts_with(password), now())
            .expect("the rules allow the change");

        let with = &[("with", "one_time_password")];
        let expected = Effects {
            at: now(),
            user: UserChange::LoggedInOnce(USER),
            end_sessions: None,
            open_session: Some(new_session()),
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::LoggedIn, Some(NEW_SESSION), with)),
            invalidates: None,
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn a_used_or_expired_one_time_password_opens_no_session() {
        let expired = OneTimePassword::until(now());
        let used = OneTimePassword {
            expires_at: now() + Duration::days(1),
            used_at: Some(now() - Duration::seconds(1)),
        };
        for password in [expired, used] {
            let refused = open(2).decide(&facts_with(password), now());
            assert_eq!(refused, Err(Refusal::UserChanged), "{password:?}");
        }
    }

    #[test]
    fn the_direct_change_is_the_one_decided_for_an_account_as_it_was_read() {
        for max_sessions in [1, 2, u32::MAX] {
            let command = open(max_sessions);
            let direct = command.direct(now()).expect("one statement can make the change");

            let decided = command.decide(&facts(&[]), now());
            assert_eq!(Ok(&direct.change), decided.as_ref());
            let expected = DirectWrite::OpenSession {
                session: new_session(),
                revision: user().revision,
                max_sessions,
            };
            assert_eq!(direct.write, expected);
            assert_eq!(direct.applied().sessions_ended, 0);
        }
    }

    #[test]
    fn what_one_statement_cannot_decide_is_left_to_the_facts() {
        let opening = |user: &User| OpenSession {
            known: Some(user.into()),
            ..open(2)
        };
        let once = OneTimePassword::until(now() + Duration::seconds(1));
        let with_one_time_password = User {
            one_time_password: Some(once),
            ..user()
        };
        let disabled = User {
            status: UserStatus::Disabled,
            ..user()
        };
        let of_another_epoch = User {
            epoch: Epoch(EPOCH.0 + 1),
            ..user()
        };
        for user in [with_one_time_password, disabled, of_another_epoch] {
            assert_eq!(opening(&user).direct(now()), None, "{user:?}");
        }
        let unknown = OpenSession {
            known: None,
            ..open(2)
        };
        assert_eq!(unknown.direct(now()), None);
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
        /// Draws from few numbers and times, so that several sessions share one.
        #[test]
        fn the_new_session_is_never_evicted_despite_clock_skew(
            numbers in prop::collection::vec((0i64..5, -3i64..=3), 0..8),
            max_sessions in 0u32..6,
        ) {
            let facts = facts(&numbers);
            let evicted = evicted(&open(max_sessions), &facts);

            prop_assert!(!evicted.contains(&NEW_SESSION));
            let (gone, kept): (Vec<LiveSession>, Vec<LiveSession>) =
                facts.live_sessions.iter().partition(|session| evicted.contains(&session.id));
            prop_assert_eq!(kept.len() + evicted.len(), numbers.len(), "each evicted session was live and is listed once");
            let limit = usize::try_from(max_sessions).expect("the limit fits in a usize").max(1);
            prop_assert_eq!(kept.len() + 1, limit.min(numbers.len() + 1), "no more sessions are evicted than necessary");
            let oldest_kept = kept.iter().min();
            prop_assert!(gone.iter().all(|gone| oldest_kept.is_none_or(|kept| gone < kept)), "the oldest sessions are evicted");
        }
    }
}
