use super::{Account, Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    one_time_password::OneTimePassword,
    password::PasswordHash,
    session::EndReason,
    user::User,
};
use chrono::{DateTime, Utc};

/// Replaces a user's password with a one-time password, which they must change after they have
/// logged in with it. Ends all of their sessions.
#[derive(Clone, Debug)]
pub struct ResetPassword {
    pub account: Account,
    pub hash: PasswordHash,
    pub to: ResetTo,
    /// The time from which the password opens no session.
    pub expires_at: DateTime<Utc>,
}

/// The kind of a one-time password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetTo {
    /// A code that the service generated.
    Code,
    /// A password that the requester chose.
    ChosenPassword,
}

impl ResetTo {
    /// Returns the name under which audit events record the kind.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::ChosenPassword => "chosen_password",
        }
    }
}

impl Command for ResetPassword {
    fn reads(&self) -> Reads {
        self.account.reads()
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let before = self.account.admit(facts, at)?;
        let user = User {
            epoch: before.epoch.next(),
            must_change_password: true,
            one_time_password: Some(OneTimePassword::until(self.expires_at)),
            ..before.clone()
        };
        let event = AuditEvent::on(AuditAction::PasswordReset, user.id).with("to", self.to.as_str());
        let all = EndSessionsOf::User(user.id);
        Ok(Change::update(at, user, Some(self.hash.clone()))
            .ending(all, EndReason::PasswordReset)
            .recording(event))
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
        fixtures::{USER, hash, now, user},
        revision::Revision,
        user::{Epoch, UserStatus},
    };
    use chrono::Duration;

    fn reset() -> ResetPassword {
        ResetPassword {
            account: Account {
                user: USER,
                if_revision: None,
                authorized_by: Some(token()),
            },
            hash: hash("$new"),
            to: ResetTo::Code,
            expires_at: now() + Duration::hours(24),
        }
    }

    fn refusal(command: &ResetPassword, facts: &Facts) -> Option<Refusal> {
        command.decide(facts, now()).err()
    }

    #[test]
    fn a_reset_password_expires_and_must_be_changed_and_ends_all_sessions() {
        let change = reset()
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Update {
                user: User {
                    epoch: Epoch(5),
                    must_change_password: true,
                    one_time_password: Some(OneTimePassword::until(now() + Duration::hours(24))),
                    revision: Revision(8),
                    updated_at: now(),
                    ..user()
                },
                hash: Some(hash("$new")),
            },
            end_sessions: Some(all_sessions(EndReason::PasswordReset)),
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::PasswordReset, None, &[("to", "code")])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn a_new_code_replaces_a_used_one() {
        let before = User {
            must_change_password: true,
            one_time_password: Some(OneTimePassword {
                expires_at: now(),
                used_at: Some(now()),
            }),
            ..user()
        };
        let change = reset()
            .decide(&facts_about(before), now())
            .expect("the rules allow the change");
        let UserChange::Update { user, .. } = change.user else {
            panic!("expected an update")
        };
        let unused = OneTimePassword::until(now() + Duration::hours(24));
        assert_eq!(user.one_time_password, Some(unused));
    }

    #[test]
    fn a_chosen_password_is_recorded_as_such() {
        let chosen = ResetPassword {
            to: ResetTo::ChosenPassword,
            ..reset()
        };
        let change = chosen
            .decide(&facts_about(user()), now())
            .expect("the rules allow the change");
        let details = &[("to", "chosen_password")];
        assert_eq!(
            effects(&change).event,
            Some(event(AuditAction::PasswordReset, None, details))
        );
    }

    #[test]
    fn the_last_admin_and_disabled_users_may_get_another_password() {
        let disabled = User {
            status: UserStatus::Disabled,
            ..user()
        };
        for before in [admin(), disabled] {
            assert_eq!(refusal(&reset(), &facts_about(before)), None);
        }
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        assert_refused_in_order(
            &reset(),
            &facts_about(admin()),
            refusal,
            &[
                (|_, facts| facts.target = None, Refusal::UserNotFound),
                (|_, facts| facts.caller = None, Denied::Stale.into()),
                (
                    |_, facts| facts.caller = Some(snapshot(permissions(&["users:write"]))),
                    Denied::OutOfReach.into(),
                ),
                (
                    |command, _| command.account.if_revision = Some(Revision(6)),
                    Refusal::RevisionMismatch,
                ),
            ],
        );
    }

    #[test]
    fn the_user_is_read_as_the_target_of_the_caller() {
        let expected = Reads {
            account: Some(USER),
            target: true,
            caller: Some(token()),
            ..Reads::default()
        };
        assert_eq!(reset().reads(), expected);
    }
}
