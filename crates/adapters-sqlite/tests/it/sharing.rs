//! Several connections, programs and callers on one file.

use crate::{connect, fresh, storage_in};
use diesel::connection::SimpleConnection;
use domain::{
    audit::AuditFilter,
    ports::{ChangeRoles, Inserted, PortError, RolesChanged},
    user::{Epoch, UserFilter, UserPage},
};
use std::time::Duration;
use testkit::fixtures::{a_session, a_user, at, canonical, context, role_names};
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn a_server_sees_at_once_what_the_command_line_did() {
    let (server, folder) = fresh().await;
    let (user, context) = (a_user("alice"), context(at(0)));
    server
        .users
        .insert(user.clone(), context.clone())
        .await
        .expect("a user");
    let session = a_session(user.id, at(0));
    server
        .sessions
        .open(session.clone(), Epoch::FIRST, 100, context.clone())
        .await
        .expect("a session");
    let command_line = storage_in(folder.path()).await;

    for epoch in 1..20 {
        let roles = role_names(if epoch % 2 == 0 { &["user"] } else { &["admin"] });
        // The first loss of `admin` would be refused: somebody else has it from the start.
        if epoch == 1 {
            let other = testkit::fixtures::an_admin("keeper");
            command_line
                .users
                .insert(other, context.clone())
                .await
                .expect("an admin");
        }
        let change = ChangeRoles {
            user: user.id,
            roles: roles.clone(),
            keep_sessions: true,
            if_revision: None,
            authorized_by: None,
            dry_run: false,
        };
        let changed = command_line
            .users
            .change_roles(change, context.clone())
            .await
            .expect("a change");
        assert!(matches!(changed, RolesChanged::Now { .. }), "{changed:?}");

        let snapshot = server
            .snapshots
            .snapshot(session.id)
            .await
            .expect("an answer")
            .expect("a view");
        assert_eq!((snapshot.user.epoch, snapshot.user.roles), (Epoch(epoch), roles));
    }
}

#[tokio::test]
async fn a_writer_that_is_kept_waiting_is_told_within_a_second() {
    let (storage, folder) = fresh().await;
    let mut other = connect(folder.path());
    other.batch_execute("BEGIN IMMEDIATE").expect("the write lock");
    let asked = Instant::now();

    let (one, two) = tokio::join!(
        storage.users.insert(a_user("alice"), context(at(0))),
        storage.users.insert(a_user("bob"), context(at(0))),
    );

    assert!(matches!(one, Err(PortError::Overloaded)), "{one:?}");
    assert!(matches!(two, Err(PortError::Overloaded)), "{two:?}");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    storage
        .health
        .check()
        .await
        .expect("readers that do not wait for writers");

    other.batch_execute("ROLLBACK").expect("the end of it");
    let inserted = storage
        .users
        .insert(a_user("alice"), context(at(0)))
        .await
        .expect("a user");
    assert!(matches!(inserted, Inserted::Now(_)), "{inserted:?}");
}

/// On a runtime with one thread, as each of actix-web's is.
#[tokio::test(flavor = "current_thread")]
async fn callers_that_lose_patience_leave_every_connection_usable() {
    let (storage, _folder) = fresh().await;
    for round in 0..50 {
        let user = a_user(&format!("user-{round}"));
        let _ = timeout(Duration::ZERO, storage.users.insert(user, context(at(0)))).await;
        let _ = timeout(Duration::ZERO, storage.users.find_by_login(&canonical("user-0"))).await;
        storage.health.check().await.expect("a reader");
    }
    let inserted = storage
        .users
        .insert(a_user("alice"), context(at(0)))
        .await
        .expect("a writer");
    assert!(matches!(inserted, Inserted::Now(_)), "{inserted:?}");
    let page = UserPage {
        after: None,
        limit: 100,
    };
    let users = storage.users.list(UserFilter::default(), page).await;
    for user in users.expect("users") {
        let of_user = AuditFilter {
            user: Some(user.id),
            ..AuditFilter::default()
        };
        let told = storage.audit.page(of_user, None, 10).await.expect("a trail");
        assert_eq!(told.len(), 1, "whole or not at all");
    }
}

#[tokio::test]
async fn a_row_that_nobody_wrote_is_corrupt() {
    let (storage, folder) = fresh().await;
    let user = a_user("alice");
    storage
        .users
        .insert(user.clone(), context(at(0)))
        .await
        .expect("a user");
    for damage in ["login = ''", "created_at = 9223372036854775807"] {
        connect(folder.path())
            .batch_execute(&format!("UPDATE users SET {damage}"))
            .expect("damage");
        let found = storage.users.find_by_login(&canonical("alice")).await;
        assert!(matches!(found, Err(PortError::Corrupt(_))), "{damage}: {found:?}");
        connect(folder.path())
            .batch_execute("UPDATE users SET login = 'alice'")
            .expect("a repair");
    }
}
