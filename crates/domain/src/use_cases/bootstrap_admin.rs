use super::{CreateUser, CreateUserError, NewUserRequest};
use crate::{
    audit::{Actor, Origin},
    changes::{ChangeError, Refusal},
    password::Password,
    ports::{PortError, UserDirectory},
    role::{RoleName, RoleNames},
    user::User,
};
use std::sync::Arc;
use thiserror::Error;

/// Creates the first admin when the service starts without one. There is no default account.
pub struct BootstrapAdmin {
    pub(crate) users: Arc<dyn UserDirectory>,
    pub(crate) create_user: Arc<CreateUser>,
}

/// The result of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    Created(User),
    /// An admin already exists; the settings were ignored.
    NotNeeded,
}

/// Why the first admin was not created.
#[derive(Debug, Error)]
pub enum BootstrapAdminError {
    #[error("the first admin cannot be created")]
    Create(#[source] CreateUserError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl BootstrapAdmin {
    /// Creates the admin if there is none.
    ///
    /// # Errors
    /// Returns a [`BootstrapAdminError`]. After a port error the admin may have been created; after
    /// any other error they were not.
    pub async fn execute(&self, login: String, password: Password) -> Result<Bootstrap, BootstrapAdminError> {
        if self.users.any_admin().await? {
            return Ok(Bootstrap::NotNeeded);
        }
        let request = NewUserRequest {
            login,
            password,
            roles: RoleNames::from([RoleName::ADMIN, RoleName::USER]),
        };
        match self
            .create_user
            .execute(request, Actor::Operator, Origin::default())
            .await
        {
            Ok(user) => Ok(Bootstrap::Created(user)),
            // Another replica that started at the same time created the same admin.
            Err(CreateUserError::Change(ChangeError::Refused(Refusal::LoginTaken)))
                if self.users.any_admin().await? =>
            {
                Ok(Bootstrap::NotNeeded)
            }
            Err(error) => Err(BootstrapAdminError::Create(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{Facts, fixtures::facts_about},
        fixtures::{GOOD_PASSWORD, hash, password, roles, user},
        ports::{MockAccounts, MockPasswordHasher, MockUserDirectory},
        use_cases::fixtures::{accept_password, clock, expect_change, randomness, rating},
    };
    use mockall::Sequence;

    /// Runs the use case over storage that returns each of `admins` in turn when it is asked
    /// whether an admin exists, and that loads `facts` to register one.
    async fn bootstrap(admins: &[bool], facts: Option<Facts>) -> Result<Bootstrap, BootstrapAdminError> {
        let mut directory = MockUserDirectory::new();
        let mut sequence = Sequence::new();
        for &any in admins {
            directory
                .expect_any_admin()
                .once()
                .in_sequence(&mut sequence)
                .returning(move || Ok(any));
        }
        let mut accounts = MockAccounts::new();
        accounts.expect_find_by_login().returning(|_| Ok(None));
        if let Some(facts) = facts {
            expect_change(&mut accounts, facts, |executed| {
                assert_eq!(executed.reads.roles, roles(&["admin", "user"]));
                assert_eq!(executed.context.actor, Actor::Operator);
            });
        }
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_, _| Ok(hash("$made")));
        let create_user = CreateUser {
            accounts: Arc::new(accounts),
            accept_password: accept_password(rating(4), Arc::new(hasher)),
            clock: clock(),
            randomness: randomness(),
        };
        let bootstrap = BootstrapAdmin {
            users: Arc::new(directory),
            create_user: Arc::new(create_user),
        };
        bootstrap
            .execute("root".to_owned(), password(GOOD_PASSWORD))
            .await
    }

    fn facts(login_taken: bool) -> Facts {
        Facts {
            login_taken,
            ..facts_about(user())
        }
    }

    #[tokio::test]
    async fn a_start_without_an_admin_creates_one() {
        let made = bootstrap(&[false], Some(facts(false))).await;
        assert!(
            matches!(made, Ok(Bootstrap::Created(user)) if user.login.as_typed() == "root" && user.is_active_admin())
        );
    }

    #[tokio::test]
    async fn a_start_with_an_admin_changes_nothing() {
        assert!(matches!(bootstrap(&[true], None).await, Ok(Bootstrap::NotNeeded)));
    }

    #[tokio::test]
    async fn two_replicas_that_start_together_create_one_admin() {
        let second = bootstrap(&[false, true], Some(facts(true))).await;
        assert!(matches!(second, Ok(Bootstrap::NotNeeded)));
    }

    #[tokio::test]
    async fn a_login_taken_by_a_user_who_is_not_an_admin_fails_the_start() {
        let refused = bootstrap(&[false, false], Some(facts(true))).await;
        assert!(matches!(
            refused,
            Err(BootstrapAdminError::Create(CreateUserError::Change(
                ChangeError::Refused(Refusal::LoginTaken)
            )))
        ));
    }
}
