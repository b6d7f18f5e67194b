use super::{Change, Command, EndSessionsOf, Facts, Reads, Refusal};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    password::PasswordHash,
    session::{EndReason, NewSession},
    token::TokenIdentity,
    user::User,
};
use chrono::{DateTime, Utc};

/// Replaces the caller's password with one of their own choice. Ends all of their sessions and
/// opens a new one.
#[derive(Clone, Debug)]
pub struct ChangePassword {
    /// The caller's token, validated again in the transaction.
    pub authorized_by: TokenIdentity,
    pub hash: PasswordHash,
    pub session: NewSession,
}

impl Command for ChangePassword {
    fn reads(&self) -> Reads {
        Reads {
            caller: Some(self.authorized_by),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        let caller = facts.user_caller(self.authorized_by, at)?;
        let user = User {
            epoch: caller.user().epoch.next(),
            must_change_password: false,
            one_time_password: None,
            ..caller.user().clone()
        };
        let event = AuditEvent::on(AuditAction::PasswordChanged, user.id).in_session(self.session.id);
        let all = EndSessionsOf::User(user.id);
        Ok(Change::update(at, user, Some(self.hash.clone()))
            .ending(all, EndReason::PasswordChanged)
            .opening(self.session.clone())
            .recording(event))
    }

    fn already_done(&self) -> Option<InvalidationScope> {
        Some(InvalidationScope::all_of(self.authorized_by.principal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        caller::SessionSnapshot,
        changes::{
            UserChange,
            fixtures::{
                CALLER, Effects, NEW_SESSION, all_sessions, effects, event, new_session, permissions,
            },
        },
        fixtures::{USER, caller, hash, now, snapshot_with, user, user_in},
        one_time_password::OneTimePassword,
        revision::Revision,
        user::{Epoch, UserStatus},
    };

    fn change_password() -> ChangePassword {
        ChangePassword {
            authorized_by: caller().identity(),
            hash: hash("$new"),
            session: new_session(),
        }
    }

    fn facts() -> Facts {
        Facts {
            caller: Some(snapshot_with(permissions(&[]))),
            ..Facts::default()
        }
    }

    #[test]
    fn a_new_password_ends_all_sessions_and_opens_one_at_the_next_epoch() {
        let mut facts = facts();
        let snapshot = facts.caller.as_mut().expect("the facts contain the caller");
        user_in(snapshot).must_change_password = true;
        user_in(snapshot).one_time_password = Some(OneTimePassword::until(now()));
        let change = change_password()
            .decide(&facts, now())
            .expect("the rules allow the change");

        let expected = Effects {
            at: now(),
            user: UserChange::Update {
                user: User {
                    epoch: Epoch(5),
                    must_change_password: false,
                    revision: Revision(8),
                    updated_at: now(),
                    ..user()
                },
                hash: Some(hash("$new")),
            },
            end_sessions: Some(all_sessions(EndReason::PasswordChanged)),
            open_session: Some(new_session()),
            record_replay: None,
            reauthenticated: None,
            event: Some(event(AuditAction::PasswordChanged, Some(NEW_SESSION), &[])),
            invalidates: Some(InvalidationScope::User(USER)),
        };
        assert_eq!(effects(&change), expected);
    }

    fn caller_of(facts: &mut Facts) -> &mut SessionSnapshot {
        facts.caller.as_mut().expect("the facts contain the caller")
    }

    type Spoil = fn(&mut Facts);

    #[test]
    fn a_caller_whose_session_is_no_longer_valid_is_refused() {
        let spoilers: [Spoil; 6] = [
            |facts| facts.caller = None,
            |facts| user_in(caller_of(facts)).epoch = Epoch(5),
            |facts| user_in(caller_of(facts)).status = UserStatus::Disabled,
            |facts| caller_of(facts).lifetime.ended = Some(EndReason::LoggedOut),
            |facts| caller_of(facts).lifetime.idle_expires_at = now(),
            |facts| user_in(caller_of(facts)).id = CALLER,
        ];
        for spoil in spoilers {
            let mut facts = facts();
            spoil(&mut facts);
            let refused = change_password().decide(&facts, now());
            assert_eq!(refused, Err(Denied::Stale.into()), "{facts:?}");
        }
    }

    #[test]
    fn only_the_caller_is_read() {
        let expected = Reads {
            caller: Some(caller().identity()),
            ..Reads::default()
        };
        assert_eq!(change_password().reads(), expected);
    }
}
