use super::{Account, Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    session::EndReason,
    user::{User, UserStatus},
};
use chrono::{DateTime, Utc};

/// Enables or disables a user. Disabling invalidates all of their tokens; enabling restores none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetStatus {
    pub account: Account,
    pub status: UserStatus,
}

impl Command for SetStatus {
    fn reads(&self) -> Reads {
        Reads {
            may_remove_admin: self.status == UserStatus::Disabled,
            ..self.account.reads()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let before = self.account.admit(facts, at)?;
        if before.status == self.status {
            return Ok(Change::unchanged(at, before));
        }
        let user = User {
            status: self.status,
            ..before.clone()
        };
        match self.status {
            UserStatus::Active => {
                let event = AuditEvent::on(AuditAction::UserEnabled, before.id);
                Ok(Change::update(at, user, None).recording(event))
            }
            UserStatus::Disabled => {
                let disabled = User {
                    epoch: before.epoch.next(),
                    ..user
                };
                facts.keep_an_admin(before, Some(&disabled))?;
                let event = AuditEvent::on(AuditAction::UserDisabled, before.id);
                Ok(Change::update(at, disabled, None)
                    .ending(EndSessionsOf::User(before.id), EndReason::UserDisabled)
                    .recording(event))
            }
        }
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::User(self.account.user))
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
        fixtures::{USER, caller, now, snapshot_with, user},
        revision::Revision,
        role::Permission,
        user::Epoch,
    };

    fn set(status: UserStatus) -> SetStatus {
        SetStatus {
            account: Account {
                user: USER,
                if_revision: None,
                authorized_by: Some(token()),
            },
            status,
        }
    }

    fn disabled(user: User) -> User {
        User {
            status: UserStatus::Disabled,
            ..user
        }
    }

    fn refusal(command: &SetStatus, facts: &Facts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn disabling_raises_the_epoch_and_ends_all_sessions() {
        let change = set(UserStatus::Disabled)
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Update {
                user: User {
                    status: UserStatus::Disabled,
                    epoch: Epoch(5),
                    revision: Revision(8),
                    updated_at: now(),
                    ..user()
                },
                hash: None,
            },
            end_sessions: Some(all_sessions(EndReason::UserDisabled)),
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::UserDisabled, None, &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn enabling_keeps_the_epoch_and_ends_no_session() {
        let change = set(UserStatus::Active)
            .decide(&facts_about(disabled(user())), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Update {
                user: User {
                    revision: Revision(8),
                    updated_at: now(),
                    ..user()
                },
                hash: None,
            },
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::UserEnabled, None, &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    /// Another request has set the status, and may still be waiting for replicas. The last active
    /// admin remains an admin.
    #[test]
    fn an_unchanged_status_is_not_written_but_invalidated() {
        for (status, before) in [
            (UserStatus::Active, admin()),
            (UserStatus::Disabled, disabled(admin())),
        ] {
            let change = set(status)
                .decide(&facts_about(before.clone()), now())
                .expect("the rules allow the change");

            let expected = Effects {
                at: now(),
                user: UserChange::Unchanged(before),
                end_sessions: None,
                open_session: None,
                record_replay: None,
                reauthenticated: None,
                event: None,
                invalidates: Some(InvalidationScope::User(USER)),
            };
            assert_eq!(effects(&change), expected);
        }
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        let facts = Facts {
            other_admin_exists: true,
            ..facts_about(admin())
        };
        assert_refused_in_order(
            &set(UserStatus::Disabled),
            &facts,
            refusal,
            &[
                (|_, facts| facts.target = None, Refusal::UserNotFound),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["users:read"]))),
                    Denied::Forbidden(Permission::USERS_WRITE).into(),
                ),
                (
                    |command, _| command.account.if_revision = Some(Revision(8)),
                    Refusal::RevisionMismatch,
                ),
                (|_, facts| facts.other_admin_exists = false, Refusal::LastAdmin),
            ],
        );
    }

    #[test]
    fn an_unchanged_status_is_refused_like_a_new_one() {
        let mut command = set(UserStatus::Active);
        let outranked = Facts {
            caller: Some(snapshot(permissions(&["users:write"]))),
            ..facts_about(admin())
        };
        assert_eq!(refusal(&command, &outranked), Some(Denied::OutOfReach.into()));
        command.account.if_revision = Some(Revision(6));
        let refused = refusal(&command, &facts_about(user()));
        assert_eq!(refused, Some(Refusal::RevisionMismatch));
        command.account.if_revision = Some(Revision(7));
        assert_eq!(refusal(&command, &facts_about(user())), None);
    }

    #[test]
    fn only_the_last_active_admin_cannot_be_disabled() {
        for (before, other_admin_exists, refused) in [
            (admin(), false, true),
            (admin(), true, false),
            (disabled(admin()), false, false),
            (user(), false, false),
        ] {
            let facts = Facts {
                other_admin_exists,
                ..facts_about(before)
            };
            let expected = refused.then_some(Refusal::LastAdmin);
            assert_eq!(refusal(&set(UserStatus::Disabled), &facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn users_may_disable_themselves_and_the_operator_anyone() {
        let by = |authorized_by| SetStatus {
            account: Account {
                authorized_by,
                ..set(UserStatus::Disabled).account
            },
            ..set(UserStatus::Disabled)
        };
        let own = Facts {
            caller: Some(snapshot_with(permissions(&[]))),
            ..facts_about(user())
        };
        assert_eq!(refusal(&by(Some(caller().identity())), &own), None);
        let no_session = Facts {
            caller: None,
            other_admin_exists: true,
            ..facts_about(admin())
        };
        assert_eq!(refusal(&by(None), &no_session), None);
    }

    #[test]
    fn whether_another_admin_exists_is_read_only_to_disable() {
        for (status, may_remove_admin) in [(UserStatus::Active, false), (UserStatus::Disabled, true)] {
            let expected = Reads {
                account: Some(USER),
                target: true,
                may_remove_admin,
                caller: Some(token()),
                ..Reads::default()
            };
            assert_eq!(set(status).reads(), expected);
        }
    }
}
