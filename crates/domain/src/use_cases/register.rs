use super::{CreateUser, CreateUserError, NewUserRequest};
use crate::{
    audit::{Actor, Origin},
    password::Password,
    ports::{PortError, Throttle},
    role::RoleNames,
    throttle::ThrottleDecision,
    user::User,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Lets somebody become a user, with the roles that everybody begins with.
pub struct Register {
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) create_user: Arc<CreateUser>,
    pub(crate) default_roles: RoleNames,
}

#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    #[error(transparent)]
    Create(#[from] CreateUserError),
}

impl From<PortError> for RegisterError {
    fn from(error: PortError) -> Self {
        Self::Create(error.into())
    }
}

impl Register {
    /// # Errors
    /// [`RegisterError`]; nothing is stored then.
    pub async fn execute(
        &self,
        login: String,
        password: Password,
        origin: Origin,
    ) -> Result<User, RegisterError> {
        let decision = self.throttle.attempt(origin.address, None).await?;
        if let ThrottleDecision::Refused { retry_after } = decision {
            return Err(RegisterError::TooManyAttempts { retry_after });
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
        ports::{Inserted, MockPasswordHasher, MockThrottle, MockUsers},
        role::RoleName,
        throttle::ThrottleKey,
        use_cases::fixtures::{
            GOOD_PASSWORD, accept_password_rated, clock, hash, origin, password, randomness, roles,
        },
    };

    fn register(decision: ThrottleDecision, users: MockUsers, hasher: MockPasswordHasher) -> Register {
        let mut throttle = MockThrottle::new();
        let client = ThrottleKey::Client(
            "192.0.2.7"
                .parse::<std::net::IpAddr>()
                .expect("an address")
                .into(),
        );
        throttle
            .expect_take()
            .withf(move |key| *key == client)
            .once()
            .returning(move |_| Ok(decision));
        let create = CreateUser::new(
            Arc::new(users),
            accept_password_rated(4),
            Arc::new(hasher),
            clock(),
            randomness(),
        );
        Register::new(
            Arc::new(throttle),
            Arc::new(create),
            RoleNames::from([RoleName::USER]),
        )
    }

    #[tokio::test]
    async fn whoever_registers_gets_the_role_user_and_no_other() {
        let mut users = MockUsers::new();
        users.expect_find_by_login().returning(|_| Ok(None));
        users
            .expect_insert()
            .withf(|user, context| user.roles == roles(&["user"]) && context.actor == Actor::Anonymous)
            .once()
            .returning(|user, context| Ok(Inserted::Now(user.registered_at(context.at))));
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_| Ok(hash("$made")));
        let register = register(ThrottleDecision::Allowed, users, hasher);
        assert!(
            register
                .execute("alice".to_owned(), password(GOOD_PASSWORD), origin())
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn a_client_that_tries_too_often_is_told_before_anything_is_looked_at() {
        let wait = Duration::from_secs(3);
        let decision = ThrottleDecision::Refused { retry_after: wait };
        let register = register(decision, MockUsers::new(), MockPasswordHasher::new());
        let refused = register
            .execute("alice".to_owned(), password(GOOD_PASSWORD), origin())
            .await;
        assert!(
            matches!(refused, Err(RegisterError::TooManyAttempts { retry_after }) if retry_after == wait)
        );
    }
}
