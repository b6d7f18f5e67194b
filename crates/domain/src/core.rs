//! The composition root: builds every use case from ports and rules. The server, the command line, examples and tests use
//! it, so that none of them can leave out a decorator.

use crate::{
    invalidating::{InvalidatingAccounts, InvalidatingRoles},
    password::PasswordPolicy,
    ports::{
        Accounts, AuditEvents, AuditLog, AuditSealer, Clock, ForeignHashes, PasswordHasher, PasswordMeter,
        Randomness, RefreshTokenMac, Revocations, Roles, SessionDirectory, SessionSnapshots, Sessions,
        Throttle, TokenSigner, TokenVerifier, UserDirectory,
    },
    role::RoleNames,
    session::SessionRules,
    steps::{AcceptPassword, ConfirmPassword, IssueTokens, RecogniseRefreshToken, RecordFailedAttempt},
    token::TokenRules,
    use_cases::{
        AssignRoles, Authenticate, BootstrapAdmin, ChangePassword, CreateUser, DeleteOwnAccount, DeleteRole,
        DeleteUser, EndSession, ExportOwnData, FindUsers, ImportUsers, ListRoles, ListSessions, LogIn,
        LogOut, ReadAudit, Refresh, Register, ResetPassword, SetStatus, UserSessions, VerifyAudit, WriteRole,
    },
};
use std::sync::Arc;

/// What the core needs for registration, login, refresh, `/me`, role changes and logout.
#[derive(Clone)]
pub struct Ports {
    /// Storage as it is: [`Core`] adds the decorator that publishes what changes make stale.
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub audit_events: Arc<dyn AuditEvents>,
    /// Where changes publish what they make stale. Without replicas and caches,
    /// [`NothingCached`](crate::ports::NothingCached).
    pub revocations: Arc<dyn Revocations>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub meter: Arc<dyn PasswordMeter>,
    pub throttle: Arc<dyn Throttle>,
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub mac: Arc<dyn RefreshTokenMac>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

/// What administration and reporting need besides.
#[derive(Clone)]
pub struct AdministrationPorts {
    pub users: Arc<dyn UserDirectory>,
    pub sessions: Arc<dyn SessionDirectory>,
    /// Storage as it is: [`Core::administration`] adds the decorator that publishes what changes make stale.
    pub roles: Arc<dyn Roles>,
    pub audit_log: Arc<dyn AuditLog>,
    /// MUST be the one that storage seals the audit log with.
    pub sealer: Arc<dyn AuditSealer>,
    pub foreign_hashes: Arc<dyn ForeignHashes>,
}

/// The rules that operators set.
#[derive(Clone, Debug)]
pub struct Rules {
    pub tokens: TokenRules,
    pub sessions: SessionRules,
    pub passwords: PasswordPolicy,
    /// The roles that registration gives.
    pub default_roles: RoleNames,
    /// The most failed attempts that are recorded in a minute, in this process.
    pub failures_per_minute: u32,
}

/// The use cases behind the six main endpoints, and those on the caller's own account that need no more ports.
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
    pub end_session: Arc<EndSession>,
    pub delete_own_account: Arc<DeleteOwnAccount>,
    /// Shared by all use cases of the process, since it counts.
    pub record_failed_attempt: Arc<RecordFailedAttempt>,
    ports: Ports,
    rules: Rules,
    accept_password: Arc<AcceptPassword>,
}

/// The use cases of administration and reporting.
#[derive(Clone)]
pub struct Administration {
    pub find_users: Arc<FindUsers>,
    pub set_status: Arc<SetStatus>,
    pub reset_password: Arc<ResetPassword>,
    pub delete_user: Arc<DeleteUser>,
    pub import_users: Arc<ImportUsers>,
    pub bootstrap_admin: Arc<BootstrapAdmin>,
    pub list_sessions: Arc<ListSessions>,
    pub user_sessions: Arc<UserSessions>,
    pub list_roles: Arc<ListRoles>,
    pub write_role: Arc<WriteRole>,
    pub delete_role: Arc<DeleteRole>,
    pub export_own_data: Arc<ExportOwnData>,
    pub read_audit: Arc<ReadAudit>,
    pub verify_audit: Arc<VerifyAudit>,
}

impl Core {
    /// Builds the use cases.
    #[must_use]
    pub fn new(ports: Ports, rules: Rules) -> Self {
        Self::build(ports, rules, None)
    }

    /// Builds the use cases so that access tokens carry the permissions of their roles, as `catalogue` has them then.
    #[must_use]
    pub fn with_permissions_in_tokens(ports: Ports, rules: Rules, catalogue: Arc<dyn Roles>) -> Self {
        Self::build(ports, rules, Some(catalogue))
    }

    fn build(mut ports: Ports, rules: Rules, catalogue: Option<Arc<dyn Roles>>) -> Self {
        ports.accounts = Arc::new(InvalidatingAccounts::new(
            ports.accounts,
            Arc::clone(&ports.revocations),
        ));
        let steps = Steps::new(&ports, &rules, catalogue);
        let authenticate = Arc::new(Authenticate {
            verifier: ports.verifier.clone(),
            snapshots: ports.snapshots.clone(),
            clock: ports.clock.clone(),
            rules: rules.tokens.clone(),
        });
        let create_user = Arc::new(CreateUser {
            accounts: ports.accounts.clone(),
            accept_password: steps.accept_password.clone(),
            hasher: ports.hasher.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
        });
        Self {
            register: Arc::new(Register {
                throttle: ports.throttle.clone(),
                create_user: create_user.clone(),
                default_roles: rules.default_roles.clone(),
            }),
            create_user,
            log_in: Arc::new(steps.log_in(&ports, &rules)),
            log_out: Arc::new(LogOut {
                authenticate: authenticate.clone(),
                recognise: steps.recognise.clone(),
                accounts: ports.accounts.clone(),
                sessions: ports.sessions.clone(),
                clock: ports.clock.clone(),
                rules: rules.sessions,
            }),
            refresh: Arc::new(Refresh {
                recognise: steps.recognise.clone(),
                accounts: ports.accounts.clone(),
                sessions: ports.sessions.clone(),
                issue_tokens: steps.issue_tokens.clone(),
                clock: ports.clock.clone(),
                rules: rules.sessions,
            }),
            assign_roles: Arc::new(AssignRoles {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            change_password: Arc::new(steps.change_password(&ports, &rules)),
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
            accept_password: steps.accept_password,
            ports,
            rules,
        }
    }

    /// Builds the use cases of administration and reporting.
    #[must_use]
    pub fn administration(&self, more: AdministrationPorts) -> Administration {
        let ports = &self.ports;
        let roles: Arc<dyn Roles> =
            Arc::new(InvalidatingRoles::new(more.roles, Arc::clone(&ports.revocations)));
        Administration {
            find_users: Arc::new(FindUsers {
                accounts: ports.accounts.clone(),
                users: more.users.clone(),
            }),
            set_status: Arc::new(SetStatus {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            reset_password: Arc::new(ResetPassword {
                accounts: ports.accounts.clone(),
                accept_password: self.accept_password.clone(),
                hasher: ports.hasher.clone(),
                clock: ports.clock.clone(),
            }),
            delete_user: Arc::new(DeleteUser {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            import_users: Arc::new(ImportUsers {
                accounts: ports.accounts.clone(),
                users: more.users.clone(),
                hashes: more.foreign_hashes,
                default_roles: self.rules.default_roles.clone(),
                clock: ports.clock.clone(),
                randomness: ports.randomness.clone(),
            }),
            bootstrap_admin: Arc::new(BootstrapAdmin {
                users: more.users,
                create_user: self.create_user.clone(),
            }),
            list_sessions: Arc::new(ListSessions {
                sessions: more.sessions.clone(),
                clock: ports.clock.clone(),
            }),
            user_sessions: Arc::new(UserSessions {
                accounts: ports.accounts.clone(),
                sessions: more.sessions.clone(),
                clock: ports.clock.clone(),
            }),
            list_roles: Arc::new(ListRoles { roles: roles.clone() }),
            write_role: Arc::new(WriteRole {
                roles: roles.clone(),
                clock: ports.clock.clone(),
            }),
            delete_role: Arc::new(DeleteRole {
                roles,
                clock: ports.clock.clone(),
                default_roles: self.rules.default_roles.clone(),
            }),
            export_own_data: Arc::new(ExportOwnData {
                sessions: more.sessions,
                audit_log: more.audit_log.clone(),
                clock: ports.clock.clone(),
            }),
            read_audit: Arc::new(ReadAudit {
                audit_log: more.audit_log.clone(),
            }),
            verify_audit: Arc::new(VerifyAudit {
                audit_log: more.audit_log,
                sealer: more.sealer,
            }),
        }
    }
}

/// The steps that several use cases share.
struct Steps {
    recognise: Arc<RecogniseRefreshToken>,
    issue_tokens: Arc<IssueTokens>,
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
            accept_password: Arc::new(AcceptPassword::new(ports.meter.clone(), rules.passwords)),
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
            throttle: ports.throttle.clone(),
            accounts: ports.accounts.clone(),
            hasher: ports.hasher.clone(),
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
            hasher: ports.hasher.clone(),
            issue_tokens: self.issue_tokens.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
            rules: rules.sessions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::{Capability, Requester},
        changes::{CatalogueFacts, Facts, OwnedSession, fixtures::facts_about},
        invalidation::InvalidationScope,
        ports::{
            MockAccounts, MockAuditEvents, MockAuditLog, MockAuditSealer, MockForeignHashes,
            MockPasswordHasher, MockPasswordMeter, MockRevocations, MockRoles, MockSessionDirectory,
            MockSessionSnapshots, MockSessions, MockThrottle, MockTokenSigner, MockTokenVerifier,
            MockUserDirectory, Rotated,
        },
        revision::Precondition,
        role::{Permissions, built_in},
        session::EndReason,
        steps::{ChangeRequest, UserRef},
        token::AccessToken,
        use_cases::{
            AssignRolesRequest, Assignee, RoleRequest,
            fixtures::{
                SESSION, USER, applied, caller, clock, mac, origin, own_facts, randomness, stored_session,
                token, token_rules, user,
            },
        },
        user::UserStatus,
    };
    use std::sync::Mutex;

    type Scopes = Arc<Mutex<Vec<InvalidationScope>>>;

    /// Storage that finds [`user`] and decides each command on `facts`, and what is published of it.
    fn ports(facts: Facts) -> (Ports, Scopes) {
        let mut accounts = MockAccounts::new();
        accounts.expect_find().returning(|_| Ok(Some(user())));
        accounts
            .expect_execute()
            .returning(move |command, context| applied(command.decide(&facts, context.at)));
        let scopes = Scopes::default();
        let mut revocations = MockRevocations::new();
        let published = Arc::clone(&scopes);
        revocations
            .expect_announce()
            .returning(move |scopes| published.lock().expect("no panic").extend(scopes));
        let mut sessions = MockSessions::new();
        sessions
            .expect_rotate()
            .returning(|rotation| Ok(Rotated::Done(stored_session().rotated(&rotation))));
        let mut signer = MockTokenSigner::new();
        signer.expect_sign().returning(|claims| {
            let permissions = claims.permissions.as_ref().map(Permissions::len);
            Ok(AccessToken::new(format!("{permissions:?}")))
        });
        let ports = Ports {
            accounts: Arc::new(accounts),
            sessions: Arc::new(sessions),
            snapshots: Arc::new(MockSessionSnapshots::new()),
            audit_events: Arc::new(MockAuditEvents::new()),
            revocations: Arc::new(revocations),
            hasher: Arc::new(MockPasswordHasher::new()),
            meter: Arc::new(MockPasswordMeter::new()),
            throttle: Arc::new(MockThrottle::new()),
            signer: Arc::new(signer),
            verifier: Arc::new(MockTokenVerifier::new()),
            mac: mac(),
            clock: clock(),
            randomness: randomness(),
        };
        (ports, scopes)
    }

    fn administration_ports(roles: MockRoles) -> AdministrationPorts {
        AdministrationPorts {
            users: Arc::new(MockUserDirectory::new()),
            sessions: Arc::new(MockSessionDirectory::new()),
            roles: Arc::new(roles),
            audit_log: Arc::new(MockAuditLog::new()),
            sealer: Arc::new(MockAuditSealer::new()),
            foreign_hashes: Arc::new(MockForeignHashes::new()),
        }
    }

    fn rules() -> Rules {
        Rules {
            tokens: token_rules(),
            sessions: SessionRules::default(),
            passwords: PasswordPolicy::default(),
            default_roles: RoleNames::new(),
            failures_per_minute: 100,
        }
    }

    fn published(scopes: &Scopes) -> Vec<InvalidationScope> {
        std::mem::take(&mut scopes.lock().expect("no panic"))
    }

    #[tokio::test]
    async fn what_use_cases_change_is_published() {
        let facts = Facts {
            session: Some(OwnedSession {
                user: USER,
                lifetime: stored_session().lifetime,
            }),
            ..own_facts(Permissions::new())
        };
        let (ports, scopes) = ports(facts);
        let core = Core::new(ports, rules());

        let ended = core.end_session.execute(&caller(), SESSION, origin()).await;
        ended.expect("allowed");
        assert_eq!(published(&scopes), [InvalidationScope::Session(SESSION)]);

        let request = AssignRolesRequest {
            assignee: Assignee::Caller,
            new_roles: vec![],
            keep_sessions: false,
            if_revision: None,
            dry_run: false,
        };
        let requester = caller();
        let requester = Requester::Caller(&requester);
        let assigned = core.assign_roles.execute(requester, request, origin()).await;
        assigned.expect("allowed");
        assert_eq!(published(&scopes), [InvalidationScope::User(USER)]);
    }

    #[tokio::test]
    async fn what_administration_changes_is_published() {
        let (ports, scopes) = ports(facts_about(user()));
        let mut roles = MockRoles::new();
        roles.expect_execute().once().returning(|command, context| {
            let facts = CatalogueFacts {
                roles: built_in().into(),
                ..CatalogueFacts::default()
            };
            Ok(command.decide(&facts, context.at)?)
        });
        let administration = Core::new(ports, rules()).administration(administration_ports(roles));

        let request = ChangeRequest {
            user: UserRef::Id(USER),
            if_revision: None,
            origin: origin(),
        };
        let operator = Capability::of_operator();
        let disabled = administration
            .set_status
            .execute(operator, request, UserStatus::Disabled)
            .await;
        disabled.expect("allowed");
        assert_eq!(published(&scopes), [InvalidationScope::User(USER)]);

        let request = RoleRequest {
            name: "editor".to_owned(),
            description: String::new(),
            permissions: vec![],
            self_assignable: false,
            precondition: Precondition::None,
            dry_run: false,
        };
        let operator = Capability::of_operator();
        let written = administration
            .write_role
            .execute(operator, request, origin())
            .await;
        written.expect("allowed");
        assert_eq!(published(&scopes), [InvalidationScope::Everything]);
    }

    /// A session that lives longer is no reason to drop its snapshot.
    #[tokio::test]
    async fn a_refresh_publishes_nothing() {
        let (ports, scopes) = ports(Facts::default());
        let core = Core::new(ports, rules());
        let refreshed = core.refresh.execute(&token(5), origin()).await;
        refreshed.expect("tokens");
        assert_eq!(published(&scopes), []);
    }

    #[tokio::test]
    async fn a_reused_token_publishes_its_session_even_if_another_request_ended_it() {
        let mut ended = stored_session();
        ended.lifetime.ended = Some(EndReason::LoggedOut);
        let (mut ports, scopes) = ports(Facts {
            session: Some(OwnedSession {
                user: USER,
                lifetime: ended.lifetime,
            }),
            ..Facts::default()
        });
        let mut sessions = MockSessions::new();
        sessions.expect_rotate().returning(|_| Ok(Rotated::Lost));
        sessions.expect_find().returning(|_| Ok(Some(stored_session())));
        ports.sessions = Arc::new(sessions);
        let core = Core::new(ports, rules());
        let refused = core.refresh.execute(&token(3), origin()).await;
        assert!(refused.is_err());
        // The other request may still be waiting for replicas.
        assert_eq!(published(&scopes), [InvalidationScope::Session(SESSION)]);
    }

    #[tokio::test]
    async fn tokens_carry_permissions_only_if_the_core_was_built_so() {
        let (without, _) = ports(Facts::default());
        let pair = Core::new(without, rules())
            .refresh
            .execute(&token(5), origin())
            .await;
        assert_eq!(pair.expect("tokens").access_token.expose(), "None");

        let mut catalogue = MockRoles::new();
        catalogue
            .expect_find()
            .once()
            .returning(|_| Ok(built_in().into()));
        let (with, _) = ports(Facts::default());
        let pair = Core::with_permissions_in_tokens(with, rules(), Arc::new(catalogue))
            .refresh
            .execute(&token(5), origin())
            .await;
        assert_eq!(pair.expect("tokens").access_token.expose(), "Some(6)");
    }
}
