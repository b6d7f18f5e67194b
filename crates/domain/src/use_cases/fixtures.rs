//! Shared by the tests of use cases and steps.

use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::{Caller, SessionSnapshot},
    changes::{
        Applied, CatalogueFacts, Change, ChangeError, Command, Facts, Reads, Refusal,
        fixtures::SESSIONS_ENDED,
    },
    login::Login,
    password::{Password, PasswordHash, PasswordPolicy},
    ports::{
        MockAccounts, MockAuditEvents, MockClock, MockPasswordHasher, MockPasswordMeter, MockRandomness,
        MockRefreshTokenMac, MockRoles, MockThrottle, MockTokenSigner, Strength,
    },
    refresh_token::{RefreshClaim, RefreshToken},
    revision::Revision,
    role::{Permissions, RoleName, RoleNames},
    session::{
        Generation, Holder, Lifetime, SecretDigest, SessionId, SessionRules, SessionSecret, StoredSession,
    },
    steps::{AcceptPassword, ConfirmPassword, IssueTokens, RecordFailedAttempt},
    token::{AccessToken, TokenIdentity, TokenRules},
    user::{Credentials, Epoch, User, UserId, UserStatus},
};
use chrono::{DateTime, Duration, Utc};
use std::sync::Arc;
use uuid::Uuid;

pub const USER: UserId = UserId(Uuid::from_u128(1));
pub const SESSION: SessionId = SessionId(Uuid::from_u128(2));
pub const EPOCH: Epoch = Epoch(4);
/// What the tokens of [`stored_session`] carry.
pub const SECRET: [u8; 32] = [7; 32];
pub const GOOD_PASSWORD: &str = "correct horse battery staple";

/// The instant at which every test takes place.
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000, 0).expect("a valid second")
}

pub fn clock() -> Arc<MockClock> {
    let mut clock = MockClock::new();
    clock.expect_now().return_const(now());
    Arc::new(clock)
}

pub fn randomness() -> Arc<MockRandomness> {
    let mut randomness = MockRandomness::new();
    randomness.expect_bytes().return_const([9; 32]);
    Arc::new(randomness)
}

pub fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_phc(text.to_owned())
}

/// Accepts passwords by the default policy, over a meter with the expectations of `expect_meter`.
pub fn accept_password(
    expect_meter: impl FnOnce(&mut MockPasswordMeter),
    hasher: Arc<MockPasswordHasher>,
) -> Arc<AcceptPassword> {
    let mut meter = MockPasswordMeter::new();
    expect_meter(&mut meter);
    Arc::new(AcceptPassword {
        meter: Arc::new(meter),
        hasher,
        policy: PasswordPolicy::default(),
    })
}

/// Expects any number of passwords, and rates each with `score`.
pub fn rating(score: u8) -> impl FnOnce(&mut MockPasswordMeter) {
    move |meter| {
        let strength = Strength { score, advice: None };
        meter.expect_rate().returning(move |_, _, _| Ok(strength.clone()));
    }
}

pub fn roles(names: &[&str]) -> RoleNames {
    names
        .iter()
        .map(|name| RoleName::parse(name).expect("a role name"))
        .collect()
}

pub fn user() -> User {
    User {
        id: USER,
        login: Login::parse("Alice").expect("a login"),
        roles: roles(&["user"]),
        status: UserStatus::Active,
        epoch: EPOCH,
        must_change_password: false,
        revision: Revision(7),
        created_at: now() - Duration::days(1),
        updated_at: now() - Duration::days(1),
        last_login_at: None,
    }
}

pub fn credentials() -> Credentials {
    Credentials {
        user: user(),
        hash: hash("$stored"),
    }
}

/// The caller behind [`user`], with `permissions`.
pub fn caller_with(permissions: Permissions) -> Caller {
    Arc::new(snapshot_with(permissions))
        .validate(
            TokenIdentity {
                user: USER,
                session: SESSION,
                epoch: EPOCH,
            },
            now(),
        )
        .expect("a live session")
}

/// The session behind [`caller_with`].
pub fn snapshot_with(permissions: Permissions) -> SessionSnapshot {
    SessionSnapshot {
        session: SESSION,
        lifetime: stored_session().lifetime,
        user: user(),
        permissions,
    }
}

pub fn caller() -> Caller {
    caller_with(Permissions::new())
}

/// A live session of [`user`]'s at generation 5, refreshed a minute ago.
pub fn stored_session() -> StoredSession {
    StoredSession {
        id: SESSION,
        secret_digest: digest(&SECRET),
        generation: Generation(5),
        lifetime: Lifetime {
            created_at: now() - Duration::hours(1),
            idle_expires_at: now() + Duration::days(1),
            expires_at: now() + Duration::days(2),
            ended: None,
        },
        last_used_at: now() - Duration::minutes(1),
        holder: Holder {
            user: USER,
            status: UserStatus::Active,
            epoch: EPOCH,
            roles: roles(&["user"]),
            must_change_password: false,
        },
    }
}

pub fn session_rules() -> SessionRules {
    SessionRules::default()
}

pub fn token_rules() -> TokenRules {
    TokenRules {
        issuer: "https://auth.example".to_owned(),
        audience: "api".to_owned(),
        client_id: "authapi".to_owned(),
        access_ttl: Duration::minutes(15),
    }
}

/// A MAC that accepts what it signs: 32 times the first byte of the secret, which is turned over in its digest.
pub fn mac() -> Arc<MockRefreshTokenMac> {
    let mut mac = MockRefreshTokenMac::new();
    mac.expect_sign().returning(|input| [input[21]; 32]);
    mac.expect_verify()
        .returning(|input, mac| *mac == [input[21]; 32]);
    mac.expect_digest().returning(|secret| digest(secret.expose()));
    Arc::new(mac)
}

fn digest(secret: &[u8; 32]) -> SecretDigest {
    SecretDigest(secret.map(|byte| !byte))
}

pub fn claim(generation: u32, secret: [u8; 32]) -> RefreshClaim {
    RefreshClaim {
        session: SESSION,
        generation: Generation(generation),
        secret: SessionSecret::new(secret),
    }
}

/// The token of [`stored_session`] at `generation`, as [`mac`] signs it.
pub fn token(generation: u32) -> RefreshToken {
    claim(generation, SECRET).seal(&[7; 32])
}

/// The same by somebody without the key.
pub fn forged(generation: u32) -> RefreshToken {
    claim(generation, SECRET).seal(&[8; 32])
}

/// The same by somebody who has the key and does not know the secret.
pub fn with_another_secret(generation: u32) -> RefreshToken {
    claim(generation, [9; 32]).seal(&[9; 32])
}

/// Issues tokens whose access token reads `epoch=.. roles=..`.
pub fn issue_tokens() -> Arc<IssueTokens> {
    let mut signer = MockTokenSigner::new();
    signer.expect_sign().returning(|claims| {
        let roles: Vec<_> = claims.roles.iter().map(RoleName::as_str).collect();
        Ok(AccessToken::new(format!(
            "epoch={} roles={}",
            claims.epoch,
            roles.join(",")
        )))
    });
    Arc::new(issue_tokens_with(signer))
}

/// Issues tokens that `signer` signs, without permissions.
pub fn issue_tokens_with(signer: MockTokenSigner) -> IssueTokens {
    IssueTokens {
        signer: Arc::new(signer),
        mac: mac(),
        randomness: randomness(),
        rules: token_rules(),
        catalogue: None,
    }
}

pub fn origin() -> Origin {
    Origin::new("192.0.2.7".parse().ok(), Some("curl/8"), Some("req-1".to_owned()))
}

/// The context in which [`USER`] makes a change.
pub fn audit_context() -> AuditContext {
    AuditContext {
        at: now(),
        actor: Actor::User(USER),
        origin: origin(),
    }
}

/// Records failed attempts in an audit log of which `expect_events` says what to expect.
pub fn record_failed_attempt(expect_events: impl FnOnce(&mut MockAuditEvents)) -> Arc<RecordFailedAttempt> {
    let mut events = MockAuditEvents::new();
    expect_events(&mut events);
    Arc::new(RecordFailedAttempt::new(Arc::new(events), 100))
}

/// Records any number of failed attempts.
pub fn record_any_failed_attempt() -> Arc<RecordFailedAttempt> {
    record_failed_attempt(|events| {
        events.expect_record().returning(|_, _| Ok(()));
    })
}

/// Confirms the caller's password over these ports.
pub fn confirm_password(
    throttle: MockThrottle,
    accounts: &Arc<MockAccounts>,
    hasher: &Arc<MockPasswordHasher>,
    record_failed_attempt: Arc<RecordFailedAttempt>,
) -> Arc<ConfirmPassword> {
    Arc::new(ConfirmPassword {
        throttle: Arc::new(throttle),
        accounts: Arc::clone(accounts) as _,
        hasher: Arc::clone(hasher) as _,
        record_failed_attempt,
        clock: clock(),
    })
}

/// What storage returns for a decision. A change that ends sessions ends [`SESSIONS_ENDED`].
pub fn applied(decided: Result<Change, Refusal>) -> Result<Applied, ChangeError> {
    let change = decided?;
    let sessions_ended = match change.end_sessions {
        Some(_) => SESSIONS_ENDED,
        None => 0,
    };
    Ok(Applied {
        change,
        sessions_ended,
    })
}

/// A command on an account that storage was given.
#[derive(Debug)]
pub struct Executed {
    pub reads: Reads,
    pub decided: Result<Change, Refusal>,
    pub context: AuditContext,
}

/// Lets storage execute one command, by deciding it on `facts`. `check` examines the command and the decision.
pub fn expect_change(accounts: &mut MockAccounts, facts: Facts, check: impl Fn(Executed) + Send + 'static) {
    accounts
        .expect_execute()
        .once()
        .returning(move |command, context| decide(&*command, &facts, context, &check));
}

/// Lets storage execute one command in a dry run, like [`expect_change`].
pub fn expect_dry_run(accounts: &mut MockAccounts, facts: Facts, check: impl Fn(Executed) + Send + 'static) {
    accounts
        .expect_dry_run()
        .once()
        .returning(move |command, context| decide(&*command, &facts, context, &check));
}

fn decide(
    command: &dyn Command,
    facts: &Facts,
    context: AuditContext,
    check: &impl Fn(Executed),
) -> Result<Applied, ChangeError> {
    let decided = command.decide(facts, context.at);
    check(Executed {
        reads: command.reads(),
        decided: decided.clone(),
        context,
    });
    applied(decided)
}

/// Accounts that decide one command on `facts`, and are not called otherwise.
pub fn accounts_with(facts: Facts) -> MockAccounts {
    let mut accounts = MockAccounts::new();
    expect_change(&mut accounts, facts, |_| {});
    accounts
}

/// A catalogue that decides one command on `facts`, and is not called otherwise.
pub fn catalogue_with(facts: CatalogueFacts) -> MockRoles {
    let mut roles = MockRoles::new();
    roles
        .expect_execute()
        .once()
        .returning(move |command, context| Ok(command.decide(&facts, context.at)?));
    roles
}

/// Facts about [`user`], loaded for the token of [`caller_with`] these permissions.
pub fn own_facts(permissions: Permissions) -> Facts {
    Facts {
        caller: Some(snapshot_with(permissions)),
        ..crate::changes::fixtures::facts_about(user())
    }
}
