use crate::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin},
    changes::{ChangeError, OpenSession},
    device_token::DeviceToken,
    login::Login,
    password::{Password, PasswordHash},
    ports::{Accounts, Clock, HashTicket, PasswordHasher, PortError, Randomness, Throttle, Verification},
    session::{NewSession, SessionRules},
    steps::{
        AdmitLogin, AdmitLoginError, AdmittedLogin, IssueTokens, RecogniseDevice, RecordFailedAttempt,
        TokenPair,
    },
    throttle::BudgetName,
    user::{Credentials, User, UserId},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// The maximum number of attempts to open a session whose user is changed concurrently.
const MAX_TRIES: u32 = 3;

/// Opens a session for a client that presents a login and its password.
///
/// An unknown login, a wrong password, a used or expired one-time password and a disabled user have
/// the same response and take the same time (OWASP ASVS 5.0, V6.3.8).
pub struct LogIn {
    pub(crate) admit_login: Arc<AdmitLogin>,
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) recognise_device: Arc<RecogniseDevice>,
    pub(crate) issue_tokens: Arc<IssueTokens>,
    pub(crate) record_failed_attempt: Arc<RecordFailedAttempt>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) rules: SessionRules,
}

/// What a client presents to log in.
#[derive(Clone, Debug)]
pub struct LogInRequest {
    pub login: String,
    pub password: Password,
    /// The device token of an earlier login. One that is not valid for the login is ignored.
    pub device: Option<DeviceToken>,
    pub origin: Origin,
}

/// A session that was opened.
#[derive(Clone, Debug)]
pub struct LoggedIn {
    pub tokens: TokenPair,
    /// The token with which the device is known at its next login.
    pub device: DeviceToken,
}

/// Why no session was opened.
#[derive(Debug, Error)]
pub enum LogInError {
    #[error("the login or the password is wrong")]
    InvalidCredentials,
    #[error("too many attempts")]
    TooManyAttempts {
        retry_after: Duration,
        budget: BudgetName,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<AdmitLoginError> for LogInError {
    fn from(error: AdmitLoginError) -> Self {
        match error {
            AdmitLoginError::TooManyAttempts { retry_after, budget } => {
                Self::TooManyAttempts { retry_after, budget }
            }
            AdmitLoginError::Port(error) => Self::Port(error),
        }
    }
}

impl LogIn {
    /// Verifies the password and opens a session.
    ///
    /// # Errors
    /// Returns a [`LogInError`]. After a port error a session may have been opened; after any other
    /// error none was.
    pub async fn execute(&self, request: LogInRequest) -> Result<LoggedIn, LogInError> {
        // A text that cannot be a login is handled like an unknown login.
        let login = Login::parse(&request.login).ok();
        let origin = request.origin;
        let AdmittedLogin {
            mut ticket,
            attempt,
            decision,
            credentials,
        } = self
            .admit(login.as_ref(), request.device.as_ref(), &origin)
            .await?;
        let user = credentials.as_ref().map(|known| known.user.id);
        let verified = self.verify(request.password, credentials, &mut ticket).await?;
        if let Some(verified) = verified {
            match self.open_session(verified, &origin).await {
                Err(LogInError::InvalidCredentials) => {}
                opened => {
                    self.throttle.succeeded(&attempt, decision).await;
                    return opened;
                }
            }
        }
        self.record_failure(user, "invalid_credentials", &origin).await?;
        Err(LogInError::InvalidCredentials)
    }

    /// Admits the attempt. A refusal is recorded in the audit log.
    async fn admit(
        &self,
        login: Option<&Login>,
        device: Option<&DeviceToken>,
        origin: &Origin,
    ) -> Result<AdmittedLogin, LogInError> {
        let admitted = self.admit_login.execute(login, device, origin).await;
        if let Err(AdmitLoginError::TooManyAttempts { .. }) = admitted {
            self.record_failure(None, "too_many_attempts", origin).await?;
        }
        Ok(admitted?)
    }

    /// Records the user whose password was wrong, if known, but never the login: users sometimes
    /// type a password into that field.
    async fn record_failure(
        &self,
        user: Option<UserId>,
        cause: &str,
        origin: &Origin,
    ) -> Result<(), PortError> {
        let event = AuditEvent {
            user,
            ..AuditEvent::new(AuditAction::LoginFailed).with("cause", cause)
        };
        let context = AuditContext::new(self.clock.now(), Actor::Anonymous, origin.clone());
        self.record_failed_attempt.execute(event, context).await
    }

    /// Returns the credentials if the password is right, with the hash that is stored when this
    /// returns.
    async fn verify(
        &self,
        password: Password,
        credentials: Option<Credentials>,
        ticket: &mut HashTicket,
    ) -> Result<Option<Credentials>, PortError> {
        // A user who cannot log in, who is disabled or whose one-time password is used or expired,
        // is handled like an unknown one, so that the time does not show whether the password is
        // right.
        let now = self.clock.now();
        let active = credentials.filter(|known| known.user.may_log_in(now));
        let password = match &active {
            Some(known) => known.user.normalised(password),
            None => password,
        };
        let hash = active.as_ref().map(|known| known.hash.clone());
        let verification = self.hasher.verify(password.clone(), hash, ticket).await?;
        match active.filter(|_| verification != Verification::Wrong) {
            Some(credentials) if verification == Verification::RightButOutdated => {
                Ok(Some(self.rehash(password, credentials, ticket).await?))
            }
            right => Ok(right),
        }
    }

    async fn rehash(
        &self,
        password: Password,
        credentials: Credentials,
        ticket: &mut HashTicket,
    ) -> Result<Credentials, PortError> {
        let Credentials { user, hash: old } = credentials;
        let new = self.hasher.hash(password, ticket).await?;
        let replaced = self.accounts.replace_hash(user.id, &old, &new).await?;
        Ok(Credentials {
            user,
            hash: if replaced { new } else { old },
        })
    }

    async fn open_session(&self, verified: Credentials, origin: &Origin) -> Result<LoggedIn, LogInError> {
        let Credentials { mut user, hash } = verified;
        for _ in 0..MAX_TRIES {
            if let Some(logged_in) = self.try_open(&user, origin).await? {
                return Ok(logged_in);
            }
            user = self.still_verified(user, &hash).await?;
        }
        Err(PortError::Overloaded.into())
    }

    /// Returns `None` if the user's epoch has changed since they were read, or their one-time
    /// password was used.
    async fn try_open(&self, user: &User, origin: &Origin) -> Result<Option<LoggedIn>, PortError> {
        let now = self.clock.now();
        let id = self.randomness.session_id(now);
        let (secret, digest) = self.issue_tokens.fresh_secret();
        let session = NewSession::opened_at(now, id, user.id, digest, &self.rules, origin);
        let stored = session.stored(user);
        let context = AuditContext::new(now, Actor::User(user.id), origin.clone());
        let open = OpenSession {
            session,
            epoch: user.epoch,
            known: Some(user.into()),
            max_sessions: self.rules.max_per_user,
        };
        match self.accounts.execute(Arc::new(open), context).await {
            Ok(_) => Ok(Some(LoggedIn {
                tokens: self.issue_tokens.issue(&stored, secret, now).await?,
                device: self.recognise_device.issue(user.login.canonical(), stored.id),
            })),
            Err(ChangeError::Refused(_)) => Ok(None),
            Err(ChangeError::Port(error)) => Err(error),
        }
    }

    /// Returns the user as they are now, if the verified password is still theirs.
    async fn still_verified(&self, user: User, hash: &PasswordHash) -> Result<User, LogInError> {
        match self.accounts.find_by_login(user.login.canonical()).await? {
            Some(known)
                if known.hash == *hash
                    && known.user.id == user.id
                    && known.user.may_log_in(self.clock.now()) =>
            {
                Ok(known.user)
            }
            _ => Err(LogInError::InvalidCredentials),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{EndSessionsOf, Facts, LiveSession, UserChange, fixtures::facts_about},
        fixtures::{USER, credentials, hash, now, origin, password, user},
        one_time_password::OneTimePassword,
        ports::{LoginFacts, MockAccounts, MockPasswordHasher, MockThrottle, PlaceQuery},
        session::{EndReason, SessionId},
        throttle::{Attempt, BudgetKind, Network, Place, ThrottleDecision},
        use_cases::fixtures::{
            applied, clock, expect_change, issue_tokens, randomness, recognise_device,
            record_any_failed_attempt, record_failed_attempt, session_rules,
        },
        user::{Epoch, UserStatus},
    };
    use chrono::Duration as TimeDelta;
    use mockall::{Sequence, predicate::eq};
    use uuid::Uuid;

    /// The session of the device token that a client presents.
    const DEVICE: SessionId = SessionId(Uuid::from_u128(9));

    #[derive(Default)]
    struct Mocks {
        throttle: MockThrottle,
        accounts: MockAccounts,
        hasher: MockPasswordHasher,
        record_failed_attempt: Option<Arc<RecordFailedAttempt>>,
    }

    impl Mocks {
        /// Creates mocks of a throttle that allows one attempt, storage that finds `found`, and a
        /// hasher with room.
        fn that_admit(found: Option<LoginFacts>) -> Self {
            let mut mocks = Self::default();
            mocks.hasher.expect_reserve().once().returning(|_| Ok(()));
            mocks.hasher.expect_settle().once().returning(|_| Ok(()));
            mocks
                .accounts
                .expect_find_for_login()
                .return_once(move |_, _| Ok(found));
            mocks
                .throttle
                .expect_take()
                .once()
                .returning(|_| Ok(ThrottleDecision::Allowed));
            mocks
        }

        /// Creates mocks that admit a login of one user, whose password the hasher verifies as
        /// `verification`.
        fn that_find(verification: Verification) -> Self {
            let mut mocks = Self::that_admit(Some(facts(false, false)));
            mocks
                .hasher
                .expect_verify()
                .once()
                .returning(move |_, _, ticket| {
                    ticket.admit();
                    Ok(verification)
                });
            let successes = usize::from(verification != Verification::Wrong);
            mocks
                .throttle
                .expect_succeeded()
                .times(successes)
                .return_const(());
            mocks
        }

        async fn log_in(self, login: &str) -> Result<TokenPair, LogInError> {
            let logged_in = self.log_in_from(login, None).await?;
            Ok(logged_in.tokens)
        }

        async fn log_in_from(self, login: &str, device: Option<DeviceToken>) -> Result<LoggedIn, LogInError> {
            self.present(login, "whatever it is", device).await
        }

        async fn log_in_with(self, login: &str, text: &str) -> Result<TokenPair, LogInError> {
            let logged_in = self.present(login, text, None).await?;
            Ok(logged_in.tokens)
        }

        async fn present(
            self,
            login: &str,
            text: &str,
            device: Option<DeviceToken>,
        ) -> Result<LoggedIn, LogInError> {
            let throttle = Arc::new(self.throttle);
            let accounts = Arc::new(self.accounts);
            let hasher = Arc::new(self.hasher);
            let use_case = LogIn {
                admit_login: Arc::new(AdmitLogin {
                    throttle: throttle.clone(),
                    accounts: accounts.clone(),
                    hasher: hasher.clone(),
                    recognise_device: recognise_device(),
                    clock: clock(),
                }),
                throttle,
                accounts,
                hasher,
                recognise_device: recognise_device(),
                issue_tokens: issue_tokens(),
                record_failed_attempt: self
                    .record_failed_attempt
                    .unwrap_or_else(record_any_failed_attempt),
                clock: clock(),
                randomness: randomness(),
                rules: session_rules(),
            };
            let request = LogInRequest {
                login: login.to_owned(),
                password: password(text),
                device,
                origin: origin(),
            };
            use_case.execute(request).await
        }
    }

    fn facts(is_network_known: bool, is_device_known: bool) -> LoginFacts {
        LoginFacts {
            credentials: credentials(),
            is_network_known,
            is_device_known,
        }
    }

    fn site() -> Network {
        Network::site(origin().address.expect("the origin has an address"))
    }

    fn attempt(place: Place) -> Attempt {
        Attempt::LogIn {
            account: Some(user().login.canonical().clone()),
            address: origin().address,
            place,
        }
    }

    fn refused(retry_after: Duration) -> ThrottleDecision {
        ThrottleDecision::Refused {
            retry_after,
            budget: BudgetKind::KnownPlace,
        }
    }

    /// Facts about [`user`], whose epoch is now `epoch`.
    fn at_epoch(epoch: Epoch) -> Facts {
        facts_about(User { epoch, ..user() })
    }

    #[tokio::test]
    async fn the_right_password_opens_a_session_at_the_epoch_that_was_read_with_it() {
        let mut mocks = Mocks::that_find(Verification::Right);
        expect_change(&mut mocks.accounts, facts_about(user()), |executed| {
            assert_eq!(executed.reads.account, Some(USER));
            assert!(executed.reads.live_sessions);
            assert_eq!(executed.context.actor, Actor::User(USER));
            let session = executed.decided.expect("the rules allow the change").open_session;
            let session = session.expect("the change opens a session");
            assert_eq!((session.user, session.created_at), (USER, executed.context.at));
            assert_eq!(session.user_agent.as_deref(), Some("curl/8"));
        });
        let pair = mocks.log_in("ALICE").await.expect("tokens are issued");
        assert_eq!(pair.access_token.expose(), "epoch=4 roles=user");
    }

    #[tokio::test]
    async fn the_oldest_sessions_are_evicted_at_the_limit() {
        let mut mocks = Mocks::that_find(Verification::Right);
        let live_sessions: Vec<_> = (1..=102)
            .map(|id| LiveSession {
                number: 1,
                created_at: now() - Duration::from_secs(1),
                id: SessionId(Uuid::from_u128(id)),
            })
            .collect();
        let facts = Facts {
            live_sessions,
            ..facts_about(user())
        };
        expect_change(&mut mocks.accounts, facts, |executed| {
            let Some((EndSessionsOf::Sessions(ended), EndReason::MadeRoom)) =
                executed.decided.expect("the rules allow the change").end_sessions
            else {
                panic!("expected evicted sessions")
            };
            assert_eq!(ended.len(), 3, "the limit is 100 sessions, including the new one");
        });
        assert!(mocks.log_in("alice").await.is_ok());
    }

    #[tokio::test]
    async fn a_login_that_keeps_racing_changes_fails() {
        let mut mocks = Mocks::that_find(Verification::Right);
        mocks
            .accounts
            .expect_find_by_login()
            .times(3)
            .returning(|_| Ok(Some(credentials())));
        mocks
            .accounts
            .expect_execute()
            .times(3)
            .returning(|command, context| applied(command.decide(&at_epoch(Epoch(5)), context.at)));
        assert!(matches!(
            mocks.log_in("alice").await,
            Err(LogInError::Port(PortError::Overloaded))
        ));
    }

    #[tokio::test]
    async fn a_wrong_password_opens_no_session() {
        let mut mocks = Mocks::that_find(Verification::Wrong);
        mocks.accounts.expect_execute().never();
        assert!(matches!(
            mocks.log_in("alice").await,
            Err(LogInError::InvalidCredentials)
        ));
    }

    #[tokio::test]
    async fn a_disabled_user_is_handled_like_an_unknown_one() {
        let mut disabled = facts(true, false);
        disabled.credentials.user.status = UserStatus::Disabled;
        let mut mocks = Mocks::that_admit(Some(disabled));
        mocks
            .hasher
            .expect_verify()
            .withf(|_, hash, _| hash.is_none())
            .once()
            .returning(|_, _, _| Ok(Verification::Right));
        mocks.accounts.expect_execute().never();
        assert!(matches!(
            mocks.log_in("alice").await,
            Err(LogInError::InvalidCredentials)
        ));
    }

    const CODE: &str = "0123a-56789-abcde-fghjk";

    /// [`credentials`] with a one-time password.
    fn with_one_time_password(password: OneTimePassword) -> Credentials {
        let mut credentials = credentials();
        credentials.user.must_change_password = true;
        credentials.user.one_time_password = Some(password);
        credentials
    }

    fn unused() -> OneTimePassword {
        OneTimePassword::until(now() + Duration::from_secs(1))
    }

    fn used() -> OneTimePassword {
        OneTimePassword {
            used_at: Some(now()),
            ..unused()
        }
    }

    /// Mocks of a throttle that allows an attempt, and storage with `credentials`.
    fn mocks_with(credentials: Credentials) -> Mocks {
        Mocks::that_admit(Some(LoginFacts {
            credentials,
            ..facts(false, false)
        }))
    }

    #[tokio::test]
    async fn only_the_text_for_a_one_time_password_is_read_as_a_code() {
        for (credentials, verified) in [
            (with_one_time_password(unused()), CODE),
            (credentials(), "O123A 56789 ABCDE FGHJK"),
        ] {
            let mut mocks = mocks_with(credentials);
            mocks
                .hasher
                .expect_verify()
                .withf(move |password, hash, _| {
                    password.expose() == verified && *hash == Some(self::hash("$stored"))
                })
                .once()
                .returning(|_, _, _| Ok(Verification::Wrong));
            let refused = mocks.log_in_with("alice", "O123A 56789 ABCDE FGHJK").await;
            assert!(matches!(refused, Err(LogInError::InvalidCredentials)));
        }
    }

    #[tokio::test]
    async fn an_unused_one_time_password_opens_a_session_and_is_used_then() {
        let mut mocks = mocks_with(with_one_time_password(unused()));
        mocks
            .hasher
            .expect_verify()
            .once()
            .returning(|_, _, _| Ok(Verification::Right));
        mocks.throttle.expect_succeeded().once().return_const(());
        let facts = facts_about(with_one_time_password(unused()).user);
        expect_change(&mut mocks.accounts, facts, |executed| {
            let change = executed.decided.expect("the rules allow the change");
            assert_eq!(change.user, UserChange::LoggedInOnce(USER));
        });
        assert!(mocks.log_in_with("alice", CODE).await.is_ok());
    }

    #[tokio::test]
    async fn a_used_or_expired_one_time_password_is_handled_like_an_unknown_login() {
        for password in [used(), OneTimePassword::until(now())] {
            let mut mocks = mocks_with(with_one_time_password(password));
            mocks
                .hasher
                .expect_verify()
                .withf(|_, hash, _| hash.is_none())
                .once()
                .returning(|_, _, _| Ok(Verification::Right));
            mocks.accounts.expect_execute().never();
            let refused = mocks.log_in_with("alice", CODE).await;
            assert!(
                matches!(refused, Err(LogInError::InvalidCredentials)),
                "{password:?}"
            );
        }
    }

    #[tokio::test]
    async fn of_two_concurrent_logins_with_a_one_time_password_one_fails_and_is_recorded() {
        let mut mocks = mocks_with(with_one_time_password(unused()));
        mocks
            .hasher
            .expect_verify()
            .once()
            .returning(|_, _, _| Ok(Verification::Right));
        let facts = facts_about(with_one_time_password(used()).user);
        expect_change(&mut mocks.accounts, facts, |_| {});
        mocks
            .accounts
            .expect_find_by_login()
            .once()
            .returning(|_| Ok(Some(with_one_time_password(used()))));
        mocks.throttle.expect_succeeded().never();
        mocks.record_failed_attempt = Some(record_failed_attempt(|events| {
            events
                .expect_record()
                .withf(|event, _| event.user == Some(USER))
                .once()
                .returning(|_, _| Ok(()));
        }));
        let refused = mocks.log_in_with("alice", CODE).await;
        assert!(matches!(refused, Err(LogInError::InvalidCredentials)));
    }

    #[tokio::test]
    async fn unknown_and_invalid_logins_cost_a_hash_too() {
        for login in ["unknown", "", "a b\u{0}"] {
            let mut mocks = Mocks::that_admit(None);
            mocks
                .hasher
                .expect_verify()
                .withf(|_, hash, _| hash.is_none())
                .once()
                .returning(|_, _, _| Ok(Verification::Wrong));
            assert!(
                matches!(mocks.log_in(login).await, Err(LogInError::InvalidCredentials)),
                "{login:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_refused_attempt_costs_no_hash_and_takes_nothing_back() {
        let mut mocks = Mocks::default();
        let wait = Duration::from_secs(7);
        mocks.hasher.expect_reserve().once().returning(|_| Ok(()));
        mocks.hasher.expect_settle().once().returning(|_| Ok(()));
        let found = facts(true, false);
        mocks
            .accounts
            .expect_find_for_login()
            .return_once(|_, _| Ok(Some(found)));
        mocks
            .throttle
            .expect_take()
            .once()
            .returning(move |_| Ok(refused(wait)));
        mocks.throttle.expect_succeeded().never();
        mocks.hasher.expect_verify().never();
        let Err(LogInError::TooManyAttempts { retry_after, budget }) = mocks.log_in("alice").await else {
            panic!("expected a refusal")
        };
        assert_eq!((retry_after, budget), (wait, BudgetName::Account));
    }

    #[tokio::test]
    async fn a_full_hash_queue_rejects_an_attempt_before_it_is_read_or_counted() {
        let mut mocks = Mocks::default();
        mocks
            .hasher
            .expect_reserve()
            .once()
            .returning(|_| Err(PortError::Overloaded));
        mocks.accounts.expect_find_for_login().never();
        mocks.throttle.expect_take().never();
        let rejected = mocks.log_in("alice").await;
        assert!(matches!(rejected, Err(LogInError::Port(PortError::Overloaded))));
    }

    #[tokio::test]
    async fn a_place_that_is_refused_after_the_read_costs_no_attempt() {
        for found in [Some(facts(true, false)), Some(facts(false, false)), None] {
            let mut mocks = Mocks::default();
            mocks.hasher.expect_reserve().once().returning(|_| Ok(()));
            mocks
                .accounts
                .expect_find_for_login()
                .return_once(|_, _| Ok(found));
            mocks
                .hasher
                .expect_settle()
                .once()
                .returning(|_| Err(PortError::Overloaded));
            mocks.throttle.expect_take().never();
            mocks.hasher.expect_verify().never();
            let rejected = mocks.log_in("alice").await;
            assert!(matches!(rejected, Err(LogInError::Port(PortError::Overloaded))));
        }
    }

    #[tokio::test]
    async fn an_attempt_is_queued_read_settled_counted_and_verified_and_then_succeeds_where_it_was_counted() {
        let mut mocks = Mocks::default();
        let order = &mut Sequence::new();
        let (hasher, accounts, throttle) = (&mut mocks.hasher, &mut mocks.accounts, &mut mocks.throttle);
        let found = facts(true, false);
        hasher
            .expect_reserve()
            .once()
            .in_sequence(order)
            .returning(|_| Ok(()));
        accounts
            .expect_find_for_login()
            .once()
            .in_sequence(order)
            .return_once(|_, _| Ok(Some(found)));
        hasher
            .expect_settle()
            .withf(|ticket| ticket.client().is_known)
            .once()
            .in_sequence(order)
            .returning(|_| Ok(()));
        throttle
            .expect_take()
            .once()
            .in_sequence(order)
            .returning(|_| Ok(ThrottleDecision::AllowedByFallback));
        hasher
            .expect_verify()
            .once()
            .in_sequence(order)
            .returning(|_, _, _| Ok(Verification::Right));
        throttle
            .expect_succeeded()
            .with(
                eq(attempt(Place::KnownNetwork(site()))),
                eq(ThrottleDecision::AllowedByFallback),
            )
            .once()
            .in_sequence(order)
            .return_const(());
        expect_change(accounts, facts_about(user()), |_| {});
        assert!(mocks.log_in("alice").await.is_ok());
    }

    #[tokio::test]
    async fn an_attempt_is_charged_to_its_place_and_queued_as_known_or_unknown() {
        let genuine = recognise_device().issue(user().login.canonical(), DEVICE);
        let known_device = Place::KnownDevice(DEVICE);
        let known_network = Place::KnownNetwork(site());
        for (device, found, place) in [
            (None, facts(false, false), Place::Unknown),
            (None, facts(true, false), known_network),
            (Some(genuine.clone()), facts(false, true), known_device),
            (Some(genuine.clone()), facts(true, true), known_device),
            // Storage does not know the session, or it ended because its place is not trusted.
            (Some(genuine.clone()), facts(true, false), known_network),
            (Some(genuine), facts(false, false), Place::Unknown),
        ] {
            let mut mocks = Mocks::default();
            let has_device = device.is_some();
            mocks
                .hasher
                .expect_reserve()
                .withf(move |ticket| {
                    let client = ticket.client();
                    client.network == Some(site()) && client.is_known == has_device
                })
                .once()
                .returning(|_| Ok(()));
            mocks.hasher.expect_settle().once().returning(|_| Ok(()));
            let asked = PlaceQuery {
                network: Some(site()),
                device: has_device.then_some(DEVICE),
                since: now() - TimeDelta::days(30),
            };
            mocks
                .accounts
                .expect_find_for_login()
                .with(eq(user().login.canonical().clone()), eq(asked))
                .return_once(move |_, _| Ok(Some(found)));
            mocks
                .throttle
                .expect_take()
                .with(eq(attempt(place)))
                .once()
                .returning(|_| Ok(ThrottleDecision::Allowed));
            mocks
                .hasher
                .expect_verify()
                .withf(move |_, _, ticket| ticket.client().is_known == place.is_known())
                .once()
                .returning(|_, _, _| Ok(Verification::Wrong));
            // All spellings are one account.
            assert!(
                mocks.log_in_from("Ａｌｉｃｅ", device).await.is_err(),
                "{place:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_known_network_admits_a_device_whose_token_another_client_used_up() {
        let genuine = recognise_device().issue(user().login.canonical(), DEVICE);
        let mut mocks = Mocks::default();
        mocks.hasher.expect_reserve().once().returning(|_| Ok(()));
        mocks.hasher.expect_settle().once().returning(|_| Ok(()));
        mocks
            .accounts
            .expect_find_for_login()
            .return_once(|_, _| Ok(Some(facts(true, true))));
        mocks
            .throttle
            .expect_take()
            .with(eq(attempt(Place::KnownDevice(DEVICE))))
            .once()
            .returning(|_| Ok(refused(Duration::from_secs(7))));
        mocks
            .throttle
            .expect_take()
            .with(eq(attempt(Place::KnownNetwork(site()))))
            .once()
            .returning(|_| Ok(ThrottleDecision::Allowed));
        mocks
            .throttle
            .expect_succeeded()
            .with(
                eq(attempt(Place::KnownNetwork(site()))),
                eq(ThrottleDecision::Allowed),
            )
            .once()
            .return_const(());
        mocks
            .hasher
            .expect_verify()
            .once()
            .returning(|_, _, _| Ok(Verification::Right));
        expect_change(&mut mocks.accounts, facts_about(user()), |_| {});
        assert!(mocks.log_in_from("alice", Some(genuine)).await.is_ok());
    }

    #[tokio::test]
    async fn a_device_token_that_was_not_issued_for_the_login_is_ignored() {
        let issuer = recognise_device();
        let other = Login::parse("another").expect("the login is valid");
        let genuine = issuer.issue(user().login.canonical(), DEVICE);
        for device in [
            issuer.issue(other.canonical(), DEVICE),
            DeviceToken::new(format!("{}A", genuine.expose())),
            DeviceToken::new("nonsense".to_owned()),
            DeviceToken::new(String::new()),
        ] {
            let mut mocks = Mocks::default();
            mocks
                .hasher
                .expect_reserve()
                .withf(|ticket| !ticket.client().is_known)
                .once()
                .returning(|_| Ok(()));
            mocks.hasher.expect_settle().once().returning(|_| Ok(()));
            mocks
                .accounts
                .expect_find_for_login()
                .withf(|_, places| places.device.is_none())
                .return_once(|_, _| Ok(Some(facts(false, true))));
            mocks
                .throttle
                .expect_take()
                .with(eq(attempt(Place::Unknown)))
                .once()
                .returning(|_| Ok(ThrottleDecision::Allowed));
            mocks
                .hasher
                .expect_verify()
                .returning(|_, _, _| Ok(Verification::Wrong));
            let text = device.expose().to_owned();
            assert!(mocks.log_in_from("alice", Some(device)).await.is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_login_returns_the_token_with_which_its_device_is_known() {
        let mut mocks = Mocks::that_find(Verification::Right);
        let (opened, session) = std::sync::mpsc::channel();
        expect_change(&mut mocks.accounts, facts_about(user()), move |executed| {
            let change = executed.decided.expect("the rules allow the change");
            let session = change.open_session.expect("the change opens a session");
            opened.send(session.id).expect("the test waits");
        });
        let logged_in = mocks
            .log_in_from("alice", None)
            .await
            .expect("the password is right");
        let device = recognise_device().execute(user().login.canonical(), &logged_in.device);
        assert_eq!(device, session.recv().ok());
    }

    #[tokio::test]
    async fn an_outdated_hash_is_replaced_on_the_same_ticket_before_the_session_opens() {
        let mut mocks = Mocks::that_find(Verification::RightButOutdated);
        mocks
            .hasher
            .expect_hash()
            .withf(|_, ticket| ticket.is_admitted())
            .once()
            .returning(|_, _| Ok(hash("$newer")));
        mocks
            .accounts
            .expect_replace_hash()
            .withf(|_, old, new| *old == hash("$stored") && *new == hash("$newer"))
            .once()
            .returning(|_, _, _| Ok(true));
        expect_change(&mut mocks.accounts, facts_about(user()), |_| {});
        assert!(mocks.log_in("alice").await.is_ok());
    }

    #[tokio::test]
    async fn a_login_that_races_a_change_of_roles_carries_the_new_roles() {
        let mut mocks = Mocks::that_find(Verification::Right);
        mocks.accounts.expect_find_by_login().once().returning(|_| {
            let mut changed = credentials();
            changed.user.epoch = Epoch(5);
            changed.user.roles.clear();
            Ok(Some(changed))
        });
        mocks
            .accounts
            .expect_execute()
            .times(2)
            .returning(|command, context| applied(command.decide(&at_epoch(Epoch(5)), context.at)));
        let pair = mocks.log_in("alice").await.expect("tokens are issued");
        assert_eq!(pair.access_token.expose(), "epoch=5 roles=");
    }

    #[tokio::test]
    async fn a_login_that_races_a_change_of_password_fails_and_takes_nothing_back() {
        let mut mocks = Mocks::that_admit(Some(facts(false, false)));
        mocks
            .hasher
            .expect_verify()
            .once()
            .returning(|_, _, _| Ok(Verification::Right));
        mocks.throttle.expect_succeeded().never();
        mocks.accounts.expect_find_by_login().once().returning(|_| {
            let mut changed = credentials();
            changed.user.epoch = Epoch(5);
            changed.hash = hash("$another");
            Ok(Some(changed))
        });
        expect_change(&mut mocks.accounts, at_epoch(Epoch(5)), |executed| {
            assert!(executed.decided.is_err());
        });
        assert!(matches!(
            mocks.log_in("alice").await,
            Err(LogInError::InvalidCredentials)
        ));
    }

    #[tokio::test]
    async fn a_failure_is_recorded_with_the_targeted_user_but_never_with_the_login() {
        for (known, recorded_user) in [(Some(facts(false, false)), Some(USER)), (None, None)] {
            let mut mocks = Mocks::that_admit(known);
            mocks
                .hasher
                .expect_verify()
                .returning(|_, _, _| Ok(Verification::Wrong));
            mocks.record_failed_attempt = Some(record_failed_attempt(|events| {
                events
                    .expect_record()
                    .withf(move |event, context| {
                        event.action == AuditAction::LoginFailed
                            && event.user == recorded_user
                            && event.details.values().eq(["invalid_credentials"])
                            && context.actor == Actor::Anonymous
                            && context.origin == origin()
                    })
                    .once()
                    .returning(|_, _| Ok(()));
            }));
            assert!(mocks.log_in("alice").await.is_err());
        }
    }

    #[tokio::test]
    async fn a_failure_that_cannot_be_recorded_is_reported() {
        let mut mocks = Mocks::that_find(Verification::Wrong);
        mocks.record_failed_attempt = Some(record_failed_attempt(|events| {
            events
                .expect_record()
                .returning(|_, _| Err(PortError::Unavailable("down".into())));
        }));
        assert!(matches!(
            mocks.log_in("alice").await,
            Err(LogInError::Port(PortError::Unavailable(_)))
        ));
    }
}
