//! The contract of [`SessionDirectory`](domain::ports::SessionDirectory).

use super::support::{
    Everything, applied, idle_until, logged_in, logged_out, opened, registered, valid_until,
};
use crate::{
    CoreStorage, Storage,
    fixtures::{a_session, a_user, account, at, context},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    changes::DeleteUser,
    session::{Generation, NewSession, Rotation, SessionId, SessionSummary},
    user::User,
};
use std::sync::Arc;

contract! {
    /// One named test for each case of the contract of
    /// [`SessionDirectory`](domain::ports::SessionDirectory).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without users, and
    /// a guard that keeps it alive for the test.
    session_directory_contract = storage_cases for session_directory(Storage):
        live_sessions_are_listed_newest_first,
        a_listed_session_shows_its_origin,
        a_listed_session_shows_when_it_was_last_used,
        dead_sessions_are_removed_and_live_ones_stay,
        no_more_dead_sessions_are_removed_than_requested,
        a_deleted_user_leaves_no_sessions,
}

async fn listed(storage: &Storage, user: &User, now: DateTime<Utc>) -> Vec<SessionSummary> {
    let listed = storage.session_directory.list(user.id, now).await;
    listed.expect("storage answers")
}

fn summary(session: &NewSession) -> SessionSummary {
    SessionSummary {
        id: session.id,
        created_at: session.created_at,
        last_used_at: session.created_at,
        expires_at: session.expires_at,
        user_agent: session.user_agent.clone(),
        address: session.address,
    }
}

async fn live_sessions_are_listed_newest_first(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, one) = logged_in(core, "alice").await;
    logged_in(core, "bob").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let over = a_session(alice.id, at(3));
    let [newer, newest] = [a_session(alice.id, at(4)), a_session(alice.id, at(5))];
    for session in [&idle, &over, &newest, &newer] {
        opened(core, &alice, session.clone()).await;
    }
    logged_out(core, &over, 6).await;
    let instant = at(10) - Duration::microseconds(1);
    let with_idle = [&newest, &newer, &idle, &one].map(summary);
    assert_eq!(listed(storage, &alice, instant).await, with_idle);
    let without = [&newest, &newer, &one].map(summary);
    assert_eq!(listed(storage, &alice, at(10)).await, without);
    assert_eq!(listed(storage, &alice, newest.idle_expires_at).await, []);
}

async fn a_listed_session_shows_its_origin(storage: &Storage) {
    let alice = registered(&CoreStorage::of(storage), a_user("alice")).await;
    for (agent, address) in [
        (None, None),
        (Some("curl/8"), Some("192.0.2.1")),
        (
            Some("'; DROP TABLE sessions; -- \"日本語\" 🦀 \\"),
            Some("2001:db8::1"),
        ),
        (Some(""), Some("::ffff:192.0.2.1")),
    ] {
        let session = NewSession {
            user_agent: agent.map(ToOwned::to_owned),
            address: address.map(|text| text.parse().expect("an address")),
            ..a_session(alice.id, at(1))
        };
        let session = opened(&CoreStorage::of(storage), &alice, session).await;
        let listed = listed(storage, &alice, at(2)).await;
        let line = listed.into_iter().find(|line| line.id == session.id);
        assert_eq!(line, Some(summary(&session)));
    }
}

async fn a_listed_session_shows_when_it_was_last_used(storage: &Storage) {
    let (alice, session) = logged_in(&CoreStorage::of(storage), "alice").await;
    let other = opened(&CoreStorage::of(storage), &alice, a_session(alice.id, at(2))).await;
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(12),
        idle_until: at(1000),
    };
    storage.sessions.rotate(rotation).await.expect("storage answers");
    let rotated = SessionSummary {
        last_used_at: at(12),
        ..summary(&session)
    };
    assert_eq!(listed(storage, &alice, at(13)).await, [summary(&other), rotated]);
}

/// Opens sessions that are dead since before second 20 (two that ended and two that expired), and
/// four that are alive or died later.
async fn dead_and_others(storage: &Storage, alice: &User) -> ([SessionId; 4], [SessionId; 4]) {
    let session = || a_session(alice.id, at(2));
    let idle = idle_until(at(15), session());
    let whole = valid_until(at(15), session());
    let expires_later = idle_until(at(20), session());
    let (early, earlier, late, latest, live) = (session(), session(), session(), session(), session());
    for session in [
        &idle,
        &whole,
        &expires_later,
        &early,
        &earlier,
        &late,
        &latest,
        &live,
    ] {
        opened(&CoreStorage::of(storage), alice, session.clone()).await;
    }
    for (session, second) in [(&earlier, 5), (&early, 19), (&late, 20), (&latest, 40)] {
        logged_out(&CoreStorage::of(storage), session, second).await;
    }
    (
        [idle.id, whole.id, early.id, earlier.id],
        [expires_later.id, late.id, latest.id, live.id],
    )
}

async fn count_found(storage: &Storage, sessions: &[SessionId]) -> usize {
    let mut count = 0;
    for id in sessions {
        let found = storage.sessions.find(*id).await.expect("storage answers");
        let snapshot = storage.snapshots.snapshot(*id).await.expect("storage answers");
        assert_eq!(
            found.is_some(),
            snapshot.is_some(),
            "a removed session is gone altogether"
        );
        count += usize::from(found.is_some());
    }
    count
}

async fn remove(storage: &Storage, limit: u32) -> u64 {
    let removed = storage.session_directory.remove_dead(at(20), limit).await;
    removed.expect("storage answers")
}

async fn dead_sessions_are_removed_and_live_ones_stay(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in(core, "alice").await;
    let (dead, rest) = dead_and_others(storage, &alice).await;
    let before = Everything::of(core, &alice, &rest).await;
    assert_eq!(remove(storage, 100).await, 4);
    assert_eq!(count_found(storage, &dead).await, 0);
    assert_eq!(count_found(storage, &[session.id]).await, 1);
    let after = Everything::of(core, &alice, &rest).await;
    assert_eq!(after, before, "the events outlive the sessions");
    assert_eq!(remove(storage, 100).await, 0);
}

async fn no_more_dead_sessions_are_removed_than_requested(storage: &Storage) {
    let (alice, _) = logged_in(&CoreStorage::of(storage), "alice").await;
    let (dead, rest) = dead_and_others(storage, &alice).await;
    assert_eq!(remove(storage, 0).await, 0);
    assert_eq!(count_found(storage, &dead).await, 4);
    assert_eq!(remove(storage, 3).await, 3);
    assert_eq!(count_found(storage, &dead).await, 1);
    assert_eq!(remove(storage, 3).await, 1);
    assert_eq!(count_found(storage, &dead).await, 0);
    assert_eq!(count_found(storage, &rest).await, 4);
}

async fn a_deleted_user_leaves_no_sessions(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in(core, "alice").await;
    let over = opened(core, &alice, a_session(alice.id, at(2))).await;
    logged_out(core, &over, 3).await;
    let delete = Arc::new(DeleteUser(account(alice.id)));
    applied(core, delete, context(at(4))).await;
    assert_eq!(listed(storage, &alice, at(5)).await, []);
    let later = session.expires_at + Duration::days(1);
    let removed = storage.session_directory.remove_dead(later, 100).await;
    assert_eq!(removed.expect("storage answers"), 0);
}
