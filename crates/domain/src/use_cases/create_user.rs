use crate::{
    audit::{Actor, AuditContext, Origin},
    changes::{ChangeError, Refusal, RegisterUser},
    login::{Login, LoginRefused},
    password::{Password, PasswordRefused, UnratedPassword},
    ports::{Accounts, Clock, HashClient, HashTicket, PortError, Randomness},
    role::RoleNames,
    steps::{AcceptPassword, AcceptPasswordError},
    user::{NewUser, User},
};
use std::sync::Arc;
use thiserror::Error;

/// Creates a user, for a registration or for the operator.
pub struct CreateUser {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

/// The user to create.
#[derive(Clone, Debug)]
pub struct NewUserRequest {
    pub login: String,
    pub password: Password,
    pub roles: RoleNames,
}

/// Why a user was not created.
#[derive(Debug, Error)]
pub enum CreateUserError {
    /// At least one of the two is set. Both are set if the login and the password each violate a
    /// cheap rule. [`PasswordRefused::TooWeak`] is checked last and reported alone.
    #[error("the login or the password is not valid")]
    Refused {
        login: Option<LoginRefused>,
        password: Option<PasswordRefused>,
    },
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<Refusal> for CreateUserError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<PortError> for CreateUserError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl From<AcceptPasswordError> for CreateUserError {
    fn from(error: AcceptPasswordError) -> Self {
        match error {
            AcceptPasswordError::Refused(refused) => Self::Refused {
                login: None,
                password: Some(refused),
            },
            AcceptPasswordError::Port(error) => error.into(),
        }
    }
}

impl CreateUser {
    /// Creates and returns the user.
    ///
    /// # Errors
    /// Returns a [`CreateUserError`]. After a port error the user may have been created; after any
    /// other error they were not.
    pub async fn execute(
        &self,
        request: NewUserRequest,
        actor: Actor,
        origin: Origin,
    ) -> Result<User, CreateUserError> {
        let (login, password) = self.check(&request.login, request.password)?;
        let mut ticket = HashTicket::new(HashClient::of(&origin, false));
        // Rate before the login is looked up, so that the response to a weak password does not show
        // whether the login exists.
        let password = self.accept_password.rate(password, &mut ticket).await?;
        // Storage decides which request gets a login; this check only saves the hash if the login
        // is already taken.
        if self.accounts.find_by_login(login.canonical()).await?.is_some() {
            return Err(Refusal::LoginTaken.into());
        }
        let hash = self.accept_password.hash(password, &mut ticket).await?;
        let now = self.clock.now();
        let user = NewUser {
            id: self.randomness.user_id(now),
            login,
            hash,
            roles: request.roles,
        };
        let context = AuditContext::new(now, actor, origin);
        let command = Arc::new(RegisterUser(user));
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }

    fn check(&self, login: &str, password: Password) -> Result<(Login, UnratedPassword), CreateUserError> {
        let login = Login::parse(login);
        let password = self.accept_password.check(password, login.as_ref().ok());
        match (login, password) {
            (Ok(login), Ok(password)) => Ok((login, password)),
            (login, password) => Err(CreateUserError::Refused {
                login: login.err(),
                password: password.err(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{Facts, UserChange, fixtures::facts_about},
        fixtures::{GOOD_PASSWORD, credentials, hash, now, origin, password, roles, user},
        ports::{MockAccounts, MockPasswordHasher, MockPasswordMeter},
        use_cases::fixtures::{accept_password, clock, expect_change, randomness, rating},
    };

    /// Uses a meter that rates every password as strong.
    fn create_user(
        expect_accounts: impl FnOnce(&mut MockAccounts),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> CreateUser {
        create_user_if(rating(4), expect_accounts, expect_hasher)
    }

    fn create_user_if(
        expect_meter: impl FnOnce(&mut MockPasswordMeter),
        expect_accounts: impl FnOnce(&mut MockAccounts),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> CreateUser {
        let mut accounts = MockAccounts::new();
        expect_accounts(&mut accounts);
        let mut hasher = MockPasswordHasher::new();
        expect_hasher(&mut hasher);
        CreateUser {
            accounts: Arc::new(accounts),
            accept_password: accept_password(expect_meter, Arc::new(hasher)),
            clock: clock(),
            randomness: randomness(),
        }
    }

    fn request(login: &str, text: &str) -> NewUserRequest {
        NewUserRequest {
            login: login.to_owned(),
            password: password(text),
            roles: roles(&["user"]),
        }
    }

    fn is_login_taken(result: &Result<User, CreateUserError>) -> bool {
        matches!(
            result,
            Err(CreateUserError::Change(ChangeError::Refused(Refusal::LoginTaken)))
        )
    }

    #[tokio::test]
    async fn a_user_is_stored_with_a_hash_and_the_actor_recorded() {
        let create = create_user(
            |accounts| {
                accounts.expect_find_by_login().returning(|_| Ok(None));
                expect_change(accounts, facts_about(user()), |executed| {
                    let change = executed.decided.expect("the rules allow the change");
                    assert!(
                        matches!(change.user, UserChange::Insert(stored) if stored.hash == hash("$made"))
                    );
                    let expected = AuditContext::new(now(), Actor::Operator, origin());
                    assert_eq!(executed.context, expected);
                });
            },
            |hasher| {
                hasher.expect_hash().once().returning(|_, _| Ok(hash("$made")));
            },
        );
        let user = create
            .execute(request("Alice", GOOD_PASSWORD), Actor::Operator, origin())
            .await
            .expect("the user is created");
        assert_eq!(user.login.as_typed(), "Alice");
        assert_eq!(user.created_at, now());
    }

    #[tokio::test]
    async fn all_violations_of_cheap_rules_are_reported_together_and_nothing_is_rated_or_hashed() {
        let create = create_user_if(
            |meter| {
                meter.expect_rate().never();
            },
            |_| {},
            |hasher| {
                hasher.expect_hash().never();
            },
        );
        let refused = create
            .execute(request("a b", "short"), Actor::Anonymous, origin())
            .await;
        assert!(matches!(
            refused,
            Err(CreateUserError::Refused {
                login: Some(LoginRefused::Characters),
                password: Some(PasswordRefused::TooShort { min: 8 })
            })
        ));
    }

    #[tokio::test]
    async fn a_taken_login_costs_no_hash() {
        let create = create_user_if(
            rating(4),
            |accounts| {
                accounts
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
            },
            |hasher| {
                hasher.expect_hash().never();
            },
        );
        let refused = create
            .execute(request("ALICE", GOOD_PASSWORD), Actor::Anonymous, origin())
            .await;
        assert!(is_login_taken(&refused));
    }

    #[tokio::test]
    async fn a_password_that_is_rated_too_weak_is_refused_before_the_login_is_looked_up() {
        let create = create_user_if(
            rating(1),
            |accounts| {
                accounts.expect_find_by_login().never();
                accounts.expect_execute().never();
            },
            |hasher| {
                hasher.expect_hash().never();
            },
        );
        let refused = create
            .execute(request("alice", GOOD_PASSWORD), Actor::Anonymous, origin())
            .await;
        assert!(matches!(
            refused,
            Err(CreateUserError::Refused {
                login: None,
                password: Some(PasswordRefused::TooWeak { .. })
            })
        ));
    }

    #[tokio::test]
    async fn a_user_is_not_created_if_the_meter_is_overloaded() {
        let create = create_user_if(
            |meter| {
                meter
                    .expect_rate()
                    .once()
                    .returning(|_, _, _| Err(PortError::Overloaded));
            },
            |accounts| {
                accounts.expect_find_by_login().never();
                accounts.expect_execute().never();
            },
            |hasher| {
                hasher.expect_hash().never();
            },
        );
        let refused = create
            .execute(request("alice", GOOD_PASSWORD), Actor::Anonymous, origin())
            .await;
        assert!(matches!(
            refused,
            Err(CreateUserError::Change(ChangeError::Port(PortError::Overloaded)))
        ));
    }

    #[tokio::test]
    async fn a_login_taken_concurrently_is_refused() {
        let create = create_user(
            |accounts| {
                accounts.expect_find_by_login().returning(|_| Ok(None));
                let taken = Facts {
                    login_taken: true,
                    ..facts_about(user())
                };
                expect_change(accounts, taken, |_| {});
            },
            |hasher| {
                hasher.expect_hash().returning(|_, _| Ok(hash("$made")));
            },
        );
        let refused = create
            .execute(request("alice", GOOD_PASSWORD), Actor::Anonymous, origin())
            .await;
        assert!(is_login_taken(&refused));
    }
}
