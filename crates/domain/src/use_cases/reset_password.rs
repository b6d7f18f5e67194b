use super::{
    AcceptPassword, AcceptPasswordError,
    administer::{self, AdministerError, ChangeRequest},
};
use crate::{
    authority::{Capability, Denied, UsersWrite},
    password::{Password, PasswordRefused},
    ports::{Clock, PasswordHasher, Users},
    user::User,
};
use std::sync::Arc;
use thiserror::Error;

/// Gives a user a password that they have to change before they can do anything else. When this returns, none of the user's
/// tokens is accepted anywhere.
pub struct ResetPassword {
    users: Arc<dyn Users>,
    accept_password: Arc<AcceptPassword>,
    hasher: Arc<dyn PasswordHasher>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum ResetPasswordError {
    /// One's own password is changed by giving the current one: a stolen token must not be enough.
    #[error("one's own password is not reset but changed")]
    OwnPassword,
    #[error(transparent)]
    Refused(#[from] PasswordRefused),
    #[error(transparent)]
    Administer(#[from] AdministerError),
}

impl From<AcceptPasswordError> for ResetPasswordError {
    fn from(error: AcceptPasswordError) -> Self {
        match error {
            AcceptPasswordError::Refused(refused) => Self::Refused(refused),
            AcceptPasswordError::Port(error) => Self::Administer(error.into()),
        }
    }
}

impl From<Denied> for ResetPasswordError {
    fn from(denied: Denied) -> Self {
        Self::Administer(denied.into())
    }
}

impl ResetPassword {
    pub fn new(
        users: Arc<dyn Users>,
        accept_password: Arc<AcceptPassword>,
        hasher: Arc<dyn PasswordHasher>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            users,
            accept_password,
            hasher,
            clock,
        }
    }

    /// # Errors
    /// [`ResetPasswordError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
        password: Password,
    ) -> Result<User, ResetPasswordError> {
        let (user, whom, stamp) =
            administer::prepare(&*self.users, &*self.clock, by.requester(), request).await?;
        if by.requester().is(user.id) {
            return Err(ResetPasswordError::OwnPassword);
        }
        let password = self.accept_password.check(password, Some(&user.login))?;
        let password = self.accept_password.execute(password).await?;
        let hash = self
            .hasher
            .hash(password.into_password())
            .await
            .map_err(AdministerError::from)?;
        let administered = self
            .users
            .reset_password(whom, hash, stamp)
            .await
            .map_err(AdministerError::from)?;
        Ok(administer::settle(administered)?)
    }
}
