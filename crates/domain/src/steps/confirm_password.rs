use super::RecordFailedAttempt;
use crate::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin},
    caller::UserCaller,
    password::Password,
    ports::{Accounts, Clock, HashTicket, PasswordHasher, PortError, Throttle, Verification},
    throttle::{Attempt, BudgetName, ThrottleDecision},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Verifies a caller's password before an action for which a stolen access token must not be enough
/// (OWASP ASVS 5.0, V7.5.1). A step of several use cases.
pub struct ConfirmPassword {
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) record_failed_attempt: Arc<RecordFailedAttempt>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why a caller's password was not confirmed.
#[derive(Debug, Error)]
pub enum ConfirmPasswordError {
    #[error("the password is wrong")]
    InvalidCredentials,
    #[error("too many attempts")]
    TooManyAttempts {
        retry_after: Duration,
        budget: BudgetName,
    },
    /// The caller's session or account changed in the meantime.
    #[error("the caller's token is outdated")]
    Outdated,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl ConfirmPassword {
    /// Takes one attempt from the budget of the caller's session, so that a stolen access token
    /// cannot be used to guess the password. Attempts to log in do not use up this budget.
    ///
    /// # Errors
    /// Returns [`ConfirmPasswordError::TooManyAttempts`] if the budget is used up.
    pub async fn take_attempt(&self, caller: &UserCaller) -> Result<(), ConfirmPasswordError> {
        let session = caller.session();
        match self.throttle.take(&Attempt::Reauthenticate { session }).await? {
            ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback => Ok(()),
            ThrottleDecision::Refused { retry_after, budget } => Err(ConfirmPasswordError::TooManyAttempts {
                retry_after,
                budget: budget.name(),
            }),
        }
    }

    /// Compares `password` with the caller's password. Call [`take_attempt`](Self::take_attempt)
    /// first.
    ///
    /// # Errors
    /// Returns a [`ConfirmPasswordError`]. A wrong password is recorded in the audit log.
    pub async fn execute(
        &self,
        caller: &UserCaller,
        password: Password,
        origin: &Origin,
        ticket: &mut HashTicket,
    ) -> Result<(), ConfirmPasswordError> {
        let known = self
            .accounts
            .find_by_login(caller.user().login.canonical())
            .await?;
        let known = known
            .filter(|known| known.user.id == caller.user().id && known.user.epoch == caller.user().epoch)
            .ok_or(ConfirmPasswordError::Outdated)?;
        // A used or expired one-time password still confirms the user of a session that it opened.
        let password = known.user.normalised(password);
        match self.hasher.verify(password, Some(known.hash), ticket).await? {
            Verification::Right | Verification::RightButOutdated => Ok(()),
            Verification::Wrong => {
                self.record_failure(caller, origin).await?;
                Err(ConfirmPasswordError::InvalidCredentials)
            }
        }
    }

    async fn record_failure(&self, caller: &UserCaller, origin: &Origin) -> Result<(), PortError> {
        let user = caller.user().id;
        let event = AuditEvent::on(AuditAction::ReauthenticationFailed, user).in_session(caller.session());
        let context = AuditContext::new(self.clock.now(), Actor::User(user), origin.clone());
        self.record_failed_attempt.execute(event, context).await
    }
}
