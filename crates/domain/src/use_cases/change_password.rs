use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::Caller,
    changes::{self, ChangeError, Refusal},
    password::{Password, PasswordHash, PasswordRefused},
    ports::{Accounts, Clock, PasswordHasher, PortError, Randomness},
    session::{NewSession, SessionRules},
    steps::{AcceptPassword, AcceptPasswordError, ConfirmPassword, ConfirmPasswordError, IssueTokens, TokenPair},
};
use std::sync::Arc;
use thiserror::Error;

/// Replaces the caller's password by another of their choice. When this returns, every token issued before is refused
/// everywhere; the caller goes on with fresh ones.
pub struct ChangePassword {
    pub(crate) confirm_password: Arc<ConfirmPassword>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) issue_tokens: Arc<IssueTokens>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) rules: SessionRules,
}

/// A request of the caller to change their password.
#[derive(Clone, Debug)]
pub struct NewPasswordRequest {
    pub current: Password,
    pub new: Password,
}

#[derive(Debug, Error)]
pub enum ChangePasswordError {
    #[error(transparent)]
    Confirm(#[from] ConfirmPasswordError),
    #[error(transparent)]
    Refused(#[from] PasswordRefused),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<AcceptPasswordError> for ChangePasswordError {
    fn from(error: AcceptPasswordError) -> Self {
        match error {
            AcceptPasswordError::Refused(refused) => Self::Refused(refused),
            AcceptPasswordError::Port(error) => error.into(),
        }
    }
}

impl From<Refusal> for ChangePasswordError {
    fn from(refusal: Refusal) -> Self {
        Self::Change(refusal.into())
    }
}

impl From<PortError> for ChangePasswordError {
    fn from(error: PortError) -> Self {
        Self::Change(error.into())
    }
}

impl ChangePassword {
    /// # Errors
    /// [`ChangePasswordError`]; nothing has changed then.
    pub async fn execute(
        &self,
        caller: &Caller,
        request: NewPasswordRequest,
        origin: Origin,
    ) -> Result<TokenPair, ChangePasswordError> {
        self.confirm_password.take_attempt(caller, &origin).await?;
        let new = self
            .accept_password
            .check(request.new, Some(&caller.user().login))?;
        self.confirm_password
            .execute(caller, request.current, &origin)
            .await?;
        // Rating is costly: not for a client that only holds a stolen token.
        let new = self.accept_password.execute(new).await?;
        let hash = self.hasher.hash(new.into_password()).await?;
        self.replace(caller, hash, origin).await
    }

    async fn replace(
        &self,
        caller: &Caller,
        hash: PasswordHash,
        origin: Origin,
    ) -> Result<TokenPair, ChangePasswordError> {
        let now = self.clock.now();
        let user = caller.user().id;
        let id = self.randomness.session_id(now);
        let (secret, digest) = self.issue_tokens.fresh_secret();
        let session = NewSession::opened_at(now, id, user, digest, &self.rules, &origin);
        let command = changes::ChangePassword {
            authorized_by: caller.identity(),
            hash,
            session: session.clone(),
        };
        let context = AuditContext {
            at: now,
            actor: Actor::User(user),
            origin,
        };
        let applied = self.accounts.execute(Arc::new(command), context).await?;
        let stored = session.stored(&applied.into_user()?);
        Ok(self.issue_tokens.issue(&stored, secret, now).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditAction,
        ports::{MockPasswordHasher, MockThrottle, MockUsers, Verification},
        throttle::ThrottleDecision,
        use_cases::fixtures::{
            GOOD_PASSWORD, USER, accept_password, accept_password_rated, caller, clock, credentials, hash,
            issue_tokens, origin, password, randomness, record_failed_attempt, session_rules, user,
        },
        user::{Epoch, User},
    };

    /// With a meter that finds every password strong.
    async fn change(
        new: &str,
        expect_users: impl FnOnce(&mut MockUsers),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> Result<TokenPair, ChangeOwnPasswordError> {
        change_if(accept_password_rated(4), new, expect_users, expect_hasher).await
    }

    async fn change_if(
        accept_password: Arc<AcceptPassword>,
        new: &str,
        expect_users: impl FnOnce(&mut MockUsers),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> Result<TokenPair, ChangeOwnPasswordError> {
        let mut throttle = MockThrottle::new();
        throttle
            .expect_take()
            .times(2)
            .returning(|_| Ok(ThrottleDecision::Allowed));
        let mut users = MockUsers::new();
        expect_users(&mut users);
        let mut hasher = MockPasswordHasher::new();
        expect_hasher(&mut hasher);
        let (users, hasher) = (Arc::new(users), Arc::new(hasher));
        let record_failed_attempt = record_failed_attempt(|trail| {
            trail
                .expect_note()
                .withf(|event, _| {
                    event.action == AuditAction::ReauthenticationFailed && event.user == Some(USER)
                })
                .returning(|_, _| Ok(()));
        });
        let confirm = ConfirmPassword::new(
            Arc::new(throttle),
            Arc::clone(&users) as _,
            Arc::clone(&hasher) as _,
            record_failed_attempt,
            clock(),
        );
        ChangeOwnPassword::new(
            Arc::new(confirm),
            users,
            accept_password,
            hasher,
            issue_tokens(),
            clock(),
            randomness(),
            session_rules(),
        )
        .execute(
            &caller(),
            NewPasswordRequest {
                current: password("current"),
                new: password(new),
            },
            origin(),
        )
        .await
    }

    #[tokio::test]
    async fn the_caller_goes_on_at_the_new_epoch() {
        let pair = change(
            GOOD_PASSWORD,
            |users| {
                users
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                users
                    .expect_change_password()
                    .withf(|change, context| {
                        change.authorized_by == caller().identity()
                            && change.hash == hash("$new")
                            && change.session.user == USER
                            && context.actor == Actor::User(USER)
                    })
                    .once()
                    .returning(|_, _| {
                        Ok(PasswordChanged::Now(User {
                            epoch: Epoch(5),
                            ..user()
                        }))
                    });
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .once()
                    .returning(|_, _| Ok(Verification::Right));
                hasher.expect_hash().once().returning(|_| Ok(hash("$new")));
            },
        )
        .await
        .expect("tokens");
        assert_eq!(pair.access_token.expose(), "epoch=5 roles=user");
    }

    #[tokio::test]
    async fn a_wrong_current_password_changes_nothing_and_costs_no_rating() {
        let refused = change_if(
            accept_password(|meter| {
                meter.expect_rate().never();
            }),
            GOOD_PASSWORD,
            |users| {
                users
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                users.expect_change_password().never();
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .once()
                    .returning(|_, _| Ok(Verification::Wrong));
            },
        )
        .await;
        assert!(matches!(refused, Err(ChangeOwnPasswordError::InvalidCredentials)));
    }

    #[tokio::test]
    async fn a_caller_who_has_changed_is_told_so_and_not_that_the_password_is_wrong() {
        let refused = change(
            GOOD_PASSWORD,
            |users| {
                users.expect_find_by_login().returning(|_| {
                    let mut changed = credentials();
                    changed.user.epoch = Epoch(5);
                    Ok(Some(changed))
                });
            },
            |hasher| {
                hasher.expect_verify().never();
            },
        )
        .await;
        assert!(matches!(refused, Err(ChangeOwnPasswordError::Outdated)));
    }

    #[tokio::test]
    async fn a_bad_new_password_costs_no_hash() {
        let refused = change(
            "short",
            |_| {},
            |hasher| {
                hasher.expect_verify().never();
            },
        )
        .await;
        assert!(matches!(refused, Err(ChangeOwnPasswordError::Refused(_))));
    }

    #[tokio::test]
    async fn a_new_password_that_is_rated_too_weak_changes_nothing_and_costs_no_hash() {
        let refused = change_if(
            accept_password_rated(1),
            GOOD_PASSWORD,
            |users| {
                users
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                users.expect_change_password().never();
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .once()
                    .returning(|_, _| Ok(Verification::Right));
                hasher.expect_hash().never();
            },
        )
        .await;
        assert!(matches!(
            refused,
            Err(ChangeOwnPasswordError::Refused(PasswordRefused::TooWeak { .. }))
        ));
    }

    #[tokio::test]
    async fn of_two_changes_at_once_one_is_outdated() {
        let refused = change(
            GOOD_PASSWORD,
            |users| {
                users
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                users
                    .expect_change_password()
                    .once()
                    .returning(|_, _| Ok(PasswordChanged::Stale));
            },
            |hasher| {
                hasher.expect_verify().returning(|_, _| Ok(Verification::Right));
                hasher.expect_hash().returning(|_| Ok(hash("$new")));
            },
        )
        .await;
        assert!(matches!(refused, Err(ChangeOwnPasswordError::Outdated)));
    }
}
