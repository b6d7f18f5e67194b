use super::{Account, Change, Command, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
};
use chrono::{DateTime, Utc};

/// Removes a user permanently, with their roles and sessions. The audit log keeps the events about
/// the user, and the login becomes free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeleteUser(pub Account);

impl Command for DeleteUser {
    fn reads(&self) -> Reads {
        Reads {
            may_remove_admin: true,
            ..self.0.reads()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let user = self.0.admit(facts, at)?;
        facts.keep_an_admin(user, None)?;
        Ok(Change::new(at, UserChange::Delete(user.clone()))
            .invalidating(InvalidationScope::User(user.id))
            .recording(AuditEvent::on(AuditAction::UserDeleted, user.id)))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.0.user))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::fixtures::{
            Effects, admin, assert_refused_in_order, effects, event, facts_about, permissions, snapshot,
            token,
        },
        fixtures::{USER, now, user},
        revision::Revision,
        user::{User, UserStatus},
    };

    fn delete() -> DeleteUser {
        DeleteUser(Account {
            user: USER,
            if_revision: None,
            authorized_by: Some(token()),
        })
    }

    fn refusal(command: &DeleteUser, facts: &Facts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn deleting_removes_the_user_as_they_were() {
        let change = delete()
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Delete(user()),
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::UserDeleted, None, &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        let facts = Facts {
            other_admin_exists: true,
            ..facts_about(admin())
        };
        assert_refused_in_order(
            &delete(),
            &facts,
            refusal,
            &[
                (|_, facts| facts.target = None, Refusal::UserNotFound),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["users:write"]))),
                    Denied::OutOfReach.into(),
                ),
                (
                    |command, _| command.0.if_revision = Some(Revision(6)),
                    Refusal::RevisionMismatch,
                ),
                (|_, facts| facts.other_admin_exists = false, Refusal::LastAdmin),
            ],
        );
    }

    #[test]
    fn only_the_last_active_admin_cannot_be_deleted() {
        let disabled = User {
            status: UserStatus::Disabled,
            ..admin()
        };
        for (before, other_admin_exists, refused) in [
            (admin(), false, true),
            (admin(), true, false),
            (disabled, false, false),
            (user(), false, false),
        ] {
            let facts = Facts {
                other_admin_exists,
                ..facts_about(before)
            };
            let expected = refused.then_some(Refusal::LastAdmin);
            assert_eq!(refusal(&delete(), &facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn whether_another_admin_exists_is_always_read() {
        let expected = Reads {
            account: Some(USER),
            target: true,
            may_remove_admin: true,
            caller: Some(token()),
            ..Reads::default()
        };
        assert_eq!(delete().reads(), expected);
    }
}
