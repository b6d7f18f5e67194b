//! The use cases over the ports.

use crate::{
    settings::Settings,
    storage::Storage,
    wiring::{Ports, password_policy, session_rules, token_rules},
};
use api_http::UseCases;
use domain::{
    token::TokenRules,
    use_cases::{
        AcceptPassword, AssignRoles, Authenticate, BootstrapAdmin, ChangeOwnPassword, CreateUser, EndSession,
        IssueTokens, ListSessions, LogIn, LogOut, RecogniseRefreshToken, Refresh, Register,
    },
};
use std::sync::Arc;

/// The steps that several use cases take.
struct Shared {
    authenticate: Arc<Authenticate>,
    recognise: Arc<RecogniseRefreshToken>,
    issue_tokens: Arc<IssueTokens>,
}

impl Shared {
    fn new(ports: &Ports, rules: &TokenRules) -> Self {
        Self {
            authenticate: Arc::new(Authenticate::new(
                Arc::clone(&ports.verifier),
                Arc::clone(&ports.storage.views),
                Arc::clone(&ports.clock),
                rules.clone(),
            )),
            recognise: Arc::new(RecogniseRefreshToken::new(
                Arc::clone(&ports.storage.sessions),
                Arc::clone(&ports.mac),
            )),
            issue_tokens: Arc::new(IssueTokens::new(
                Arc::clone(&ports.signer),
                Arc::clone(&ports.mac),
                Arc::clone(&ports.randomness),
                rules.clone(),
            )),
        }
    }
}

/// What the routes need.
pub fn use_cases(ports: &Ports, settings: &Settings) -> UseCases {
    let shared = Shared::new(ports, &token_rules(&settings.tokens));
    let rules = session_rules(&settings.tokens);
    let Storage {
        users,
        sessions,
        roles,
        ..
    } = &ports.storage;
    let (sessions, clock) = (|| Arc::clone(sessions), || Arc::clone(&ports.clock));
    UseCases {
        register: Arc::new(Register::new(
            Arc::clone(&ports.throttle),
            Arc::new(create_user(ports, settings)),
        )),
        log_in: Arc::new(log_in(ports, &shared, settings)),
        log_out: Arc::new(LogOut::new(
            Arc::clone(&shared.authenticate),
            Arc::clone(&shared.recognise),
            sessions(),
            clock(),
            rules,
        )),
        refresh: Arc::new(Refresh::new(
            Arc::clone(&shared.recognise),
            sessions(),
            Arc::clone(&shared.issue_tokens),
            clock(),
            rules,
        )),
        assign_roles: Arc::new(AssignRoles::new(Arc::clone(users), Arc::clone(roles), clock())),
        change_own_password: Arc::new(change_own_password(ports, &shared, settings)),
        list_sessions: Arc::new(ListSessions::new(sessions(), clock())),
        end_session: Arc::new(EndSession::new(sessions(), clock())),
        authenticate: shared.authenticate,
        public_keys: Arc::clone(&ports.public_keys),
        storage_health: Arc::clone(&ports.storage.health),
        redis_health: ports.redis_health.clone(),
    }
}

/// What a start needs that may have to make the first admin.
pub fn bootstrap_admin(ports: &Ports, settings: &Settings) -> BootstrapAdmin {
    BootstrapAdmin::new(
        Arc::clone(&ports.storage.users),
        Arc::new(create_user(ports, settings)),
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

fn log_in(ports: &Ports, shared: &Shared, settings: &Settings) -> LogIn {
    LogIn::new(
        Arc::clone(&ports.throttle),
        Arc::clone(&ports.storage.users),
        Arc::clone(&ports.hasher),
        Arc::clone(&ports.storage.sessions),
        Arc::clone(&shared.issue_tokens),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.randomness),
        session_rules(&settings.tokens),
    )
}

fn change_own_password(ports: &Ports, shared: &Shared, settings: &Settings) -> ChangeOwnPassword {
    ChangeOwnPassword::new(
        Arc::clone(&ports.throttle),
        Arc::clone(&ports.storage.users),
        Arc::new(accept_password(ports, settings)),
        Arc::clone(&ports.hasher),
        Arc::clone(&shared.issue_tokens),
        Arc::clone(&ports.clock),
        Arc::clone(&ports.randomness),
        session_rules(&settings.tokens),
    )
}
