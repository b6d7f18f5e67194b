//! Concurrent changes, which share commits: some succeed, some are refused, some violate a
//! constraint of the schema.

use crate::{fresh, register, tampering::verify};
use domain::{
    audit::{AuditAction, AuditEvent},
    changes::{ChangeError, OpenSession, Refusal},
    ports::PortError,
    session::NewSession,
    user::{Epoch, User, UserFilter, UserId, UserPage},
};
use std::sync::Arc;
use testkit::{
    Storage,
    fixtures::{a_session, a_user, at, canonical, context, role_change, unique_uuid},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 25;
const PER_ROUND: usize = 2;

/// Where changes are made, and what exists before.
#[derive(Clone)]
struct Setting {
    storage: Storage,
    alice: User,
    session: NewSession,
}

impl Setting {
    async fn open(&self, session: NewSession, second: i64) -> Result<(), ChangeError> {
        let command = OpenSession {
            session,
            epoch: Epoch::FIRST,
            known: None,
            max_sessions: 1_000,
        };
        let opened = self
            .storage
            .accounts
            .execute(Arc::new(command), context(at(second)));
        opened.await.map(drop)
    }

    async fn make_three_changes(self, number: usize) {
        let user = a_user(&format!("user-{number}"));
        let registering = register(&self.storage, user, at(0));
        let opening = self.open(a_session(self.alice.id, at(0)), 0);
        let event = AuditEvent::on(AuditAction::LoginFailed, self.alice.id);
        let recording = self.storage.audit_events.record(event, context(at(0)));
        let (registered, opened, recorded) = tokio::join!(registering, opening, recording);
        registered.expect("the login is free");
        opened.expect("the session is new");
        recorded.expect("the log accepts events");
    }

    async fn take_a_login(self) {
        let taken = register(&self.storage, a_user("ALICE"), at(0)).await;
        let is_refused = matches!(taken, Err(ChangeError::Refused(Refusal::LoginTaken)));
        assert!(is_refused, "{taken:?}");
    }

    async fn change_a_missing_user(self) {
        let command = Arc::new(role_change(UserId(unique_uuid()), &[]));
        let missing = self.storage.accounts.execute(command, context(at(0))).await;
        let is_refused = matches!(missing, Err(ChangeError::Refused(Refusal::UserNotFound)));
        assert!(is_refused, "{missing:?}");
    }

    /// Records the login before it violates the key of sessions.
    async fn open_a_session_again(self) {
        let session = self.session.clone();
        let violating = self.open(session, 1_000).await;
        let is_unavailable = matches!(violating, Err(ChangeError::Port(PortError::Unavailable(_))));
        assert!(is_unavailable, "{violating:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_changes_have_their_own_results_and_the_log_records_those_that_were_made() {
    let (storage, _folder) = fresh().await;
    let alice = register(&storage, a_user("alice"), at(0)).await;
    let alice = alice.expect("the login is free");
    let setting = Setting {
        session: a_session(alice.id, at(0)),
        storage,
        alice,
    };
    let opened = setting.open(setting.session.clone(), 0).await;
    opened.expect("the session is new");

    for round in 0..ROUNDS {
        let mut changes = JoinSet::new();
        for number in 0..PER_ROUND {
            changes.spawn(setting.clone().take_a_login());
            changes.spawn(setting.clone().open_a_session_again());
            changes.spawn(setting.clone().make_three_changes(PER_ROUND * round + number));
            changes.spawn(setting.clone().change_a_missing_user());
        }
        changes.join_all().await;
    }

    check(&setting, 1 + PER_ROUND * ROUNDS).await;
}

/// Checks that `made` users are stored, `made` sessions of Alice, and their events.
async fn check(Setting { storage, alice, .. }: &Setting, made: usize) {
    let page = UserPage {
        after: None,
        limit: 1_000,
    };
    let users = storage.users.list(UserFilter::default(), page).await;
    assert_eq!(users.expect("the users can be listed").len(), made);
    let sessions = storage.session_directory.list(alice.id, at(1)).await;
    assert_eq!(sessions.expect("the sessions can be listed").len(), made);
    let found = storage.accounts.find_by_login(&canonical("alice")).await;
    let found = found.expect("the user can be read").expect("the user exists");
    assert_eq!(found.user.last_login_at, Some(at(0)), "only of stored sessions");
    let ends = verify(storage).await.expect("the chain is complete");
    let events = usize::try_from(ends.head.number.0).expect("the number is positive");
    assert_eq!(events, 3 * made - 1, "one recorded event less than users");
}
