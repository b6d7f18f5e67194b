use super::Refusal;
use crate::{
    audit::{AuditAction, AuditEvent},
    login::CanonicalLogin,
    role::{RoleNames, joined},
    user::{Credentials, ImportedUser, User},
};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

/// Stores users from another system, all in one transaction. A refused user does not prevent the
/// import of the others.
///
/// This is not a [`Command`](super::Command), because storage adapters store thousands of users
/// with a few statements.
#[derive(Clone, Debug)]
pub struct ImportUsers(pub Vec<ImportedUser>);

/// The data that an import reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportFacts {
    /// Those of [`ImportUsers::logins`] that existing users have.
    pub taken: BTreeSet<CanonicalLogin>,
    /// Those of [`ImportUsers::roles`] that the catalogue contains.
    pub known_roles: RoleNames,
}

impl ImportUsers {
    /// Returns the logins to look up.
    pub fn logins(&self) -> impl Iterator<Item = &CanonicalLogin> {
        self.0.iter().map(|user| user.login.canonical())
    }

    /// Returns the roles to look up, and to lock against removal.
    #[must_use]
    pub fn roles(&self) -> RoleNames {
        self.0.iter().flat_map(|user| &user.roles).cloned().collect()
    }

    /// Decides for each user, in their order, whether to store them. Of several users with one
    /// login, the first is stored.
    #[must_use]
    pub fn decide(&self, facts: ImportFacts, at: DateTime<Utc>) -> Vec<Result<Credentials, Refusal>> {
        let ImportFacts {
            mut taken,
            known_roles,
        } = facts;
        let decide_one = |user: &ImportedUser| {
            if taken.contains(user.login.canonical()) {
                return Err(Refusal::LoginTaken);
            }
            if let Some(unknown) = user.roles.difference(&known_roles).next() {
                return Err(Refusal::UnknownRole(unknown.clone()));
            }
            taken.insert(user.login.canonical().clone());
            Ok(user.imported_at(at))
        };
        self.0.iter().map(decide_one).collect()
    }

    /// Returns the event to record for an imported user.
    #[must_use]
    pub fn event(user: &User) -> AuditEvent {
        AuditEvent::on(AuditAction::UserImported, user.id).with("roles", joined(&user.roles))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::fixtures::event,
        fixtures::{USER, hash, now, roles, user},
        login::Login,
        one_time_password::OneTimePassword,
        revision::Revision,
        role::RoleName,
        user::{Epoch, UserId, UserStatus},
    };
    use chrono::Duration;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn imported(id: u128, login: &str, names: &[&str]) -> ImportedUser {
        ImportedUser {
            id: UserId(Uuid::from_u128(id)),
            login: Login::parse(login).expect("the login is valid"),
            hash: hash("$kept"),
            roles: roles(names),
            status: UserStatus::Active,
            one_time_password: None,
            created_at: now() - Duration::days(9),
        }
    }

    fn facts(taken: &[&str]) -> ImportFacts {
        ImportFacts {
            taken: taken
                .iter()
                .map(|login| {
                    Login::parse(login)
                        .expect("the login is valid")
                        .canonical()
                        .clone()
                })
                .collect(),
            known_roles: roles(&["editor", "user"]),
        }
    }

    #[test]
    fn an_imported_user_keeps_hash_status_and_registration() {
        let disabled = ImportedUser {
            status: UserStatus::Disabled,
            ..imported(1, "Alice", &["user"])
        };
        let decided = ImportUsers(vec![disabled]).decide(facts(&[]), now());

        let stored = User {
            id: USER,
            login: Login::parse("Alice").expect("the login is valid"),
            roles: roles(&["user"]),
            status: UserStatus::Disabled,
            epoch: Epoch::FIRST,
            must_change_password: false,
            one_time_password: None,
            revision: Revision::FIRST,
            created_at: now() - Duration::days(9),
            updated_at: now(),
            last_login_at: None,
        };
        let expected = Credentials {
            user: stored,
            hash: hash("$kept"),
        };
        assert_eq!(decided, [Ok(expected)]);
    }

    #[test]
    fn an_imported_one_time_password_must_be_changed() {
        let one_time = ImportedUser {
            one_time_password: Some(OneTimePassword::until(now())),
            ..imported(1, "Alice", &["user"])
        };
        let decided = ImportUsers(vec![one_time]).decide(facts(&[]), now());
        let [Ok(Credentials { user, .. })] = &decided[..] else {
            panic!("expected one user")
        };
        assert!(user.must_change_password && !user.may_log_in(now()));
    }

    #[test]
    fn results_are_in_the_order_of_the_users() {
        let import = ImportUsers(vec![
            imported(1, "alice", &["user"]),
            imported(2, "Bob", &["user"]),
            imported(3, "carol", &["wizard", "user"]),
            // A taken login is reported before an unknown role.
            imported(4, "BOB", &["wizard"]),
            imported(5, "ALICE", &["editor"]),
            // The login of a user who was refused is still free.
            imported(6, "Carol", &[]),
        ]);

        let decided = import.decide(facts(&["bob"]), now());

        let ids: Vec<_> = decided
            .into_iter()
            .map(|user| user.map(|stored| stored.user.id.0.as_u128()))
            .collect();
        let wizard = RoleName::parse("wizard").expect("the role name is valid");
        let expected = [
            Ok(1),
            Err(Refusal::LoginTaken),
            Err(Refusal::UnknownRole(wizard)),
            Err(Refusal::LoginTaken),
            Err(Refusal::LoginTaken),
            Ok(6),
        ];
        assert_eq!(ids, expected);
    }

    #[test]
    fn all_logins_and_roles_are_read() {
        let import = ImportUsers(vec![
            imported(1, "Alice", &["user"]),
            imported(2, "bob", &["wizard", "user"]),
        ]);
        let logins: Vec<_> = import.logins().map(CanonicalLogin::as_str).collect();
        assert_eq!(logins, ["alice", "bob"]);
        assert_eq!(import.roles(), roles(&["user", "wizard"]));
    }

    #[test]
    fn the_event_of_an_imported_user_records_the_roles() {
        let imported = User {
            roles: roles(&["user", "editor"]),
            ..user()
        };
        let expected = event(AuditAction::UserImported, None, &[("roles", "editor user")]);
        assert_eq!(ImportUsers::event(&imported), expected);
    }

    proptest! {
        /// Each user has one of a few logins, and perhaps an unknown role.
        #[test]
        fn of_equal_logins_the_first_acceptable_user_is_stored(
            users in prop::collection::vec((0usize..4, any::<bool>()), 0..10),
            taken in prop::collection::vec(any::<bool>(), 4),
        ) {
            let logins = ["alice", "bob", "carol", "dave"];
            let import: Vec<_> = (0..)
                .zip(&users)
                .map(|(id, (login, known))| imported(id, logins[*login], if *known { &["user"] } else { &["wizard"] }))
                .collect();
            let taken: Vec<_> = logins.iter().zip(taken).filter_map(|(login, taken)| taken.then_some(*login)).collect();

            let decided = ImportUsers(import).decide(facts(&taken), now());

            prop_assert_eq!(decided.len(), users.len());
            for (index, (decided, (login, known))) in decided.iter().zip(&users).enumerate() {
                let is_taken = taken.contains(&logins[*login])
                    || users[..index].iter().any(|(other, known)| other == login && *known);
                match decided {
                    Ok(stored) => {
                        prop_assert!(!is_taken && *known);
                        prop_assert_eq!(stored.user.id.0.as_u128(), index as u128);
                    }
                    Err(Refusal::LoginTaken) => prop_assert!(is_taken),
                    Err(Refusal::UnknownRole(_)) => prop_assert!(!is_taken && !known),
                    Err(other) => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }
}
