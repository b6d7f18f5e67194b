use crate::{
    audit::{Actor, Origin, Stamp},
    login::Login,
    ports::{Clock, PortError, StatusChanged, Users},
    user::{User, UserStatus},
};
use std::sync::Arc;
use thiserror::Error;

/// Disables or enables a user, for the operator. Once a disabling returns, none of the user's tokens is accepted anywhere.
pub struct SetStatus {
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum SetStatusError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error("the last active admin cannot be disabled")]
    LastAdmin,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl SetStatus {
    pub fn new(users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// # Errors
    /// [`SetStatusError`]; nothing has changed then.
    pub async fn execute(&self, login: &str, status: UserStatus) -> Result<User, SetStatusError> {
        let login = Login::parse(login).map_err(|_| SetStatusError::NoSuchUser)?;
        let known = self
            .users
            .find_by_login(login.canonical())
            .await?
            .ok_or(SetStatusError::NoSuchUser)?;
        let stamp = Stamp {
            at: self.clock.now(),
            actor: Actor::Operator,
            origin: Origin::default(),
        };
        match self.users.set_status(known.user.id, status, stamp).await? {
            StatusChanged::Now(user) => Ok(user),
            StatusChanged::NoSuchUser => Err(SetStatusError::NoSuchUser),
            StatusChanged::LastAdmin => Err(SetStatusError::LastAdmin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::MockUsers,
        use_cases::fixtures::{USER, clock, credentials, user},
    };

    async fn disable(login: &str, answer: StatusChanged) -> Result<User, SetStatusError> {
        let mut users = MockUsers::new();
        users
            .expect_find_by_login()
            .returning(|login| Ok((login.as_str() == "alice").then(credentials)));
        users
            .expect_set_status()
            .withf(|id, status, stamp| {
                *id == USER && *status == UserStatus::Disabled && stamp.actor == Actor::Operator
            })
            .return_once(move |_, _, _| Ok(answer));
        SetStatus::new(Arc::new(users), clock())
            .execute(login, UserStatus::Disabled)
            .await
    }

    #[tokio::test]
    async fn a_user_is_found_by_any_spelling_and_disabled() {
        assert!(disable("ALICE", StatusChanged::Now(user())).await.is_ok());
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let nobody = disable("nobody", StatusChanged::Now(user())).await;
        assert!(matches!(nobody, Err(SetStatusError::NoSuchUser)));
        let last = disable("alice", StatusChanged::LastAdmin).await;
        assert!(matches!(last, Err(SetStatusError::LastAdmin)));
    }
}
