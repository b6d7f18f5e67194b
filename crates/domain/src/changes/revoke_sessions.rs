use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    token::TokenIdentity,
    user::UserId,
};
use chrono::{DateTime, Utc};

/// Ends all live sessions of a user, on the authority of an administrator. The revocation is
/// recorded even if no session was live, because the places that the account knew are forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokeSessions {
    pub user: UserId,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl Command for RevokeSessions {
    fn reads(&self) -> Reads {
        Reads::target(self.user, self.authorized_by)
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let target = facts.target()?;
        facts.authority(self.authorized_by, at)?.revoke(target)?;
        let event = AuditEvent::on(AuditAction::AllSessionsEnded, self.user).with("forced", true);
        Ok(Change::nothing(at)
            .ending(EndSessionsOf::User(self.user), EndReason::SessionsRevoked)
            .invalidating(InvalidationScope::User(self.user))
            .recording_count(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::{
            UserChange,
            fixtures::{
                Effects, admin, all_sessions, assert_refused_in_order, effects, event, facts_about,
                permissions, snapshot, token,
            },
        },
        fixtures::{USER, now, user},
        role::Permission,
    };

    fn revoke() -> RevokeSessions {
        RevokeSessions {
            user: USER,
            authorized_by: Some(token()),
        }
    }

    fn refusal(command: &RevokeSessions, facts: &Facts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn revoking_ends_all_sessions_and_records_their_number_and_the_reason() {
        let change = revoke()
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let details = [("count", "3"), ("forced", "true")];
        let expected = Effects {
            at: now(),
            user: UserChange::Nothing,
            end_sessions: Some(all_sessions(EndReason::SessionsRevoked)),
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::AllSessionsEnded, None, &details)),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn revoking_is_recorded_even_if_no_session_was_live() {
        let change = revoke()
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let details = [("count", "0"), ("forced", "true")];
        let expected = event(AuditAction::AllSessionsEnded, None, &details);
        assert_eq!(change.event(0), Some(expected));
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        assert_refused_in_order(
            &revoke(),
            &facts_about(admin()),
            refusal,
            &[
                (|_, facts| facts.target = None, Refusal::UserNotFound),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["users:write"]))),
                    Denied::Forbidden(Permission::SESSIONS_REVOKE).into(),
                ),
            ],
        );
    }

    #[test]
    fn the_sessions_of_a_more_privileged_user_are_not_revoked() {
        let facts = Facts {
            caller: Some(snapshot(permissions(&["sessions:revoke"]))),
            ..facts_about(admin())
        };
        assert_eq!(refusal(&revoke(), &facts), Some(Denied::OutOfReach.into()));
    }

    #[test]
    fn the_user_is_read_as_the_target_of_the_caller() {
        let expected = Reads {
            account: Some(USER),
            target: true,
            caller: Some(token()),
            ..Reads::default()
        };
        assert_eq!(revoke().reads(), expected);
    }
}
