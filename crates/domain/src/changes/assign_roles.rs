use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal, account::require_revision};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    revision::Revision,
    role::{RoleName, RoleNames, joined},
    session::EndReason,
    token::TokenIdentity,
    user::{User, UserId},
};
use chrono::{DateTime, Utc};

/// Replaces a user's roles and invalidates all of their access tokens. Changes nothing if the user
/// has the roles and keeps their sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssignRoles {
    pub user: UserId,
    pub roles: RoleNames,
    /// Keep the user's sessions: their next refresh carries the new roles.
    pub keep_sessions: bool,
    /// Change the user only at this revision.
    pub if_revision: Option<Revision>,
    /// The caller's token, validated again in the transaction; `None` for the operator.
    pub authorized_by: Option<TokenIdentity>,
}

impl Command for AssignRoles {
    fn reads(&self) -> Reads {
        Reads {
            roles: self.roles.clone(),
            may_remove_admin: !self.roles.contains(&RoleName::ADMIN),
            ..Reads::target(self.user, self.authorized_by)
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let target = facts.target()?;
        let authority = facts.authority(self.authorized_by, at)?;
        facts.require_known(&self.roles)?;
        authority.assign(target, &self.roles, &facts.roles)?;
        let before = &target.user;
        require_revision(self.if_revision, before.revision)?;
        if self.keep_sessions && before.roles == self.roles {
            return Ok(Change::unchanged(at, before));
        }
        let after = User {
            roles: self.roles.clone(),
            epoch: before.epoch.next(),
            ..before.clone()
        };
        facts.keep_an_admin(before, Some(&after))?;
        let event = AuditEvent::on(AuditAction::RolesChanged, self.user)
            .with("before", joined(&before.roles))
            .with("after", joined(&after.roles));
        let change = Change::update(at, after, None);
        Ok(if self.keep_sessions {
            change.recording(event.with("kept_sessions", true))
        } else {
            let all = EndSessionsOf::User(self.user);
            change.ending(all, EndReason::RolesChanged).recording(event)
        })
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
        fixtures::{USER, caller, now, roles, snapshot_with, user},
        user::{Epoch, UserStatus},
    };

    fn assign(names: &[&str]) -> AssignRoles {
        AssignRoles {
            user: USER,
            roles: roles(names),
            keep_sessions: false,
            if_revision: None,
            authorized_by: Some(token()),
        }
    }

    fn refusal(command: &AssignRoles, facts: &Facts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn assigning_roles_replaces_them_and_raises_the_epoch_and_ends_all_sessions() {
        let change = assign(&["editor", "admin"])
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Update {
                user: User {
                    roles: roles(&["admin", "editor"]),
                    epoch: Epoch(5),
                    revision: Revision(8),
                    updated_at: now(),
                    ..user()
                },
                hash: None,
            },
            end_sessions: Some(all_sessions(EndReason::RolesChanged)),
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(
                AuditAction::RolesChanged,
                None,
                &[("before", "user"), ("after", "admin editor")],
            )),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn sessions_are_kept_on_request_and_the_event_records_it() {
        let command = AssignRoles {
            keep_sessions: true,
            ..assign(&[])
        };
        let change = command
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let all = effects(
            &assign(&[])
                .decide(&facts_about(user()), now())
                .expect("the rules allow the change"),
        );
        let details = [("before", "user"), ("after", ""), ("kept_sessions", "true")];
        let expected = Effects {
            end_sessions: None,
            event: Some(event(AuditAction::RolesChanged, None, &details)),
            ..all
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn roles_that_the_user_has_are_written_only_if_their_sessions_end() {
        for (names, keep_sessions, is_written) in [
            (&["user"][..], true, false),
            (&["user"], false, true),
            (&["editor", "user"], true, true),
            (&[], true, true),
        ] {
            let command = AssignRoles {
                keep_sessions,
                ..assign(names)
            };
            let change = command
                .decide(&facts_about(user()), now())
                .expect("the rules allow the change");
            assert_eq!(change.event(0).is_some(), is_written, "{names:?} {keep_sessions}");
            // Another request may have assigned the roles, and still be waiting for replicas.
            assert_eq!(change.invalidates, Some(InvalidationScope::User(USER)));
            if !is_written {
                assert_eq!(change.user, UserChange::Unchanged(user()));
                assert_eq!(change.end_sessions, None);
            }
        }
    }

    #[test]
    fn assigning_unchanged_roles_without_keeping_sessions_raises_the_epoch_too() {
        let change = assign(&["user"])
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let UserChange::Update { user: after, .. } = &change.user else {
            panic!("expected an update: {change:?}")
        };
        assert_eq!((after.epoch, after.revision), (Epoch(5), Revision(8)));
        assert_eq!(change.end_sessions, Some(all_sessions(EndReason::RolesChanged)));
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        let facts = Facts {
            other_admin_exists: true,
            ..facts_about(admin())
        };
        let wizard = || RoleName::parse("wizard").expect("the role name is valid");
        assert_refused_in_order(
            &assign(&["user"]),
            &facts,
            refusal,
            &[
                (|_, facts| facts.target = None, Refusal::UserNotFound),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |command, _| command.roles.extend(roles(&["wizard"])),
                    Refusal::UnknownRole(wizard()),
                ),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["roles:assign"]))),
                    Denied::OutOfReach.into(),
                ),
                (
                    |command, _| command.if_revision = Some(Revision(6)),
                    Refusal::RevisionMismatch,
                ),
                (|_, facts| facts.other_admin_exists = false, Refusal::LastAdmin),
            ],
        );
    }

    #[test]
    fn the_revision_of_the_request_is_compared_with_the_users() {
        for (requested, refused) in [(6, true), (7, false), (8, true)] {
            let command = AssignRoles {
                if_revision: Some(Revision(requested)),
                ..assign(&[])
            };
            let expected = refused.then_some(Refusal::RevisionMismatch);
            assert_eq!(refusal(&command, &facts_about(user())), expected, "{requested}");
        }
    }

    #[test]
    fn only_the_last_active_admin_cannot_lose_the_role() {
        let disabled = || User {
            status: UserStatus::Disabled,
            ..admin()
        };
        for (before, names, other_admin_exists, refused) in [
            (admin(), &["user"][..], false, true),
            (admin(), &[], false, true),
            (admin(), &["user"], true, false),
            (admin(), &["admin"], false, false),
            (disabled(), &["user"], false, false),
            (user(), &[], false, false),
        ] {
            let facts = Facts {
                other_admin_exists,
                ..facts_about(before)
            };
            let expected = refused.then_some(Refusal::LastAdmin);
            assert_eq!(
                refusal(&assign(names), &facts),
                expected,
                "{facts:?} -> {names:?}"
            );
        }
    }

    #[test]
    fn users_change_their_own_roles_only_as_far_as_the_roles_are_self_assignable() {
        let own = |names: &[&str]| AssignRoles {
            authorized_by: Some(caller().identity()),
            ..assign(names)
        };
        let facts = Facts {
            caller: Some(snapshot_with(permissions(&[]))),
            ..facts_about(user())
        };
        assert_eq!(refusal(&own(&[]), &facts), None);
        assert_eq!(refusal(&own(&["user"]), &facts), None);
        let denied = Denied::NotAssignable(RoleName::ADMIN).into();
        assert_eq!(refusal(&own(&["admin", "user"]), &facts), Some(denied));
    }

    #[test]
    fn the_operator_needs_no_session() {
        let command = AssignRoles {
            authorized_by: None,
            ..assign(&["admin"])
        };
        let facts = Facts {
            caller: None,
            ..facts_about(user())
        };
        assert_eq!(refusal(&command, &facts), None);
    }

    #[test]
    fn whether_another_admin_exists_is_read_unless_the_new_roles_contain_admin() {
        for (names, may_remove_admin) in [(&["user"][..], true), (&[], true), (&["admin", "user"], false)] {
            let expected = Reads {
                account: Some(USER),
                target: true,
                may_remove_admin,
                caller: Some(token()),
                roles: roles(names),
                ..Reads::default()
            };
            assert_eq!(assign(names).reads(), expected);
        }
    }
}
