use super::{CreateUser, CreateUserError, NewUserRequest};
use crate::{
    audit::{Actor, Origin},
    password::Password,
    ports::{PortError, Throttle},
    role::RoleNames,
    throttle::{Attempt, BudgetName, ThrottleDecision},
    user::User,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Registers a user with the default roles.
pub struct Register {
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) create_user: Arc<CreateUser>,
    pub(crate) default_roles: RoleNames,
}

/// Why a user was not registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("too many attempts")]
    TooManyAttempts {
        retry_after: Duration,
        budget: BudgetName,
    },
    #[error(transparent)]
    Create(#[from] CreateUserError),
}

impl From<PortError> for RegisterError {
    fn from(error: PortError) -> Self {
        Self::Create(error.into())
    }
}

impl Register {
    /// Creates and returns the user.
    ///
    /// # Errors
    /// Returns a [`RegisterError`]. After a port error the user may have been created; after any
    /// other error they were not.
    pub async fn execute(
        &self,
        login: String,
        password: Password,
        origin: Origin,
    ) -> Result<User, RegisterError> {
        let address = origin.address;
        let decision = self.throttle.take(&Attempt::Register { address }).await?;
        if let ThrottleDecision::Refused { retry_after, budget } = decision {
            return Err(RegisterError::TooManyAttempts {
                retry_after,
                budget: budget.name(),
            });
        }
        let request = NewUserRequest {
            login,
            password,
            roles: self.default_roles.clone(),
        };
        Ok(self
            .create_user
            .execute(request, Actor::Anonymous, origin)
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::fixtures::facts_about,
        fixtures::{GOOD_PASSWORD, hash, origin, password, roles, user},
        ports::{MockAccounts, MockPasswordHasher, MockThrottle},
        role::RoleName,
        throttle::{BudgetKind, Width},
        use_cases::fixtures::{accept_password, clock, expect_change, randomness, rating},
    };
    use mockall::predicate::eq;

    fn register(decision: ThrottleDecision, accounts: MockAccounts, hasher: MockPasswordHasher) -> Register {
        let mut throttle = MockThrottle::new();
        let address = origin().address;
        throttle
            .expect_take()
            .with(eq(Attempt::Register { address }))
            .once()
            .returning(move |_| Ok(decision));
        let create_user = CreateUser {
            accounts: Arc::new(accounts),
            accept_password: accept_password(rating(4), Arc::new(hasher)),
            clock: clock(),
            randomness: randomness(),
        };
        Register {
            throttle: Arc::new(throttle),
            create_user: Arc::new(create_user),
            default_roles: RoleNames::from([RoleName::USER]),
        }
    }

    #[tokio::test]
    async fn a_registered_user_has_the_default_roles_and_no_other() {
        let mut accounts = MockAccounts::new();
        accounts.expect_find_by_login().returning(|_| Ok(None));
        expect_change(&mut accounts, facts_about(user()), |executed| {
            assert_eq!(executed.context.actor, Actor::Anonymous);
        });
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_, _| Ok(hash("$made")));
        let register = register(ThrottleDecision::Allowed, accounts, hasher);
        let registered = register
            .execute("alice".to_owned(), password(GOOD_PASSWORD), origin())
            .await
            .expect("the user is registered");
        assert_eq!(registered.roles, roles(&["user"]));
    }

    #[tokio::test]
    async fn a_throttled_client_is_refused_before_any_read() {
        let wait = Duration::from_secs(3);
        let decision = ThrottleDecision::Refused {
            retry_after: wait,
            budget: BudgetKind::Network(Width::Site),
        };
        let register = register(decision, MockAccounts::new(), MockPasswordHasher::new());
        let refused = register
            .execute("alice".to_owned(), password(GOOD_PASSWORD), origin())
            .await;
        let Err(RegisterError::TooManyAttempts { retry_after, budget }) = refused else {
            panic!("expected a refusal: {refused:?}")
        };
        assert_eq!((retry_after, budget), (wait, BudgetName::Network));
    }
}
