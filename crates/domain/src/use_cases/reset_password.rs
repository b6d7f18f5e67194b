use crate::{
    authority::{Capability, Denied, UsersWrite},
    changes::{self, ChangeError, Refusal},
    password::{Password, PasswordRefused},
    ports::{Accounts, Clock, PasswordHasher, PortError},
    steps::{self, AcceptPassword, AcceptPasswordError, ChangeRequest},
    user::User,
};
use std::sync::Arc;
use thiserror::Error;

/// Gives a user a password that they must change before they can do anything else. When this returns, none of the user's
/// tokens is accepted anywhere.
pub struct ResetPassword {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum ResetPasswordError {
    /// Callers change their own password by giving the current one: a stolen token must not be enough.
    #[error("one's own password is not reset but changed")]
    OwnPassword,
    #[error(transparent)]
    Refused(#[from] PasswordRefused),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<AcceptPasswordError> for ResetPasswordError {
    fn from(error: AcceptPasswordError) -> Self {
        match error {
            AcceptPasswordError::Refused(refused) => Self::Refused(refused),
            AcceptPasswordError::Port(error) => error.into(),
        }
    }
}

impl From<Refusal> for ResetPasswordError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<Denied> for ResetPasswordError {
    fn from(denied: Denied) -> Self {
        Self::Change(denied.into())
    }
}

impl From<PortError> for ResetPasswordError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl ResetPassword {
    /// # Errors
    /// [`ResetPasswordError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
        password: Password,
    ) -> Result<User, ResetPasswordError> {
        let (user, account, context) =
            steps::prepare(&*self.accounts, &*self.clock, by.requester(), request).await?;
        if by.requester().is(user.id) {
            return Err(ResetPasswordError::OwnPassword);
        }
        let password = self.accept_password.check(password, Some(&user.login))?;
        let password = self.accept_password.execute(password).await?;
        let hash = self.hasher.hash(password.into_password()).await?;
        let command = Arc::new(changes::ResetPassword { account, hash });
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{Administered, MockPasswordHasher, MockUsers},
        role::{Permission, Permissions},
        use_cases::{
            UserRef,
            fixtures::{
                GOOD_PASSWORD, USER, accept_password_rated, caller_with, clock, hash, origin, password, user,
            },
        },
        user::UserId,
    };
    use uuid::Uuid;

    const ANOTHER: UserId = UserId(Uuid::from_u128(77));

    async fn reset(
        whom: UserId,
        new: &str,
        expect_users: impl FnOnce(&mut MockUsers),
    ) -> Result<User, ResetPasswordError> {
        let mut users = MockUsers::new();
        users
            .expect_find()
            .returning(|id| Ok(Some(User { id, ..user() })));
        expect_users(&mut users);
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_| Ok(hash("$new")));
        let caller = caller_with(Permissions::from([Permission::USERS_WRITE]));
        let request = ChangeRequest {
            whom: UserRef::Id(whom),
            if_revision: None,
            origin: origin(),
        };
        ResetPassword::new(
            Arc::new(users),
            accept_password_rated(4),
            Arc::new(hasher),
            clock(),
        )
        .execute(
            caller.capability().expect("the permission is there"),
            request,
            password(new),
        )
        .await
    }

    #[tokio::test]
    async fn anothers_password_is_replaced_by_a_hash_of_the_new_one() {
        let done = reset(ANOTHER, GOOD_PASSWORD, |users| {
            users
                .expect_reset_password()
                .withf(|whom, new, _| {
                    whom.user == ANOTHER && whom.authorized_by.is_some() && *new == hash("$new")
                })
                .once()
                .returning(|_, _, _| Ok(Administered::Now(user())));
        })
        .await;
        assert!(done.is_ok());
    }

    #[tokio::test]
    async fn ones_own_password_is_not_reset_without_giving_it() {
        let refused = reset(USER, GOOD_PASSWORD, |users| {
            users.expect_reset_password().never();
        })
        .await;
        assert!(matches!(refused, Err(ResetPasswordError::OwnPassword)));
    }

    #[tokio::test]
    async fn the_new_password_keeps_the_rules_that_hold_for_everybody() {
        for bad in ["short", "alice alice alice"] {
            let refused = reset(ANOTHER, bad, |users| {
                users.expect_reset_password().never();
            })
            .await;
            assert!(matches!(refused, Err(ResetPasswordError::Refused(_))), "{bad}");
        }
    }
}
