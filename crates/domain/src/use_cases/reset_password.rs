use crate::{
    audit::Origin,
    authority::{Capability, Denied, Requester, UsersWrite},
    changes::{self, ChangeError, Refusal, ResetTo},
    one_time_password::ResetCode,
    password::{Password, PasswordHash, PasswordRefused},
    ports::{Accounts, Clock, HashClient, HashTicket, PasswordHasher, PortError, Randomness},
    steps::{self, AcceptPassword, AcceptPasswordError, ChangeRequest},
    user::User,
};
use chrono::{DateTime, Duration, Utc};
use std::sync::Arc;
use thiserror::Error;

/// Replaces a user's password with a one-time password: a code that this use case generates, or a
/// password that the requester chose. The user must change it before doing anything else. When
/// [`execute`](Self::execute) returns, every replica rejects the user's tokens.
pub struct ResetPassword {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) rules: ResetRules,
}

/// Rules of password resets.
#[derive(Clone, Copy, Debug)]
pub struct ResetRules {
    /// A one-time password opens no session this long after the reset.
    pub ttl: Duration,
    /// Whether callers may choose the one-time password. The operator always may.
    pub admin_chosen: bool,
}

impl Default for ResetRules {
    fn default() -> Self {
        Self {
            ttl: Duration::hours(24),
            admin_chosen: false,
        }
    }
}

/// A password that was reset.
#[derive(Debug)]
pub struct PasswordReset {
    pub user: User,
    /// The generated code, or `None` if the requester chose a password. It is not stored, so it
    /// cannot be shown again.
    pub code: Option<ResetCode>,
    /// The time from which the one-time password opens no session.
    pub expires_at: DateTime<Utc>,
}

/// Why a user's password was not reset.
#[derive(Debug, Error)]
pub enum ResetPasswordError {
    /// Callers must use [`ChangePassword`](super::change_password::ChangePassword) for their own
    /// password: it requires the current one, so a stolen token is not enough.
    #[error("a caller's own password cannot be reset; change it instead")]
    OwnPassword,
    #[error("choosing the password of another user is disabled; let the service generate a code")]
    ChosenPasswordDisabled,
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
    /// Sets `chosen` as the one-time password, or a new code if it is `None`. Returns the updated
    /// user and the code.
    ///
    /// # Errors
    /// Returns a [`ResetPasswordError`]. After a port error the change may have been made; after
    /// any other error it was not.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
        chosen: Option<Password>,
    ) -> Result<PasswordReset, ResetPasswordError> {
        self.check_allowed(by.requester(), chosen.as_ref())?;
        let (user, account, context) =
            steps::prepare(&*self.accounts, &*self.clock, by.requester(), request).await?;
        if by.requester().is(user.id) {
            return Err(ResetPasswordError::OwnPassword);
        }
        let (to, hash, code) = self.hash(chosen, &user, &context.origin).await?;
        let expires_at = context.at + self.rules.ttl;
        let command = changes::ResetPassword {
            account,
            hash,
            to,
            expires_at,
        };
        let applied = self.accounts.execute(Arc::new(command), context).await?;
        Ok(PasswordReset {
            user: applied.into_user()?,
            code,
            expires_at,
        })
    }

    fn check_allowed(
        &self,
        requester: Requester<'_>,
        chosen: Option<&Password>,
    ) -> Result<(), ResetPasswordError> {
        match (requester, chosen) {
            (Requester::Caller(_), Some(_)) if !self.rules.admin_chosen => {
                Err(ResetPasswordError::ChosenPasswordDisabled)
            }
            _ => Ok(()),
        }
    }

    /// Hashes `chosen`, or a new code if it is `None`, which it then returns.
    async fn hash(
        &self,
        chosen: Option<Password>,
        user: &User,
        origin: &Origin,
    ) -> Result<(ResetTo, PasswordHash, Option<ResetCode>), ResetPasswordError> {
        let mut ticket = HashTicket::new(HashClient::of(origin, true));
        if let Some(password) = chosen {
            let password = password.into_one_time();
            let password = self.accept_password.check(password, Some(&user.login))?;
            let hash = self.accept_password.execute(password, &mut ticket).await?;
            return Ok((ResetTo::ChosenPassword, hash, None));
        }
        let code = self.randomness.reset_code();
        let hash = self.hasher.hash(code.password(), &mut ticket).await?;
        Ok((ResetTo::Code, hash, Some(code)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{Facts, UserChange, fixtures::facts_about},
        fixtures::{GOOD_PASSWORD, USER, caller_with, hash, now, origin, password, snapshot_with, user},
        one_time_password::OneTimePassword,
        ports::{MockAccounts, MockPasswordHasher},
        revision::Revision,
        role::{Permission, Permissions},
        steps::UserRef,
        use_cases::fixtures::{accept_password, clock, expect_change, randomness, rating},
        user::UserId,
    };
    use uuid::Uuid;

    const ANOTHER: UserId = UserId(Uuid::from_u128(77));

    fn writer_permissions() -> Permissions {
        Permissions::from([Permission::USERS_WRITE])
    }

    /// The code of the bytes that the tests draw.
    const CODE: &str = "99999-99999-99999-99999";

    const ADMIN_CHOSEN: ResetRules = ResetRules {
        ttl: Duration::hours(2),
        admin_chosen: true,
    };

    /// Resets the password of the user `id` under `rules`, with a hasher that expects `hashed`.
    async fn reset(
        rules: ResetRules,
        id: UserId,
        chosen: Option<&str>,
        hashed: &'static str,
        expect_accounts: impl FnOnce(&mut MockAccounts),
    ) -> Result<PasswordReset, ResetPasswordError> {
        let caller = caller_with(writer_permissions());
        let by = caller.capability().expect("the caller has the permission");
        reset_by(by, rules, id, chosen, hashed, expect_accounts).await
    }

    async fn reset_by(
        by: Capability<'_, UsersWrite>,
        rules: ResetRules,
        id: UserId,
        chosen: Option<&str>,
        expected: &'static str,
        expect_accounts: impl FnOnce(&mut MockAccounts),
    ) -> Result<PasswordReset, ResetPasswordError> {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find()
            .returning(|id| Ok(Some(User { id, ..user() })));
        expect_accounts(&mut accounts);
        let mut hasher = MockPasswordHasher::new();
        hasher
            .expect_hash()
            .withf(move |password, _| password.expose() == expected)
            .returning(|_, _| Ok(hash("$new")));
        let hasher = Arc::new(hasher);
        let request = ChangeRequest {
            user: UserRef::Id(id),
            if_revision: Some(Revision(7)),
            origin: origin(),
        };
        let reset = ResetPassword {
            accounts: Arc::new(accounts),
            accept_password: accept_password(rating(4), Arc::clone(&hasher)),
            hasher,
            clock: clock(),
            randomness: randomness(),
            rules,
        };
        reset.execute(by, request, chosen.map(password)).await
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

    /// Expects the password of [`ANOTHER`] to be replaced with a one-time password of this kind.
    fn expect_reset(accounts: &mut MockAccounts, to: &'static str) {
        expect_change(accounts, facts(Revision(7)), move |executed| {
            assert_eq!(executed.reads.account, Some(ANOTHER));
            let change = executed.decided.expect("the rules allow the change");
            let event = change.event(0).expect("the change is recorded");
            assert_eq!(event.details.get("to").map(String::as_str), Some(to));
            assert!(matches!(change.user, UserChange::Update { hash: new, .. } if new == Some(hash("$new"))));
        });
    }

    #[tokio::test]
    async fn without_a_password_the_user_gets_a_code_that_expires() {
        let done = reset(ResetRules::default(), ANOTHER, None, CODE, |accounts| {
            expect_reset(accounts, "code");
        })
        .await
        .expect("the rules allow the change");
        assert!(done.user.must_change_password);
        assert_eq!(done.code.as_ref().map(ResetCode::expose), Some(CODE));
        assert_eq!(done.expires_at, now() + Duration::hours(24));
        let unused = OneTimePassword::until(done.expires_at);
        assert_eq!(done.user.one_time_password, Some(unused));
    }

    #[tokio::test]
    async fn callers_choose_a_password_only_if_the_setting_allows_it() {
        let chosen = Some(GOOD_PASSWORD);
        let refused = reset(
            ResetRules::default(),
            ANOTHER,
            chosen,
            GOOD_PASSWORD,
            |accounts| {
                accounts.expect_execute().never();
            },
        )
        .await;
        assert!(matches!(refused, Err(ResetPasswordError::ChosenPasswordDisabled)));

        let done = reset(ADMIN_CHOSEN, ANOTHER, chosen, GOOD_PASSWORD, |accounts| {
            expect_reset(accounts, "chosen_password");
        })
        .await
        .expect("the rules allow the change");
        assert!(done.code.is_none());
        assert_eq!(done.expires_at, now() + Duration::hours(2));
        let unused = OneTimePassword::until(done.expires_at);
        assert_eq!(done.user.one_time_password, Some(unused));
    }

    #[tokio::test]
    async fn the_operator_may_always_choose_a_password() {
        let by = Capability::of_operator();
        let chosen = Some(GOOD_PASSWORD);
        let rules = ResetRules::default();
        let done = reset_by(by, rules, ANOTHER, chosen, GOOD_PASSWORD, |accounts| {
            expect_reset(accounts, "chosen_password");
        })
        .await;
        assert!(done.is_ok());
    }

    /// Logins read such a text as a code.
    #[tokio::test]
    async fn a_chosen_password_with_the_form_of_a_code_is_hashed_as_the_code() {
        let chosen = Some("O123A 56789 ABCDE FGHJK");
        let done = reset(
            ADMIN_CHOSEN,
            ANOTHER,
            chosen,
            "0123a-56789-abcde-fghjk",
            |accounts| {
                expect_reset(accounts, "chosen_password");
            },
        )
        .await;
        assert!(done.is_ok());
    }

    #[tokio::test]
    async fn the_revision_of_the_request_must_match() {
        let refused = reset(ResetRules::default(), ANOTHER, None, CODE, |accounts| {
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
        let refused = reset(ResetRules::default(), USER, None, CODE, |accounts| {
            accounts.expect_execute().never();
        })
        .await;
        assert!(matches!(refused, Err(ResetPasswordError::OwnPassword)));
    }

    #[tokio::test]
    async fn a_chosen_password_must_satisfy_the_policy() {
        for bad in ["short", "alice alice alice"] {
            let refused = reset(ADMIN_CHOSEN, ANOTHER, Some(bad), bad, |accounts| {
                accounts.expect_execute().never();
            })
            .await;
            assert!(matches!(refused, Err(ResetPasswordError::Refused(_))), "{bad}");
        }
    }
}
