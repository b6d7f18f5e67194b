//! The use cases over testkit's fakes.

use crate::app::ISSUER;
use api_http::UseCases;
use chrono::Duration;
use domain::{
    ports::Throttle,
    role::{RoleName, RoleNames},
    session::SessionRules,
    token::TokenRules,
    use_cases::{
        AcceptPassword, AssignRoles, Authenticate, ChangePassword, ConfirmPassword, CreateUser,
        DeleteOwnAccount, DeleteRole, DeleteUser, EndSession, ExportOwnData, FindUsers, IssueTokens,
        ListRoles, ListSessions, LogIn, LogOut, ReadAudit, RecogniseRefreshToken, RecordFailedAttempt,
        Refresh, Register, ResetPassword, SetStatus, UserSessions, WriteRole,
    },
};
use std::sync::Arc;
use testkit::{CountingRandomness, FixedClock, MemoryStorage, PlainHasher, PlainTokens, ToyMac};

/// The fakes that everything stands on.
pub struct Fakes {
    pub storage: MemoryStorage,
    pub clock: Arc<FixedClock>,
    pub accept_password: Arc<AcceptPassword>,
    pub hasher: Arc<PlainHasher>,
    pub randomness: Arc<CountingRandomness>,
    pub throttle: Arc<dyn Throttle>,
}

fn token_rules() -> TokenRules {
    TokenRules {
        issuer: ISSUER.to_owned(),
        audience: "api".to_owned(),
        client_id: "authapi".to_owned(),
        access_ttl: Duration::minutes(15),
    }
}

pub fn use_cases(fakes: &Fakes, create_user: Arc<CreateUser>) -> UseCases {
    let ports = fakes.storage.storage();
    let tokens = PlainTokens::new(1).tokens();
    let mac = Arc::new(ToyMac::new(2));
    let rules = SessionRules::default();
    let default_roles = RoleNames::from([RoleName::USER]);
    let (users, sessions) = (|| ports.users.clone(), || ports.sessions.clone());
    let (catalogue, trail) = (|| ports.roles.clone(), || ports.audit.clone());
    let (clock, randomness) = (|| fakes.clock.clone(), || fakes.randomness.clone());
    let (throttle, hasher) = (|| fakes.throttle.clone(), || fakes.hasher.clone());
    let accept = || fakes.accept_password.clone();
    let issue = Arc::new(IssueTokens::new(
        tokens.signer,
        mac.clone(),
        randomness(),
        token_rules(),
    ));
    let issue = || issue.clone();
    let recognise = Arc::new(RecogniseRefreshToken::new(mac));
    let access = Authenticate::new(tokens.verifier, ports.snapshots.clone(), clock(), token_rules());
    let access = Arc::new(access);
    let note = Arc::new(RecordFailedAttempt::new(trail(), 100));
    let confirm = ConfirmPassword::new(throttle(), users(), hasher(), note.clone(), clock());
    let confirm = Arc::new(confirm);
    let log_in = LogIn::new(
        throttle(),
        users(),
        hasher(),
        sessions(),
        issue(),
        note,
        clock(),
        randomness(),
        rules,
    );
    let password = ChangeOwnPassword::new(
        confirm.clone(),
        users(),
        accept(),
        hasher(),
        issue(),
        clock(),
        randomness(),
        rules,
    );
    UseCases {
        register: Register::new(throttle(), create_user, default_roles.clone()).into(),
        log_in: log_in.into(),
        log_out: LogOut::new(access.clone(), recognise.clone(), sessions(), clock(), rules).into(),
        refresh: Refresh::new(recognise, sessions(), issue(), clock(), rules).into(),
        assign_roles: AssignRoles::new(users(), clock()).into(),
        change_own_password: password.into(),
        list_sessions: ListSessions::new(sessions(), clock()).into(),
        end_session: EndSession::new(sessions(), clock()).into(),
        delete_own_account: DeleteOwnAccount::new(confirm, users(), clock()).into(),
        export_own_data: ExportOwnData::new(sessions(), trail(), clock()).into(),
        find_users: FindUsers::new(users()).into(),
        set_status: SetStatus::new(users(), clock()).into(),
        delete_user: DeleteUser::new(users(), clock()).into(),
        reset_password: ResetPassword::new(users(), accept(), hasher(), clock()).into(),
        user_sessions: UserSessions::new(users(), sessions(), clock()).into(),
        list_roles: ListRoles::new(catalogue()).into(),
        write_role: WriteRole::new(catalogue(), clock()).into(),
        delete_role: DeleteRole::new(catalogue(), clock(), default_roles).into(),
        read_audit: ReadAudit::new(trail()).into(),
        authenticate: access,
        public_keys: tokens.keys,
        storage_health: ports.health.clone(),
        redis_health: None,
        session_memory: None,
    }
}
