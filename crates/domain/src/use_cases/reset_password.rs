use crate::{
    authority::{Capability, Denied, UsersWrite},
    changes::{self, ChangeError, Refusal},
    password::{Password, PasswordRefused},
    ports::{Accounts, Clock, HashTicket, PortError},
    steps::{self, AcceptPassword, AcceptPasswordError, ChangeRequest},
    user::User,
};
use std::sync::Arc;
use thiserror::Error;

/// Sets a user's password, which the user must then change before doing anything else. When
/// [`execute`](Self::execute) returns, every replica rejects the user's tokens.
pub struct ResetPassword {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a user's password was not reset.
#[derive(Debug, Error)]
pub enum ResetPasswordError {
    /// Callers must use [`ChangePassword`](super::change_password::ChangePassword) for their own
    /// password: it requires the current one, so a stolen token is not enough.
    #[error("a caller's own password cannot be reset; change it instead")]
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
    /// Sets the password and returns the updated user.
    ///
    /// # Errors
    /// Returns a [`ResetPasswordError`]. After a port error the change may have been made; after
    /// any other error it was not.
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
        let hash = self
            .accept_password
            .execute(password, &mut HashTicket::default())
            .await?;
        let command = Arc::new(changes::ResetPassword { account, hash });
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{Facts, UserChange, fixtures::facts_about},
        fixtures::{GOOD_PASSWORD, USER, caller_with, hash, origin, password, snapshot_with, user},
        ports::{MockAccounts, MockPasswordHasher},
        revision::Revision,
        role::{Permission, Permissions},
        steps::UserRef,
        use_cases::fixtures::{accept_password, clock, expect_change, rating},
        user::UserId,
    };
    use uuid::Uuid;

    const ANOTHER: UserId = UserId(Uuid::from_u128(77));

    fn writer_permissions() -> Permissions {
        Permissions::from([Permission::USERS_WRITE])
    }

    async fn reset(
        id: UserId,
        new: &str,
        expect_accounts: impl FnOnce(&mut MockAccounts),
    ) -> Result<User, ResetPasswordError> {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find()
            .returning(|id| Ok(Some(User { id, ..user() })));
        expect_accounts(&mut accounts);
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_, _| Ok(hash("$new")));
        let caller = caller_with(writer_permissions());
        let request = ChangeRequest {
            user: UserRef::Id(id),
            if_revision: Some(Revision(7)),
            origin: origin(),
        };
        let reset = ResetPassword {
            accounts: Arc::new(accounts),
            accept_password: accept_password(rating(4), Arc::new(hasher)),
            clock: clock(),
        };
        reset
            .execute(
                caller.capability().expect("the caller has the permission"),
                request,
                password(new),
            )
            .await
    }

    /// Facts about [`ANOTHER`] at `revision`, loaded for the token of the caller.
    fn facts(revision: Revision) -> Facts {
        Facts {
            caller: Some(snapshot_with(writer_permissions())),
            ..facts_about(User {
                id: ANOTHER,
                revision,
                ..user()
            })
        }
    }

    #[tokio::test]
    async fn the_password_of_another_user_is_replaced_by_a_hash_of_the_new_one() {
        let done = reset(ANOTHER, GOOD_PASSWORD, |accounts| {
            expect_change(accounts, facts(Revision(7)), |executed| {
                assert_eq!(executed.reads.account, Some(ANOTHER));
                assert_eq!(
                    executed.reads.caller,
                    Some(caller_with(writer_permissions()).identity())
                );
                let change = executed.decided.expect("the rules allow the change");
                assert!(
                    matches!(change.user, UserChange::Update { hash: new, .. } if new == Some(hash("$new")))
                );
            });
        })
        .await
        .expect("the rules allow the change");
        assert!(done.must_change_password);
    }

    #[tokio::test]
    async fn the_revision_of_the_request_must_match() {
        let refused = reset(ANOTHER, GOOD_PASSWORD, |accounts| {
            expect_change(accounts, facts(Revision(8)), |_| {});
        })
        .await;
        assert!(matches!(
            refused,
            Err(ResetPasswordError::Change(ChangeError::Refused(
                Refusal::RevisionMismatch
            )))
        ));
    }

    #[tokio::test]
    async fn callers_cannot_reset_their_own_password() {
        let refused = reset(USER, GOOD_PASSWORD, |accounts| {
            accounts.expect_execute().never();
        })
        .await;
        assert!(matches!(refused, Err(ResetPasswordError::OwnPassword)));
    }

    #[tokio::test]
    async fn the_new_password_must_satisfy_the_policy() {
        for bad in ["short", "alice alice alice"] {
            let refused = reset(ANOTHER, bad, |accounts| {
                accounts.expect_execute().never();
            })
            .await;
            assert!(matches!(refused, Err(ResetPasswordError::Refused(_))), "{bad}");
        }
    }
}
