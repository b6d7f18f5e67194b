use super::*;
use crate::{
    audit::fixtures::{ToyNotes, ToySeals},
    authority::{Capability, Requester},
    changes::{
        CatalogueFacts, Facts, OwnedSession,
        fixtures::{facts_about, own_facts},
    },
    fixtures::{SESSION, USER, caller, origin, stored_session, user, user_caller},
    invalidation::InvalidationScope,
    ports::{
        MockAccounts, MockAuditCheckpoints, MockAuditEvents, MockAuditLog, MockForeignHashes,
        MockPasswordHasher, MockPasswordMeter, MockRevocations, MockRoles, MockSessionDirectory,
        MockSessionSnapshots, MockSessions, MockThrottle, MockTokenSigner, MockTokenVerifier,
        MockUserDirectory, NoBreachedPasswords, NothingKept, Rotated,
    },
    revision::Precondition,
    role::{Permissions, built_in},
    session::EndReason,
    steps::{ChangeRequest, UserRef},
    throttle::ThrottleDecision,
    token::AccessToken,
    use_cases::{
        AssignRolesRequest, Assignee, ResetRules, RoleRequest,
        fixtures::{applied, clock, mac, randomness, token, token_rules},
    },
    user::UserStatus,
};
use std::sync::Mutex;

type Scopes = Arc<Mutex<Vec<InvalidationScope>>>;

/// Returns ports whose storage finds [`user`] and decides each command on `facts`, and the scopes
/// that are published.
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
        .expect_publish()
        .returning(move |scopes| published.lock().expect("no other thread panics").extend(scopes));
    let mut sessions = MockSessions::new();
    sessions
        .expect_rotate()
        .returning(|rotation| Ok(Rotated::Done(stored_session().rotated(&rotation))));
    let mut signer = MockTokenSigner::new();
    signer.expect_sign().returning(|claims| {
        let permissions = claims.permissions.as_ref().map(Permissions::len);
        Ok(AccessToken::new(format!("{permissions:?}")))
    });
    let mut throttle = MockThrottle::new();
    throttle
        .expect_take()
        .returning(|_| Ok(ThrottleDecision::Allowed));
    let ports = Ports {
        accounts: Arc::new(accounts),
        sessions: Arc::new(sessions),
        snapshots: Arc::new(MockSessionSnapshots::new()),
        audit_events: Arc::new(MockAuditEvents::new()),
        revocations: Arc::new(revocations),
        hasher: Arc::new(MockPasswordHasher::new()),
        meter: Arc::new(MockPasswordMeter::new()),
        breached: Arc::new(NoBreachedPasswords),
        throttle: Arc::new(throttle),
        signer: Arc::new(signer),
        verifier: Arc::new(MockTokenVerifier::new()),
        mac: mac(),
        clock: clock(),
        randomness: randomness(),
    };
    (ports, scopes)
}

fn administration_ports(ports: Ports, roles: MockRoles) -> AdministrationPorts {
    AdministrationPorts {
        accounts: ports.accounts,
        revocations: ports.revocations,
        hasher: ports.hasher,
        meter: ports.meter,
        breached: ports.breached,
        clock: ports.clock,
        randomness: ports.randomness,
        users: Arc::new(MockUserDirectory::new()),
        sessions: Arc::new(MockSessionDirectory::new()),
        roles: Arc::new(roles),
        audit: AuditPorts {
            log: Arc::new(MockAuditLog::new()),
            checkpoints: Arc::new(MockAuditCheckpoints::new()),
            kept: Arc::new(NothingKept),
            sealer: Arc::new(ToySeals(1)),
            signer: Arc::new(ToyNotes(1)),
            verifier: Arc::new(ToyNotes(1)),
        },
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
    std::mem::take(&mut scopes.lock().expect("no other thread panics"))
}

#[tokio::test]
async fn changes_by_use_cases_are_published() {
    let facts = Facts {
        session: Some(OwnedSession::from(&stored_session())),
        ..own_facts(Permissions::new())
    };
    let (ports, scopes) = ports(facts);
    let core = Core::new(ports, &rules());

    let ended = core.end_session.execute(&user_caller(), SESSION, origin()).await;
    ended.expect("the rules allow the change");
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
    assigned.expect("the rules allow the change");
    assert_eq!(published(&scopes), [InvalidationScope::User(USER)]);
}

#[tokio::test]
async fn changes_by_administration_are_published() {
    let (ports, scopes) = ports(facts_about(user()));
    let mut roles = MockRoles::new();
    roles.expect_execute().once().returning(|command, context| {
        let facts = CatalogueFacts {
            roles: built_in().into(),
            ..CatalogueFacts::default()
        };
        Ok(command.decide(&facts, context.at)?)
    });
    let given = AdministrationRules {
        passwords: PasswordPolicy::default(),
        resets: ResetRules::default(),
        default_roles: RoleNames::new(),
    };
    let administration = Administration::new(administration_ports(ports, roles), given);

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
    disabled.expect("the rules allow the change");
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
    written.expect("the rules allow the change");
    assert_eq!(published(&scopes), [InvalidationScope::Everything]);
}

/// Refreshing extends a session, so cached snapshots stay valid.
#[tokio::test]
async fn a_refresh_publishes_nothing() {
    let (ports, scopes) = ports(Facts::default());
    let core = Core::new(ports, &rules());
    let refreshed = core.refresh.execute(&token(5), origin()).await;
    refreshed.expect("tokens are issued");
    assert_eq!(published(&scopes), []);
}

#[tokio::test]
async fn a_reused_token_publishes_its_session_even_if_another_request_ended_it() {
    let mut ended = stored_session();
    ended.lifetime.ended = Some(EndReason::LoggedOut);
    let (mut ports, scopes) = ports(Facts {
        session: Some(OwnedSession::from(&ended)),
        ..Facts::default()
    });
    let mut sessions = MockSessions::new();
    sessions.expect_rotate().returning(|_| Ok(Rotated::Lost));
    sessions
        .expect_find()
        .returning(|_, _| Ok(Some(stored_session())));
    ports.sessions = Arc::new(sessions);
    let core = Core::new(ports, &rules());
    let refused = core.refresh.execute(&token(3), origin()).await;
    assert!(refused.is_err());
    // The other request may still be waiting for acknowledgements.
    assert_eq!(published(&scopes), [InvalidationScope::Session(SESSION)]);
}

#[tokio::test]
async fn tokens_carry_permissions_only_if_the_core_is_configured_to() {
    let (without, _) = ports(Facts::default());
    let pair = Core::new(without, &rules())
        .refresh
        .execute(&token(5), origin())
        .await;
    assert_eq!(pair.expect("tokens are issued").access_token.expose(), "None");

    let mut catalogue = MockRoles::new();
    catalogue
        .expect_find()
        .once()
        .returning(|_| Ok(built_in().into()));
    let (with, _) = ports(Facts::default());
    let pair = Core::with_permissions_in_tokens(with, &rules(), Arc::new(catalogue))
        .refresh
        .execute(&token(5), origin())
        .await;
    assert_eq!(pair.expect("tokens are issued").access_token.expose(), "Some(6)");
}
