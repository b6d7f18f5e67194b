use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::UserCaller,
    changes::{self, ChangeError},
    password::Password,
    ports::{Accounts, Clock, HashClient, HashTicket, PortError},
    steps::{AccessTokenRequest, ConfirmPassword, ConfirmPasswordError, IssueTokens, IssuedAccessToken},
};
use std::sync::Arc;
use thiserror::Error;

/// Verifies the caller's password, and issues an access token that suffices for changes which
/// require a recent check of it (RFC 9470). Earlier access tokens stay valid but do not become
/// sufficient, because they may have been copied. The refresh token stays as it is.
pub struct Reauthenticate {
    pub(crate) confirm_password: Arc<ConfirmPassword>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) issue_tokens: Arc<IssueTokens>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why no access token was issued.
#[derive(Debug, Error)]
pub enum ReauthenticateError {
    #[error(transparent)]
    Confirm(#[from] ConfirmPasswordError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<PortError> for ReauthenticateError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl Reauthenticate {
    /// Verifies the password and issues the token.
    ///
    /// # Errors
    /// Returns a [`ReauthenticateError`]. After a port error the check may have been recorded;
    /// after any other error it was not.
    pub async fn execute(
        &self,
        caller: &UserCaller,
        password: Password,
        origin: Origin,
    ) -> Result<IssuedAccessToken, ReauthenticateError> {
        self.confirm_password.take_attempt(caller).await?;
        self.confirm_password
            .execute(
                caller,
                password,
                &origin,
                &mut HashTicket::new(HashClient::of(&origin, true)),
            )
            .await?;
        let now = self.clock.now();
        let command = changes::Reauthenticate {
            authorized_by: caller.identity(),
        };
        let context = AuditContext::new(now, Actor::User(caller.user().id), origin);
        self.accounts.execute(Arc::new(command), context).await?;
        // The transaction validated the token, so the user's roles and epoch are unchanged.
        let request = AccessTokenRequest {
            session: caller.session(),
            expires_at: caller.lifetime().expires_at,
            authenticated_at: now,
            holder: &caller.user().into(),
        };
        Ok(self.issue_tokens.issue_access_token(request, now).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        changes::{Refusal, fixtures::own_facts},
        fixtures::{SESSION, USER, caller, credentials, now, origin, password, user, user_caller},
        ports::{MockAccounts, MockPasswordHasher, MockThrottle, MockTokenSigner, Verification},
        role::Permissions,
        throttle::{BudgetKind, ThrottleDecision},
        token::AccessToken,
        use_cases::fixtures::{
            clock, confirm_password, expect_change, issue_tokens_with, record_any_failed_attempt,
        },
    };
    use std::time::Duration;

    fn throttle(decision: ThrottleDecision) -> MockThrottle {
        let mut throttle = MockThrottle::new();
        throttle.expect_take().returning(move |_| Ok(decision));
        throttle
    }

    fn open_throttle() -> MockThrottle {
        throttle(ThrottleDecision::Allowed)
    }

    fn verifying(verification: Verification) -> MockPasswordHasher {
        let mut hasher = MockPasswordHasher::new();
        hasher
            .expect_verify()
            .withf(|password, hash, _| password.expose() == "correct" && *hash == Some(credentials().hash))
            .once()
            .returning(move |_, _, _| Ok(verification));
        hasher
    }

    fn found(mut accounts: MockAccounts) -> MockAccounts {
        accounts
            .expect_find_by_login()
            .returning(|_| Ok(Some(credentials())));
        accounts
    }

    fn signer() -> MockTokenSigner {
        let mut signer = MockTokenSigner::new();
        signer
            .expect_sign()
            .withf(|claims| {
                claims.auth_time == Some(now().timestamp())
                    && claims.iat == now().timestamp()
                    && claims.exp == now().timestamp() + 900
                    && claims.sub == USER.0
                    && claims.sid == SESSION.0
                    && claims.epoch == user().epoch.0
                    && claims.roles == user().roles
            })
            .once()
            .returning(|_| Ok(AccessToken::new("fresh".to_owned())));
        signer
    }

    fn reauthenticate(
        throttle: MockThrottle,
        accounts: MockAccounts,
        hasher: MockPasswordHasher,
        signer: MockTokenSigner,
    ) -> Reauthenticate {
        let accounts = Arc::new(accounts);
        let record = record_any_failed_attempt();
        Reauthenticate {
            confirm_password: confirm_password(throttle, &accounts, &Arc::new(hasher), record),
            accounts,
            issue_tokens: Arc::new(issue_tokens_with(signer)),
            clock: clock(),
        }
    }

    async fn execute(use_case: Reauthenticate) -> Result<IssuedAccessToken, ReauthenticateError> {
        use_case
            .execute(&user_caller(), password("correct"), origin())
            .await
    }

    #[tokio::test]
    async fn the_right_password_is_recorded_and_a_token_with_the_time_of_the_check_issued() {
        let mut accounts = found(MockAccounts::new());
        expect_change(&mut accounts, own_facts(Permissions::new()), |executed| {
            assert_eq!(executed.reads.caller, Some(caller().identity()));
            let change = executed.decided.expect("the rules allow the change");
            assert_eq!(change.reauthenticated, Some(SESSION));
            assert_eq!(executed.context.at, now());
            assert_eq!(executed.context.actor, Actor::User(USER));
            assert_eq!(executed.context.origin, origin());
        });
        let use_case = reauthenticate(
            open_throttle(),
            accounts,
            verifying(Verification::Right),
            signer(),
        );
        let issued = execute(use_case).await.expect("the password is right");
        assert_eq!(issued.access_token.expose(), "fresh");
        assert_eq!(issued.expires_in, chrono::Duration::minutes(15));
    }

    #[tokio::test]
    async fn a_wrong_password_records_no_check_and_issues_no_token() {
        let mut accounts = found(MockAccounts::new());
        accounts.expect_execute().never();
        let wrong = verifying(Verification::Wrong);
        let use_case = reauthenticate(open_throttle(), accounts, wrong, MockTokenSigner::new());
        assert!(matches!(
            execute(use_case).await,
            Err(ReauthenticateError::Confirm(
                ConfirmPasswordError::InvalidCredentials
            ))
        ));
    }

    #[tokio::test]
    async fn without_an_attempt_left_nothing_is_verified() {
        let retry_after = Duration::from_secs(7);
        let budget = BudgetKind::Session;
        let throttle = throttle(ThrottleDecision::Refused { retry_after, budget });
        let (accounts, hasher) = (MockAccounts::new(), MockPasswordHasher::new());
        let use_case = reauthenticate(throttle, accounts, hasher, MockTokenSigner::new());
        assert!(matches!(
            execute(use_case).await,
            Err(ReauthenticateError::Confirm(
                ConfirmPasswordError::TooManyAttempts { retry_after: wait, .. }
            )) if wait == retry_after
        ));
    }

    #[tokio::test]
    async fn a_session_that_ended_in_the_meantime_gets_no_token() {
        let mut facts = own_facts(Permissions::new());
        facts.caller = None;
        let mut accounts = found(MockAccounts::new());
        expect_change(&mut accounts, facts, |_| {});
        let right = verifying(Verification::Right);
        let use_case = reauthenticate(open_throttle(), accounts, right, MockTokenSigner::new());
        assert!(matches!(
            execute(use_case).await,
            Err(ReauthenticateError::Change(ChangeError::Refused(
                Refusal::Denied(Denied::Stale)
            )))
        ));
    }
}
