use super::{Change, Command, Facts, Reads, Refusal, UserChange};
use crate::{
    audit::{AuditAction, AuditEvent},
    invalidation::InvalidationScope,
    role::joined,
    user::{Credentials, NewUser},
};
use chrono::{DateTime, Utc};

/// Stores a new user.
#[derive(Clone, Debug)]
pub struct RegisterUser(pub NewUser);

impl Command for RegisterUser {
    fn reads(&self) -> Reads {
        Reads {
            login: Some(self.0.login.canonical().clone()),
            roles: self.0.roles.clone(),
            ..Reads::default()
        }
    }

    fn decide(&self, facts: &Facts, at: DateTime<Utc>) -> Result<Change, Refusal> {
        if facts.login_taken {
            return Err(Refusal::LoginTaken);
        }
        facts.require_known(&self.0.roles)?;
        let user = self.0.registered_at(at);
        let event = AuditEvent::on(AuditAction::UserRegistered, user.id).with("roles", joined(&user.roles));
        let hash = self.0.hash.clone();
        Ok(Change::new(at, UserChange::Insert(Credentials { user, hash })).recording(event))
    }

    /// Returns `None`: no snapshot contains a user that was never stored.
    fn already_done(&self) -> Option<InvalidationScope> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::fixtures::{Effects, assert_refused_in_order, effects, event, facts_about},
        fixtures::{USER, hash, now, roles, user},
        login::Login,
        revision::Revision,
        role::RoleName,
        user::{Epoch, User, UserStatus},
    };

    fn register(names: &[&str]) -> RegisterUser {
        RegisterUser(NewUser {
            id: USER,
            login: Login::parse("Alice").expect("the login is valid"),
            hash: hash("$made"),
            roles: roles(names),
        })
    }

    /// Facts in which the login is free and the catalogue has `admin`, `editor` and `user`.
    fn facts() -> Facts {
        Facts {
            roles: facts_about(user()).roles,
            ..Facts::default()
        }
    }

    #[test]
    fn a_new_user_is_active_at_the_first_epoch_and_revision() {
        let change = register(&["user", "editor"])
            .decide(&facts(), now())
            .expect("the rules allow the change");

        let stored = User {
            id: USER,
            login: Login::parse("Alice").expect("the login is valid"),
            roles: roles(&["editor", "user"]),
            status: UserStatus::Active,
            epoch: Epoch::FIRST,
            must_change_password: false,
            one_time_password: None,
            revision: Revision::FIRST,
            created_at: now(),
            updated_at: now(),
            last_login_at: None,
        };
        let expected = Effects {
            at: now(),
            user: UserChange::Insert(Credentials {
                user: stored,
                hash: hash("$made"),
            }),
            end_sessions: None,
            open_session: None,
            record_replay: None,
            reauthenticated: None,
            event: Some(event(
                AuditAction::UserRegistered,
                None,
                &[("roles", "editor user")],
            )),
            invalidates: None,
        };
        assert_eq!(effects(&change), expected);
    }

    #[test]
    fn refusals_are_reported_in_a_fixed_order() {
        let wizard = RoleName::parse("wizard").expect("the role name is valid");
        assert_refused_in_order(
            &register(&["user"]),
            &facts(),
            |command, facts| command.decide(facts, now()).err(),
            &[
                (|_, facts| facts.login_taken = true, Refusal::LoginTaken),
                (
                    |command, _| command.0.roles.extend(roles(&["wizard"])),
                    Refusal::UnknownRole(wizard),
                ),
            ],
        );
    }

    #[test]
    fn the_canonical_login_and_the_roles_are_read() {
        let expected = Reads {
            login: Some(user().login.canonical().clone()),
            roles: roles(&["user"]),
            ..Reads::default()
        };
        assert_eq!(register(&["user"]).reads(), expected);
    }
}
