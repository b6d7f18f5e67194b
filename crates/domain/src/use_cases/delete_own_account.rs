use super::{
    ConfirmPassword, ConfirmPasswordError,
    administer::{self, AdministerError},
};
use crate::{
    audit::{Actor, Origin, Stamp},
    caller::Caller,
    password::Password,
    ports::{Administer, Clock, PortError, Users},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Removes the caller, who has to give their password once more. When this returns, none of their tokens is accepted
/// anywhere.
pub struct DeleteOwnAccount {
    confirm_password: Arc<ConfirmPassword>,
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum DeleteOwnAccountError {
    #[error("the password is wrong")]
    InvalidCredentials,
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    /// The caller changed, or their session ended, while this was decided.
    #[error("the caller's token is outdated")]
    Outdated,
    #[error("the last active admin cannot be deleted")]
    LastAdmin,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<ConfirmPasswordError> for DeleteOwnAccountError {
    fn from(error: ConfirmPasswordError) -> Self {
        match error {
            ConfirmPasswordError::InvalidCredentials => Self::InvalidCredentials,
            ConfirmPasswordError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            ConfirmPasswordError::Outdated => Self::Outdated,
            ConfirmPasswordError::Port(error) => Self::Port(error),
        }
    }
}

impl From<AdministerError> for DeleteOwnAccountError {
    fn from(error: AdministerError) -> Self {
        match error {
            AdministerError::LastAdmin => Self::LastAdmin,
            AdministerError::Port(error) => Self::Port(error),
            // Whoever is gone, or is not who they were when their token was accepted.
            AdministerError::NoSuchUser | AdministerError::AnotherRevision | AdministerError::Denied(_) => {
                Self::Outdated
            }
        }
    }
}

impl DeleteOwnAccount {
    pub fn new(confirm_password: Arc<ConfirmPassword>, users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self {
            confirm_password,
            users,
            clock,
        }
    }

    /// # Errors
    /// [`DeleteOwnAccountError`]; nothing has changed then.
    pub async fn execute(
        &self,
        caller: &Caller,
        password: Password,
        origin: Origin,
    ) -> Result<(), DeleteOwnAccountError> {
        self.confirm_password.take_attempt(caller, &origin).await?;
        self.confirm_password.execute(caller, password, &origin).await?;
        let user = caller.user().id;
        let whom = Administer {
            user,
            if_revision: None,
            only_while: Some(caller.vouched()),
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        administer::settle(self.users.delete(whom, stamp).await?)?;
        Ok(())
    }
}
