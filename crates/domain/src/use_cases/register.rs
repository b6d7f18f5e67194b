use super::{CreateUser, CreateUserError, NewUserRequest};
use crate::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin},
    changes::{ChangeError, Refusal},
    password::{Password, PasswordRefused},
    ports::{Clock, PortError, Throttle},
    role::RoleNames,
    steps::RecordFailedAttempt,
    throttle::{Attempt, BudgetName, ThrottleDecision},
    user::User,
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Registers a user with the default roles.
///
/// The refusal of a taken login shows that it exists, so refusals that an enumeration of logins
/// causes are recorded in the audit log, up to the limit for failed attempts.
pub struct Register {
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) create_user: Arc<CreateUser>,
    pub(crate) record_failed_attempt: Arc<RecordFailedAttempt>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) default_roles: RoleNames,
}

/// Why a user was not registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error("too many attempts")]
    TooManyAttempts {
        retry_after: Duration,
        budget: BudgetName,
    },
    #[error(transparent)]
    Create(#[from] CreateUserError),
}

impl From<PortError> for RegisterError {
    fn from(error: PortError) -> Self {
        Self::Create(error.into())
    }
}

impl Register {
    /// Creates and returns the user.
    ///
    /// # Errors
    /// Returns a [`RegisterError`]. After a port error the user may have been created; after any
    /// other error they were not.
    pub async fn execute(
        &self,
        login: String,
        password: Password,
        origin: Origin,
    ) -> Result<User, RegisterError> {
        let address = origin.address;
        let decision = self.throttle.take(&Attempt::Register { address }).await?;
        if let ThrottleDecision::Refused { retry_after, budget } = decision {
            self.record_refusal("too_many_attempts", &origin).await?;
            return Err(RegisterError::TooManyAttempts {
                retry_after,
                budget: budget.name(),
            });
        }
        let request = NewUserRequest {
            login,
            password,
            roles: self.default_roles.clone(),
        };
        let created = self
            .create_user
            .execute(request, Actor::Anonymous, origin.clone())
            .await;
        if let Some(cause) = created.as_ref().err().and_then(cause) {
            self.record_refusal(cause, &origin).await?;
        }
        Ok(created?)
    }

    /// Records a refusal without the login: users sometimes type a password into that field.
    async fn record_refusal(&self, cause: &str, origin: &Origin) -> Result<(), PortError> {
        let event = AuditEvent::new(AuditAction::RegistrationRefused).with("cause", cause);
        let context = AuditContext::new(self.clock.now(), Actor::Anonymous, origin.clone());
        self.record_failed_attempt.execute(event, context).await
    }
}

/// Returns the recorded cause of a refusal. The rules that cost nothing are not recorded: their
/// violations show nothing that the client does not know.
fn cause(error: &CreateUserError) -> Option<&'static str> {
    match error {
        CreateUserError::Refused {
            password: Some(PasswordRefused::TooWeak { .. } | PasswordRefused::Breached),
            ..
        } => Some("weak_password"),
        CreateUserError::Change(ChangeError::Refused(Refusal::LoginTaken)) => Some("login_taken"),
        CreateUserError::Refused { .. } | CreateUserError::Change(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::fixtures::facts_about,
        fixtures::{GOOD_PASSWORD, credentials, hash, origin, password, roles, user},
        ports::{MockAccounts, MockPasswordHasher, MockThrottle},
        role::RoleName,
        throttle::{BudgetKind, Width},
        use_cases::fixtures::{
            accept_password, clock, expect_change, randomness, rating, record_failed_attempt,
        },
    };
    use mockall::predicate::eq;
    use std::sync::Mutex;

    /// The use case, and the cause of each refusal that it has recorded.
    struct Registering {
        register: Register,
        recorded: Arc<Mutex<Vec<String>>>,
    }

    impl Registering {
        /// Rates every password with `score`.
        fn new(
            decision: ThrottleDecision,
            score: u8,
            accounts: MockAccounts,
            hasher: MockPasswordHasher,
        ) -> Self {
            let create_user = CreateUser {
                accounts: Arc::new(accounts),
                accept_password: accept_password(rating(score), Arc::new(hasher)),
                clock: clock(),
                randomness: randomness(),
            };
            let recorded = Arc::new(Mutex::new(Vec::new()));
            let kept = Arc::clone(&recorded);
            let record = record_failed_attempt(|events| {
                events.expect_record().returning(move |event, context| {
                    assert_eq!(event.action, AuditAction::RegistrationRefused);
                    assert_eq!(context.actor, Actor::Anonymous);
                    assert_eq!(context.origin, origin());
                    assert_eq!((event.user, event.details.len()), (None, 1));
                    kept.lock()
                        .expect("no other thread panics")
                        .push(event.details["cause"].clone());
                    Ok(())
                });
            });
            let register = Register {
                throttle: Arc::new(throttle(decision)),
                create_user: Arc::new(create_user),
                record_failed_attempt: record,
                clock: clock(),
                default_roles: RoleNames::from([RoleName::USER]),
            };
            Self { register, recorded }
        }

        async fn execute(&self) -> Result<User, RegisterError> {
            self.register
                .execute("alice".to_owned(), password(GOOD_PASSWORD), origin())
                .await
        }

        fn recorded(&self) -> Vec<String> {
            self.recorded.lock().expect("no other thread panics").clone()
        }
    }

    fn throttle(decision: ThrottleDecision) -> MockThrottle {
        let mut throttle = MockThrottle::new();
        let address = origin().address;
        throttle
            .expect_take()
            .with(eq(Attempt::Register { address }))
            .once()
            .returning(move |_| Ok(decision));
        throttle
    }

    #[tokio::test]
    async fn a_registered_user_has_the_default_roles_and_no_other() {
        let mut accounts = MockAccounts::new();
        accounts.expect_find_by_login().returning(|_| Ok(None));
        expect_change(&mut accounts, facts_about(user()), |executed| {
            assert_eq!(executed.context.actor, Actor::Anonymous);
        });
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_hash().returning(|_, _| Ok(hash("$made")));
        let registering = Registering::new(ThrottleDecision::Allowed, 4, accounts, hasher);
        let registered = registering.execute().await.expect("the user is registered");
        assert_eq!(registered.roles, roles(&["user"]));
        assert_eq!(registering.recorded(), [""; 0]);
    }

    #[tokio::test]
    async fn a_throttled_client_is_refused_before_any_read_and_recorded() {
        let wait = Duration::from_secs(3);
        let decision = ThrottleDecision::Refused {
            retry_after: wait,
            budget: BudgetKind::Network(Width::Site),
        };
        let (accounts, hasher) = (MockAccounts::new(), MockPasswordHasher::new());
        let registering = Registering::new(decision, 4, accounts, hasher);
        let refused = registering.execute().await;
        let Err(RegisterError::TooManyAttempts { retry_after, budget }) = refused else {
            panic!("expected a refusal: {refused:?}")
        };
        assert_eq!((retry_after, budget), (wait, BudgetName::Network));
        assert_eq!(registering.recorded(), ["too_many_attempts"]);
    }
    #[tokio::test]
    async fn a_taken_login_is_recorded() {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find_by_login()
            .returning(|_| Ok(Some(credentials())));
        let registering = Registering::new(ThrottleDecision::Allowed, 4, accounts, MockPasswordHasher::new());
        let refused = registering.execute().await;
        assert!(matches!(
            refused,
            Err(RegisterError::Create(CreateUserError::Change(
                ChangeError::Refused(Refusal::LoginTaken)
            )))
        ));
        assert_eq!(registering.recorded(), ["login_taken"]);
    }

    #[tokio::test]
    async fn a_weak_password_is_recorded_and_no_login_is_looked_up() {
        // The mock panics if a login is looked up.
        let registering = Registering::new(
            ThrottleDecision::Allowed,
            1,
            MockAccounts::new(),
            MockPasswordHasher::new(),
        );
        let refused = registering.execute().await;
        assert!(matches!(
            refused,
            Err(RegisterError::Create(CreateUserError::Refused { .. }))
        ));
        assert_eq!(registering.recorded(), ["weak_password"]);
    }

    #[tokio::test]
    async fn violations_of_cheap_rules_are_not_recorded() {
        let registering = Registering::new(
            ThrottleDecision::Allowed,
            4,
            MockAccounts::new(),
            MockPasswordHasher::new(),
        );
        let refused = registering
            .register
            .execute("alice".to_owned(), password("short"), origin())
            .await;
        assert!(refused.is_err());
        assert_eq!(registering.recorded(), [""; 0]);
    }
}
