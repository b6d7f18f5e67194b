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

/// Makes the first admin on a start that finds none. There is no default account.
pub struct BootstrapAdmin {
    pub(crate) users: Arc<dyn UserDirectory>,
    pub(crate) create_user: Arc<CreateUser>,
}

/// What the start came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    Created(User),
    /// There is an admin already; the settings were not looked at.
    NotNeeded,
}

#[derive(Debug, Error)]
pub enum BootstrapAdminError {
    #[error("the first admin could not be made")]
    Create(#[source] CreateUserError),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl BootstrapAdmin {
    /// # Errors
    /// [`BootstrapAdminError`]; nobody was made then.
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
            // Another replica that starts at this moment made the same one.
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
        ports::{Inserted, MockPasswordHasher, MockUsers},
        use_cases::fixtures::{
            GOOD_PASSWORD, accept_password_rated, clock, hash, password, randomness, roles,
        },
    };
    use mockall::Sequence;

    async fn bootstrap(
        admins: &[bool],
        inserted: Option<Inserted>,
    ) -> Result<Bootstrap, BootstrapAdminError> {
        let mut asked = MockUsers::new();
        let mut sequence = Sequence::new();
        for &any in admins {
            asked
                .expect_any_admin()
                .once()
                .in_sequence(&mut sequence)
                .returning(move || Ok(any));
        }
        let mut users = MockUsers::new();
        users.expect_find_by_login().returning(|_| Ok(None));
        if let Some(inserted) = inserted {
            users
                .expect_insert()
                .withf(|user, context| {
                    user.roles == roles(&["admin", "user"]) && context.actor == Actor::Operator
                })
                .once()
                .return_once(move |user, context| {
                    Ok(match inserted {
                        Inserted::Now(_) => Inserted::Now(user.registered_at(context.at)),
                        other => other,
                    })
                });
        }
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_| Ok(hash("$made")));
        let create = CreateUser::new(
            Arc::new(users),
            accept_password_rated(4),
            Arc::new(hasher),
            clock(),
            randomness(),
        );
        BootstrapAdmin::new(Arc::new(asked), Arc::new(create))
            .execute("root".to_owned(), password(GOOD_PASSWORD))
            .await
    }

    #[tokio::test]
    async fn a_start_without_an_admin_makes_one() {
        let made = bootstrap(&[false], Some(Inserted::Now(crate::use_cases::fixtures::user()))).await;
        assert!(matches!(made, Ok(Bootstrap::Created(user)) if user.login.as_typed() == "root"));
    }

    #[tokio::test]
    async fn a_start_with_an_admin_changes_nothing() {
        assert!(matches!(bootstrap(&[true], None).await, Ok(Bootstrap::NotNeeded)));
    }

    #[tokio::test]
    async fn of_two_replicas_that_start_together_one_makes_the_admin() {
        let second = bootstrap(&[false, true], Some(Inserted::LoginTaken)).await;
        assert!(matches!(second, Ok(Bootstrap::NotNeeded)));
    }

    #[tokio::test]
    async fn a_login_that_somebody_without_the_role_has_stops_the_start() {
        let refused = bootstrap(&[false, false], Some(Inserted::LoginTaken)).await;
        assert!(matches!(
            refused,
            Err(BootstrapAdminError::Create(CreateUserError::LoginTaken))
        ));
    }
}
