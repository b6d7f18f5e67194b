use super::LoggedIn;
use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::UserCaller,
    changes::{self, ChangeError, Refusal},
    password::{Password, PasswordHash, PasswordRefused},
    ports::{Accounts, Clock, HashClient, HashTicket, PortError, Randomness},
    session::{NewSession, SessionRules},
    steps::{
        AcceptPassword, AcceptPasswordError, ConfirmPassword, ConfirmPasswordError, IssueTokens,
        RecogniseDevice,
    },
};
use std::sync::Arc;
use thiserror::Error;

/// Replaces the caller's password and issues new tokens. When [`execute`](Self::execute) returns,
/// tokens issued earlier are rejected by every replica.
pub struct ChangePassword {
    pub(crate) confirm_password: Arc<ConfirmPassword>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) accept_password: Arc<AcceptPassword>,
    pub(crate) issue_tokens: Arc<IssueTokens>,
    pub(crate) recognise_device: Arc<RecogniseDevice>,
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

/// Why the caller's password was not changed.
#[derive(Debug, Error)]
pub enum ChangePasswordError {
    #[error(transparent)]
    Confirm(#[from] ConfirmPasswordError),
    #[error("the new password is the current one")]
    Unchanged,
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
    /// Verifies the current password, sets the new one and returns the new tokens.
    ///
    /// # Errors
    /// Returns a [`ChangePasswordError`]. After a port error the change may have been made; after
    /// any other error it was not.
    pub async fn execute(
        &self,
        caller: &UserCaller,
        request: NewPasswordRequest,
        origin: Origin,
    ) -> Result<LoggedIn, ChangePasswordError> {
        self.confirm_password.take_attempt(caller).await?;
        // No hash is needed: if the current password is wrong, nothing changes either.
        if request.new.is_same_as(&request.current) {
            return Err(ChangePasswordError::Unchanged);
        }
        let new = self
            .accept_password
            .check(request.new, Some(&caller.user().login))?;
        let mut ticket = HashTicket::new(HashClient::of(&origin, true));
        self.confirm_password
            .execute(caller, request.current, &origin, &mut ticket)
            .await?;
        // Rating is expensive, so it comes after the check of the current password: a client with a
        // stolen token must not cause it.
        let hash = self.accept_password.execute(new, &mut ticket).await?;
        self.replace(caller, hash, origin).await
    }

    async fn replace(
        &self,
        caller: &UserCaller,
        hash: PasswordHash,
        origin: Origin,
    ) -> Result<LoggedIn, ChangePasswordError> {
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
        let context = AuditContext::new(now, Actor::User(user), origin);
        let applied = self.accounts.execute(Arc::new(command), context).await?;
        let stored = session.stored(&applied.into_user()?);
        Ok(LoggedIn {
            tokens: self.issue_tokens.issue(&stored, secret, now).await?,
            device: self
                .recognise_device
                .issue(caller.user().login.canonical(), stored.id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditAction,
        authority::Denied,
        changes::{UserChange, fixtures::own_facts},
        fixtures::{
            GOOD_PASSWORD, SESSION, USER, audit_context, caller, credentials, hash, now, origin, password,
            user_caller, user_in,
        },
        one_time_password::OneTimePassword,
        ports::{MockAccounts, MockPasswordHasher, MockPasswordMeter, MockThrottle, Strength, Verification},
        role::Permissions,
        throttle::{Attempt, ThrottleDecision},
        use_cases::fixtures::{
            accept_password, clock, confirm_password, expect_change, issue_tokens, randomness, rating,
            recognise_device, record_failed_attempt, session_rules,
        },
        user::Epoch,
    };
    use mockall::predicate::eq;

    const CURRENT: &str = "0123a-56789-abcde-fghjk";

    /// Uses a meter that rates every password as strong.
    async fn change(
        new: &str,
        expect_accounts: impl FnOnce(&mut MockAccounts),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> Result<LoggedIn, ChangePasswordError> {
        change_if(rating(4), new, expect_accounts, expect_hasher).await
    }

    async fn change_if(
        expect_meter: impl FnOnce(&mut MockPasswordMeter),
        new: &str,
        expect_accounts: impl FnOnce(&mut MockAccounts),
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> Result<LoggedIn, ChangePasswordError> {
        let mut throttle = MockThrottle::new();
        throttle
            .expect_take()
            .with(eq(Attempt::Reauthenticate { session: SESSION }))
            .once()
            .returning(|_| Ok(ThrottleDecision::Allowed));
        let mut accounts = MockAccounts::new();
        expect_accounts(&mut accounts);
        let mut hasher = MockPasswordHasher::new();
        expect_hasher(&mut hasher);
        let (accounts, hasher) = (Arc::new(accounts), Arc::new(hasher));
        let record_failed_attempt = record_failed_attempt(|events| {
            events
                .expect_record()
                .withf(|event, _| {
                    event.action == AuditAction::ReauthenticationFailed && event.user == Some(USER)
                })
                .returning(|_, _| Ok(()));
        });
        let change = ChangePassword {
            confirm_password: confirm_password(throttle, &accounts, &hasher, record_failed_attempt),
            accounts,
            accept_password: accept_password(expect_meter, hasher),
            issue_tokens: issue_tokens(),
            recognise_device: recognise_device(),
            clock: clock(),
            randomness: randomness(),
            rules: session_rules(),
        };
        let request = NewPasswordRequest {
            current: password(CURRENT),
            new: password(new),
        };
        change.execute(&user_caller(), request, origin()).await
    }

    #[tokio::test]
    async fn the_caller_gets_tokens_at_the_new_epoch() {
        let pair = change_if(
            |meter| {
                meter
                    .expect_rate()
                    .withf(|_, _, ticket| ticket.is_admitted())
                    .returning(|_, _, _| {
                        Ok(Strength {
                            score: 4,
                            advice: None,
                        })
                    });
            },
            GOOD_PASSWORD,
            |accounts| {
                accounts
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                expect_change(accounts, own_facts(Permissions::new()), |executed| {
                    assert_eq!(executed.reads.caller, Some(caller().identity()));
                    assert_eq!(executed.context, audit_context());
                    let change = executed.decided.expect("the rules allow the change");
                    let session = change.open_session.expect("the change opens a session");
                    assert_eq!((session.user, session.created_at), (USER, change.at));
                    let UserChange::Update { user, hash: new } = change.user else {
                        panic!("expected an update")
                    };
                    assert_eq!((user.epoch, new), (Epoch(5), Some(hash("$new"))));
                });
            },
            |hasher| {
                hasher.expect_verify().once().returning(|_, _, ticket| {
                    ticket.admit();
                    Ok(Verification::Right)
                });
                hasher
                    .expect_hash()
                    .withf(|_, ticket| ticket.is_admitted())
                    .once()
                    .returning(|_, _| Ok(hash("$new")));
            },
        )
        .await
        .expect("tokens are issued");
        assert_eq!(pair.tokens.access_token.expose(), "epoch=5 roles=user");
    }

    #[tokio::test]
    async fn a_wrong_current_password_changes_nothing_and_costs_no_rating() {
        let refused = change_if(
            |meter| {
                meter.expect_rate().never();
            },
            GOOD_PASSWORD,
            |accounts| {
                accounts
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                accounts.expect_execute().never();
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .once()
                    .returning(|_, _, _| Ok(Verification::Wrong));
            },
        )
        .await;
        assert!(matches!(
            refused,
            Err(ChangePasswordError::Confirm(
                ConfirmPasswordError::InvalidCredentials
            ))
        ));
    }

    #[tokio::test]
    async fn a_caller_changed_concurrently_is_reported_as_outdated_instead_of_a_wrong_password() {
        let refused = change(
            GOOD_PASSWORD,
            |accounts| {
                accounts.expect_find_by_login().returning(|_| {
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
        assert!(matches!(
            refused,
            Err(ChangePasswordError::Confirm(ConfirmPasswordError::Outdated))
        ));
    }

    #[tokio::test]
    async fn the_current_password_in_any_spelling_is_no_new_one_and_costs_no_hash() {
        for new in [CURRENT, "O123A 56789 ABCDE FGHJK"] {
            let refused = change(
                new,
                |accounts| {
                    accounts.expect_execute().never();
                },
                |hasher| {
                    hasher.expect_verify().never();
                },
            )
            .await;
            assert!(matches!(refused, Err(ChangePasswordError::Unchanged)), "{new}");
        }
    }

    #[tokio::test]
    async fn a_used_one_time_password_is_accepted_as_the_current_one_in_its_canonical_form() {
        let changed = change(
            GOOD_PASSWORD,
            |accounts| {
                accounts.expect_find_by_login().returning(|_| {
                    let mut known = credentials();
                    known.user.one_time_password = Some(OneTimePassword {
                        expires_at: now(),
                        used_at: Some(now()),
                    });
                    Ok(Some(known))
                });
                expect_change(accounts, own_facts(Permissions::new()), |_| {});
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .withf(|password, _, _| password.expose() == CURRENT)
                    .once()
                    .returning(|_, _, _| Ok(Verification::Right));
                hasher.expect_hash().returning(|_, _| Ok(hash("$new")));
            },
        )
        .await;
        assert!(changed.is_ok());
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
        assert!(matches!(refused, Err(ChangePasswordError::Refused(_))));
    }

    #[tokio::test]
    async fn a_new_password_that_is_rated_too_weak_changes_nothing_and_costs_no_hash() {
        let refused = change_if(
            rating(1),
            GOOD_PASSWORD,
            |accounts| {
                accounts
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                accounts.expect_execute().never();
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .once()
                    .returning(|_, _, _| Ok(Verification::Right));
                hasher.expect_hash().never();
            },
        )
        .await;
        assert!(matches!(
            refused,
            Err(ChangePasswordError::Refused(PasswordRefused::TooWeak { .. }))
        ));
    }

    #[tokio::test]
    async fn of_two_concurrent_changes_one_is_outdated() {
        let refused = change(
            GOOD_PASSWORD,
            |accounts| {
                accounts
                    .expect_find_by_login()
                    .returning(|_| Ok(Some(credentials())));
                let mut changed = own_facts(Permissions::new());
                let caller = changed.caller.as_mut().expect("the facts contain the caller");
                user_in(caller).epoch = Epoch(5);
                expect_change(accounts, changed, |_| {});
            },
            |hasher| {
                hasher
                    .expect_verify()
                    .returning(|_, _, _| Ok(Verification::Right));
                hasher.expect_hash().returning(|_, _| Ok(hash("$new")));
            },
        )
        .await;
        assert!(matches!(
            refused,
            Err(ChangePasswordError::Change(ChangeError::Refused(
                Refusal::Denied(Denied::Stale)
            )))
        ));
    }
}
