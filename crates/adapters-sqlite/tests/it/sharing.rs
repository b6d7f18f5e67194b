//! Several connections, programs and callers on one file.

use crate::{IN_TIME, connect, fresh, register, storage_in};
use diesel::connection::SimpleConnection;
use domain::{
    audit::AuditFilter,
    changes::{AssignRoles, ChangeError, OpenSession},
    ports::PortError,
    user::{Epoch, UserFilter, UserPage},
};
use std::{sync::Arc, time::Duration};
use testkit::fixtures::{a_session, a_user, an_admin, at, canonical, context, role_change};
use tokio::time::{Instant, timeout};

#[tokio::test]
async fn a_server_sees_changes_of_the_command_line_immediately() {
    let (server, folder) = fresh().await;
    let user = register(&server, a_user("alice"), at(0))
        .await
        .expect("the user is stored");
    let session = a_session(user.id, at(0));
    let command = OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions: 100,
    };
    let opened = server.accounts.execute(Arc::new(command), context(at(0))).await;
    opened.expect("the session is opened");
    let command_line = storage_in(folder.path()).await;
    // Another admin, so that the user can lose the role.
    register(&command_line, an_admin("keeper"), at(0))
        .await
        .expect("the admin is stored");

    for epoch in 1..20 {
        let command = AssignRoles {
            keep_sessions: true,
            ..role_change(user.id, if epoch % 2 == 0 { &["user"] } else { &["admin"] })
        };
        let roles = command.roles.clone();
        let assigned = command_line
            .accounts
            .execute(Arc::new(command), context(at(0)))
            .await;
        assigned.expect("the roles are assigned");

        let snapshot = server
            .snapshots
            .snapshot(session.id)
            .await
            .expect("the snapshot can be read")
            .expect("the session exists");
        let shown = snapshot.principal;
        assert_eq!((shown.epoch(), shown.roles()), (Epoch(epoch), &roles));
    }
}

#[tokio::test]
async fn a_dry_run_does_not_wait_for_another_writer() {
    let (storage, folder) = fresh().await;
    let user = register(&storage, a_user("alice"), at(0))
        .await
        .expect("the user is stored");
    let mut other = connect(folder.path());
    other
        .batch_execute("BEGIN IMMEDIATE")
        .expect("the write lock is free");

    let command = Arc::new(role_change(user.id, &[]));
    let decided = storage.accounts.dry_run(command, context(at(1))).await;

    let after = decided
        .expect("the command succeeds")
        .into_user()
        .expect("the command returns the user");
    assert!(after.roles.is_empty());
    let found = storage
        .accounts
        .find(user.id)
        .await
        .expect("the user can be read");
    assert_eq!(found, Some(user));
}

#[tokio::test]
async fn a_blocked_writer_is_overloaded_in_time() {
    let (storage, folder) = fresh().await;
    let mut other = connect(folder.path());
    other
        .batch_execute("BEGIN IMMEDIATE")
        .expect("the write lock is free");
    let asked = Instant::now();

    let (one, two) = tokio::join!(
        register(&storage, a_user("alice"), at(0)),
        register(&storage, a_user("bob"), at(0)),
    );

    for refused in [one, two] {
        let overloaded = matches!(refused, Err(ChangeError::Port(PortError::Overloaded)));
        assert!(overloaded, "{refused:?}");
    }
    assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
    storage
        .accounts
        .find_by_login(&canonical("alice"))
        .await
        .expect("readers do not wait for writers");
    assert!(storage.health.check().await.is_err());

    other
        .batch_execute("ROLLBACK")
        .expect("the transaction can be rolled back");
    register(&storage, a_user("alice"), at(0))
        .await
        .expect("the user is stored");
}

/// Runs on one thread, like the runtimes of actix-web.
#[tokio::test(flavor = "current_thread")]
async fn callers_that_stop_waiting_leave_every_connection_usable() {
    let (storage, _folder) = fresh().await;
    for round in 0..50 {
        let user = a_user(&format!("user-{round}"));
        let _ = timeout(Duration::ZERO, register(&storage, user, at(0))).await;
        let _ = timeout(
            Duration::ZERO,
            storage.accounts.find_by_login(&canonical("user-0")),
        )
        .await;
        storage
            .health
            .check()
            .await
            .expect("a reading connection is free");
    }
    register(&storage, a_user("alice"), at(0))
        .await
        .expect("the writing connection is free");
    let page = UserPage {
        after: None,
        limit: 100,
    };
    let users = storage.users.list(UserFilter::default(), page).await;
    for user in users.expect("the users can be listed") {
        let of_user = AuditFilter {
            user: Some(user.id),
            ..AuditFilter::default()
        };
        let events = storage
            .audit_log
            .page(of_user, None, 10)
            .await
            .expect("the page can be read");
        assert_eq!(
            events.len(),
            1,
            "a registration and its event are stored together or not at all"
        );
    }
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_corrupt() {
    let (storage, folder) = fresh().await;
    register(&storage, a_user("alice"), at(0))
        .await
        .expect("the user is stored");
    for damage in ["login = ''", "created_at = 9223372036854775807"] {
        connect(folder.path())
            .batch_execute(&format!("UPDATE users SET {damage}"))
            .expect("the row can be damaged");
        let found = storage.accounts.find_by_login(&canonical("alice")).await;
        assert!(matches!(found, Err(PortError::Corrupt(_))), "{damage}: {found:?}");
        connect(folder.path())
            .batch_execute("UPDATE users SET login = 'alice'")
            .expect("the row can be repaired");
    }
}
