//! The use cases over the ports.

use crate::{
    settings::Settings,
    storage::Storage,
    wiring::{Ports, password_policy, session_rules, token_rules},
};
use api_http::UseCases;
use domain::use_cases::{
    AcceptPassword, AssignRoles, Authenticate, BootstrapAdmin, ChangePassword, ConfirmPassword,
    CreateUser, DeleteOwnAccount, DeleteRole, DeleteUser, EndSession, ExportOwnData, FindUsers, IssueTokens,
    ListRoles, ListSessions, LogIn, LogOut, ReadAudit, RecogniseRefreshToken, RecordFailedAttempt, Refresh,
    Register, ResetPassword, SetStatus, UserSessions, WriteRole,
};
use std::sync::Arc;

/// The steps that several use cases take.
struct Shared {
    authenticate: Arc<Authenticate>,
    recognise: Arc<RecogniseRefreshToken>,
    issue_tokens: Arc<IssueTokens>,
    accept_password: Arc<AcceptPassword>,
    confirm_password: Arc<ConfirmPassword>,
    record_failed_attempt: Arc<RecordFailedAttempt>,
}

impl Shared {
    fn new(ports: &Ports, settings: &Settings, record_failed_attempt: Arc<RecordFailedAttempt>) -> Self {
        Self {
            authenticate: Arc::new(Authenticate::new(
                Arc::clone(&ports.verifier),
                Arc::clone(&ports.storage.snapshots),
                Arc::clone(&ports.clock),
                token_rules(&settings.tokens),
            )),
            recognise: Arc::new(RecogniseRefreshToken::new(Arc::clone(&ports.mac))),
            issue_tokens: Arc::new(issue_tokens(ports, settings)),
            accept_password: Arc::new(accept_password(ports, settings)),
            confirm_password: Arc::new(ConfirmPassword::new(
                Arc::clone(&ports.throttle),
                Arc::clone(&ports.storage.users),
                Arc::clone(&ports.hasher),
                Arc::clone(&record_failed_attempt),
                Arc::clone(&ports.clock),
            )),
            record_failed_attempt,
        }
    }
}

/// What the routes need.
pub fn use_cases(
    ports: &Ports,
    settings: &Settings,
    record_failed_attempt: Arc<RecordFailedAttempt>,
) -> UseCases {
    let shared = Shared::new(ports, settings, record_failed_attempt);
    let default_roles = || settings.users.default_roles.clone();
    let Storage {
        users,
        sessions,
        roles,
        audit,
        ..
    } = &ports.storage;
    let (users, sessions) = (|| Arc::clone(users), || Arc::clone(sessions));
    let (roles, audit) = (|| Arc::clone(roles), || Arc::clone(audit));
    let clock = || Arc::clone(&ports.clock);
    UseCases {
        register: Arc::new(Register::new(
            Arc::clone(&ports.throttle),
            Arc::new(create_user(ports, settings)),
            default_roles(),
        )),
        log_in: Arc::new(log_in(ports, &shared, settings)),
        log_out: Arc::new(log_out(ports, &shared, settings)),
        refresh: Arc::new(refresh(ports, &shared, settings)),
        assign_roles: Arc::new(AssignRoles::new(users(), clock())),
        change_own_password: Arc::new(change_own_password(ports, &shared, settings)),
        list_sessions: Arc::new(ListSessions::new(sessions(), clock())),
        end_session: Arc::new(EndSession::new(sessions(), clock())),
        delete_own_account: Arc::new(DeleteOwnAccount::new(shared.confirm_password, users(), clock())),
        export_own_data: Arc::new(ExportOwnData::new(sessions(), audit(), clock())),
        find_users: Arc::new(FindUsers::new(users())),
        set_status: Arc::new(SetStatus::new(users(), clock())),
        delete_user: Arc::new(DeleteUser::new(users(), clock())),
        reset_password: Arc::new(ResetPassword::new(
            users(),
            shared.accept_password,
            Arc::clone(&ports.hasher),
            clock(),
        )),
        user_sessions: Arc::new(UserSessions::new(users(), sessions(), clock())),
        list_roles: Arc::new(ListRoles::new(roles())),
        write_role: Arc::new(WriteRole::new(roles(), clock())),
        delete_role: Arc::new(DeleteRole::new(roles(), clock(), default_roles())),
        read_audit: Arc::new(ReadAudit::new(audit())),
        authenticate: shared.authenticate,
        public_keys: Arc::clone(&ports.public_keys),
        storage_health: Arc::clone(&ports.storage.health),
        redis_health: ports.redis_health.clone(),
        session_memory: ports.session_memory.clone(),
    }
}

/// What a start needs that may have to make the first admin.
pub fn bootstrap_admin(ports: &Ports, settings: &Settings) -> BootstrapAdmin {
    BootstrapAdmin::new(
        Arc::clone(&ports.storage.users),
        Arc::new(create_user(ports, settings)),
    )
}

/// What keeps failed attempts. The process has one, since it counts.
pub fn record_failed_attempt(ports: &Ports, settings: &Settings) -> RecordFailedAttempt {
    RecordFailedAttempt::new(
        Arc::clone(&ports.storage.audit),
        settings.audit.failures_per_minute,
    )
}

fn create_user(ports: &Ports, settings: &Settings) -> CreateUser {
    CreateUser::new(
        Arc::clone(&ports.storage.users),
        Arc::new(accept_password(ports, settings)),
        Arc::clone(&ports.hasher),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.randomness),
    )
}

fn accept_password(ports: &Ports, settings: &Settings) -> AcceptPassword {
    AcceptPassword::new(Arc::clone(&ports.meter), password_policy(&settings.password))
}

fn issue_tokens(ports: &Ports, settings: &Settings) -> IssueTokens {
    let issue = IssueTokens::new(
        Arc::clone(&ports.signer),
        Arc::clone(&ports.mac),
        Arc::clone(&ports.randomness),
        token_rules(&settings.tokens),
    );
    if settings.tokens.permissions {
        issue.with_permissions(Arc::clone(&ports.storage.roles))
    } else {
        issue
    }
}

fn log_in(ports: &Ports, shared: &Shared, settings: &Settings) -> LogIn {
    LogIn::new(
        Arc::clone(&ports.throttle),
        Arc::clone(&ports.storage.users),
        Arc::clone(&ports.hasher),
        Arc::clone(&ports.storage.sessions),
        Arc::clone(&shared.issue_tokens),
        Arc::clone(&shared.record_failed_attempt),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.randomness),
        session_rules(&settings.tokens),
    )
}

fn log_out(ports: &Ports, shared: &Shared, settings: &Settings) -> LogOut {
    LogOut::new(
        Arc::clone(&shared.authenticate),
        Arc::clone(&shared.recognise),
        Arc::clone(&ports.storage.sessions),
        Arc::clone(&ports.clock),
        session_rules(&settings.tokens),
    )
}

fn refresh(ports: &Ports, shared: &Shared, settings: &Settings) -> Refresh {
    Refresh::new(
        Arc::clone(&shared.recognise),
        Arc::clone(&ports.storage.sessions),
        Arc::clone(&shared.issue_tokens),
        Arc::clone(&ports.clock),
        session_rules(&settings.tokens),
    )
}

fn change_own_password(ports: &Ports, shared: &Shared, settings: &Settings) -> ChangeOwnPassword {
    ChangeOwnPassword::new(
        Arc::clone(&shared.confirm_password),
        Arc::clone(&ports.storage.users),
        Arc::clone(&shared.accept_password),
        Arc::clone(&ports.hasher),
        Arc::clone(&shared.issue_tokens),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.randomness),
        session_rules(&settings.tokens),
    )
}
