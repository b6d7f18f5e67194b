use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Ends all live sessions of a user, at the user's own request. If the user does not exist, no
/// session ends. If none ended, because a concurrent request has ended them, nothing is recorded
/// and nothing changes: the places that the account knew are not forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndSessions {
    pub user: UserId,
    pub reason: EndReason,
}

impl Command for EndSessions {
    fn reads(&self) -> Reads {
        Reads {
            account: Some(self.user),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let change = Change::nothing(at).invalidating(InvalidationScope::User(self.user));
        if facts.account.is_none() {
            return Ok(change);
        }
        Ok(change
            .ending(EndSessionsOf::User(self.user), self.reason)
            .recording_count_if_any(AuditEvent::on(AuditAction::AllSessionsEnded, self.user)))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{
            UserChange,
            fixtures::{Effects, all_sessions, effects, event, facts_about},
        },
        fixtures::{USER, now, user},
    };

    fn end() -> EndSessions {
        EndSessions {
            user: USER,
            reason: EndReason::LoggedOut,
        }
    }

    #[test]
    fn all_sessions_end_and_their_number_is_recorded_unless_none_was_live() {
        let change = end()
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Nothing,
            end_sessions: Some(all_sessions(EndReason::LoggedOut)),
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::AllSessionsEnded, None, &[("count", "3")])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
        assert_eq!(change.event(0), None);
        let revoked = EndSessions {
            reason: EndReason::SessionsRevoked,
            ..end()
        };
        let change = revoked
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");
        assert_eq!(change.forgets_places_of(3), Some(USER));
        assert_eq!(change.forgets_places_of(0), None);
    }

    /// Another request removed the user, and replicas may not have acknowledged that yet.
    #[test]
    fn a_missing_user_is_invalidated_and_nothing_is_written() {
        let change = end()
            .decide(&Facts::default(), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Nothing,
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: None,
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn only_the_account_state_is_read() {
        let expected = Reads {
            account: Some(USER),
            ..Reads::default()
        };
        assert_eq!(end().reads(), expected);
    }
}
