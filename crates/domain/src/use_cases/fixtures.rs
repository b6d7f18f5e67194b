//! Mocks of the ports and steps built from them, for the tests of use cases and steps.

use crate::{
    audit::AuditContext,
    changes::{Applied, CatalogueFacts, Change, ChangeError, Command, Facts, Reads, Refusal},
    fixtures::{SECRET, SESSION, SESSIONS_ENDED, digest, now},
    password::PasswordPolicy,
    ports::{
        MockAccounts, MockAuditEvents, MockClock, MockPasswordHasher, MockPasswordMeter, MockRandomness,
        MockRefreshTokenMac, MockRoles, MockThrottle, MockTokenSigner, NoBreachedPasswords, Strength,
    },
    refresh_token::{RefreshClaim, RefreshToken},
    role::RoleName,
    session::{Generation, SessionRules, SessionSecret},
    step_up::StepUp,
    steps::{AcceptPassword, ConfirmPassword, IssueTokens, RecogniseDevice, RecordFailedAttempt},
    token::{AccessToken, TokenRules},
};
use chrono::Duration;
use std::sync::Arc;

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

/// Accepts passwords by the default policy, with a meter configured by `expect_meter`.
pub fn accept_password(
    expect_meter: impl FnOnce(&mut MockPasswordMeter),
    hasher: Arc<MockPasswordHasher>,
) -> Arc<AcceptPassword> {
    let mut meter = MockPasswordMeter::new();
    expect_meter(&mut meter);
    Arc::new(AcceptPassword {
        meter: Arc::new(meter),
        breached: Arc::new(NoBreachedPasswords),
        hasher,
        clock: clock(),
        policy: PasswordPolicy::default(),
    })
}

/// Expects any number of passwords and rates each with `score`.
pub fn rating(score: u8) -> impl FnOnce(&mut MockPasswordMeter) {
    move |meter| {
        let strength = Strength { score, advice: None };
        meter.expect_rate().returning(move |_, _, _| Ok(strength.clone()));
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
        step_up_max_age: StepUp::DEFAULT_MAX_AGE,
    }
}

/// Returns a MAC that accepts what it signs: 32 times the first byte of the secret. The digest of a
/// secret is the secret with all bits inverted.
pub fn mac() -> Arc<MockRefreshTokenMac> {
    let mut mac = MockRefreshTokenMac::new();
    mac.expect_sign().returning(|input| [input[21]; 32]);
    mac.expect_verify()
        .returning(|input, mac| *mac == [input[21]; 32]);
    mac.expect_digest().returning(|secret| digest(secret.expose()));
    Arc::new(mac)
}

pub fn claim(generation: u32, secret: [u8; 32]) -> RefreshClaim {
    RefreshClaim {
        session: SESSION,
        generation: Generation(generation),
        secret: SessionSecret::new(secret),
    }
}

/// The token of [`stored_session`] at `generation`, signed by [`mac`].
pub fn token(generation: u32) -> RefreshToken {
    claim(generation, SECRET).seal(&[7; 32])
}

/// A token of [`stored_session`] at `generation`, made without the key.
pub fn forged(generation: u32) -> RefreshToken {
    claim(generation, SECRET).seal(&[8; 32])
}

/// A token of [`stored_session`] at `generation`, made with the key but without the secret.
pub fn with_another_secret(generation: u32) -> RefreshToken {
    claim(generation, [9; 32]).seal(&[9; 32])
}

/// Issues device tokens signed by [`device_mac`].
pub fn recognise_device() -> Arc<RecogniseDevice> {
    Arc::new(RecogniseDevice::new(device_mac()))
}

/// Returns a MAC that accepts what it signs: 32 times the number of bytes of the input.
fn device_mac() -> Arc<MockRefreshTokenMac> {
    let mac = |input: &[u8]| [u8::try_from(input.len()).expect("the input is short"); 32];
    let mut mock = MockRefreshTokenMac::new();
    mock.expect_sign().returning(mac);
    mock.expect_verify()
        .returning(move |input, found| *found == mac(input));
    Arc::new(mock)
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

/// Issues tokens signed by `signer`, without permissions.
pub fn issue_tokens_with(signer: MockTokenSigner) -> IssueTokens {
    IssueTokens {
        signer: Arc::new(signer),
        mac: mac(),
        randomness: randomness(),
        rules: token_rules(),
        catalogue: None,
    }
}

/// Records failed attempts in an audit log configured by `expect_events`.
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

/// The result that storage returns for a decision. A change that ends sessions ends
/// [`SESSIONS_ENDED`].
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

/// A command on an account as storage received it.
#[derive(Debug)]
pub struct Executed {
    pub reads: Reads,
    pub decided: Result<Change, Refusal>,
    pub context: AuditContext,
}

/// Makes storage execute one command by deciding it on `facts`. `check` inspects the command and
/// the decision.
pub fn expect_change(accounts: &mut MockAccounts, facts: Facts, check: impl Fn(Executed) + Send + 'static) {
    accounts
        .expect_execute()
        .once()
        .returning(move |command, context| decide(&*command, &facts, context, &check));
}

/// Makes storage execute one command in a dry run, like [`expect_change`].
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

/// Accounts that decide one command on `facts` and expect no other call.
pub fn accounts_with(facts: Facts) -> MockAccounts {
    let mut accounts = MockAccounts::new();
    expect_change(&mut accounts, facts, |_| {});
    accounts
}

/// A catalogue that decides one command on `facts` and expects no other call.
pub fn catalogue_with(facts: CatalogueFacts) -> MockRoles {
    let mut roles = MockRoles::new();
    roles
        .expect_execute()
        .once()
        .returning(move |command, context| Ok(command.decide(&facts, context.at)?));
    roles
}
