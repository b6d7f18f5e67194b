//! The composition root: builds every use case from ports and rules. The server, the command line,
//! the examples and the tests use it, so none of them can omit a decorator.

mod administration;
mod password_check;

pub use administration::{Administration, AdministrationPorts, AdministrationRules, AuditPorts};
pub use password_check::{PasswordCheckPorts, password_check};

use crate::{
    invalidating::InvalidatingAccounts,
    password::PasswordPolicy,
    ports::{
        Accounts, AuditEvents, BreachedPasswords, Clock, PasswordHasher, PasswordMeter, Randomness,
        RefreshTokenMac, Revocations, Roles, SessionSnapshots, Sessions, Throttle, TokenSigner,
        TokenVerifier,
    },
    role::RoleNames,
    session::SessionRules,
    steps::{
        AcceptPassword, AdmitLogin, ConfirmPassword, IssueTokens, RecogniseDevice, RecogniseRefreshToken,
        RecordFailedAttempt,
    },
    token::TokenRules,
    use_cases::{
        AssignRoles, Authenticate, ChangePassword, CreateUser, DeleteOwnAccount, EndSession, LogIn, LogOut,
        Reauthenticate, Refresh, Register,
    },
};
use std::sync::Arc;

/// The ports for registration, login, refresh, `/me`, role changes and logout.
#[derive(Clone)]
pub struct Ports {
    /// Undecorated storage: [`Core`] adds the decorator that publishes invalidations.
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub audit_events: Arc<dyn AuditEvents>,
    /// The receiver of invalidations. Use [`NothingCached`](crate::ports::NothingCached) if session
    /// snapshots are not cached.
    pub revocations: Arc<dyn Revocations>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub meter: Arc<dyn PasswordMeter>,
    /// Use [`NoBreachedPasswords`](crate::ports::NoBreachedPasswords) if there is no list.
    pub breached: Arc<dyn BreachedPasswords>,
    pub throttle: Arc<dyn Throttle>,
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub mac: Arc<dyn RefreshTokenMac>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

/// Rules set by the operator.
#[derive(Clone, Debug)]
pub struct Rules {
    pub tokens: TokenRules,
    pub sessions: SessionRules,
    pub passwords: PasswordPolicy,
    /// The roles of newly registered users.
    pub default_roles: RoleNames,
    /// Maximum number of failed attempts with one cause, at one user and from one network, that
    /// this process records individually per minute.
    pub failures_per_minute: u32,
}

/// The use cases behind the six main endpoints, and those on the caller's own account.
#[derive(Clone)]
pub struct Core {
    pub authenticate: Arc<Authenticate>,
    pub register: Arc<Register>,
    pub create_user: Arc<CreateUser>,
    pub log_in: Arc<LogIn>,
    pub log_out: Arc<LogOut>,
    pub refresh: Arc<Refresh>,
    pub assign_roles: Arc<AssignRoles>,
    pub change_password: Arc<ChangePassword>,
    pub reauthenticate: Arc<Reauthenticate>,
    pub end_session: Arc<EndSession>,
    pub delete_own_account: Arc<DeleteOwnAccount>,
    /// Shared by all use cases, because it counts.
    pub record_failed_attempt: Arc<RecordFailedAttempt>,
}

impl Core {
    /// Builds the use cases.
    #[must_use]
    pub fn new(ports: Ports, rules: &Rules) -> Self {
        Self::build(ports, rules, None)
    }

    /// Builds the use cases so that access tokens carry the permissions of the user's roles, read
    /// from `catalogue` when the token is issued.
    #[must_use]
    pub fn with_permissions_in_tokens(ports: Ports, rules: &Rules, catalogue: Arc<dyn Roles>) -> Self {
        Self::build(ports, rules, Some(catalogue))
    }

    fn build(mut ports: Ports, rules: &Rules, catalogue: Option<Arc<dyn Roles>>) -> Self {
        ports.accounts = Arc::new(InvalidatingAccounts::new(
            ports.accounts,
            Arc::clone(&ports.revocations),
        ));
        let steps = Steps::new(&ports, rules, catalogue);
        let authenticate = Arc::new(Authenticate {
            verifier: ports.verifier.clone(),
            snapshots: ports.snapshots.clone(),
            clock: ports.clock.clone(),
            rules: rules.tokens.clone(),
        });
        let create_user = Arc::new(CreateUser {
            accounts: ports.accounts.clone(),
            accept_password: steps.accept_password.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
        });
        Self {
            register: Arc::new(Register {
                throttle: ports.throttle.clone(),
                create_user: create_user.clone(),
                record_failed_attempt: steps.record_failed_attempt.clone(),
                clock: ports.clock.clone(),
                default_roles: rules.default_roles.clone(),
            }),
            create_user,
            log_in: Arc::new(steps.log_in(&ports, rules)),
            log_out: Arc::new(LogOut {
                authenticate: authenticate.clone(),
                recognise: steps.recognise.clone(),
                accounts: ports.accounts.clone(),
                sessions: ports.sessions.clone(),
                clock: ports.clock.clone(),
                rules: rules.sessions,
            }),
            refresh: Arc::new(Refresh {
                throttle: ports.throttle.clone(),
                recognise: steps.recognise.clone(),
                accounts: ports.accounts.clone(),
                sessions: ports.sessions.clone(),
                issue_tokens: steps.issue_tokens.clone(),
                clock: ports.clock.clone(),
                rules: rules.sessions,
            }),
            assign_roles: Arc::new(AssignRoles {
                accounts: ports.accounts.clone(),
                throttle: Some(ports.throttle.clone()),
                clock: ports.clock.clone(),
            }),
            change_password: Arc::new(steps.change_password(&ports, rules)),
            reauthenticate: Arc::new(Reauthenticate {
                confirm_password: steps.confirm_password.clone(),
                accounts: ports.accounts.clone(),
                issue_tokens: steps.issue_tokens.clone(),
                clock: ports.clock.clone(),
            }),
            end_session: Arc::new(EndSession {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            delete_own_account: Arc::new(DeleteOwnAccount {
                confirm_password: steps.confirm_password.clone(),
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            authenticate,
            record_failed_attempt: steps.record_failed_attempt,
        }
    }
}

/// Steps shared by several use cases.
struct Steps {
    recognise: Arc<RecogniseRefreshToken>,
    issue_tokens: Arc<IssueTokens>,
    recognise_device: Arc<RecogniseDevice>,
    accept_password: Arc<AcceptPassword>,
    confirm_password: Arc<ConfirmPassword>,
    record_failed_attempt: Arc<RecordFailedAttempt>,
}

impl Steps {
    fn new(ports: &Ports, rules: &Rules, catalogue: Option<Arc<dyn Roles>>) -> Self {
        let record_failed_attempt = Arc::new(RecordFailedAttempt::new(
            ports.audit_events.clone(),
            rules.failures_per_minute,
        ));
        Self {
            recognise: Arc::new(RecogniseRefreshToken::new(ports.mac.clone())),
            issue_tokens: Arc::new(IssueTokens {
                signer: ports.signer.clone(),
                mac: ports.mac.clone(),
                randomness: ports.randomness.clone(),
                rules: rules.tokens.clone(),
                catalogue,
            }),
            recognise_device: Arc::new(RecogniseDevice::new(ports.mac.clone())),
            accept_password: Arc::new(AcceptPassword {
                meter: ports.meter.clone(),
                breached: ports.breached.clone(),
                hasher: ports.hasher.clone(),
                clock: ports.clock.clone(),
                policy: rules.passwords.clone(),
            }),
            confirm_password: Arc::new(ConfirmPassword {
                throttle: ports.throttle.clone(),
                accounts: ports.accounts.clone(),
                hasher: ports.hasher.clone(),
                record_failed_attempt: record_failed_attempt.clone(),
                clock: ports.clock.clone(),
            }),
            record_failed_attempt,
        }
    }

    fn log_in(&self, ports: &Ports, rules: &Rules) -> LogIn {
        LogIn {
            admit_login: Arc::new(AdmitLogin {
                throttle: ports.throttle.clone(),
                accounts: ports.accounts.clone(),
                hasher: ports.hasher.clone(),
                recognise_device: self.recognise_device.clone(),
                clock: ports.clock.clone(),
            }),
            throttle: ports.throttle.clone(),
            accounts: ports.accounts.clone(),
            hasher: ports.hasher.clone(),
            recognise_device: self.recognise_device.clone(),
            issue_tokens: self.issue_tokens.clone(),
            record_failed_attempt: self.record_failed_attempt.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
            rules: rules.sessions,
        }
    }

    fn change_password(&self, ports: &Ports, rules: &Rules) -> ChangePassword {
        ChangePassword {
            confirm_password: self.confirm_password.clone(),
            accounts: ports.accounts.clone(),
            accept_password: self.accept_password.clone(),
            issue_tokens: self.issue_tokens.clone(),
            recognise_device: self.recognise_device.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
            rules: rules.sessions,
        }
    }
}

#[cfg(test)]
mod tests;
