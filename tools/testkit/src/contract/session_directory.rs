//! The contract of [`SessionDirectory`](domain::ports::SessionDirectory).

use super::prelude::*;
use domain::{ports::Rotated, session::SessionSummary};

contract! {
    /// Defines a named test for each case of the contract of
    /// [`SessionDirectory`](domain::ports::SessionDirectory).
    ///
    /// `$fresh` is an async function that returns a [`Storage`](crate::Storage) without users, and
    /// a guard that keeps it alive for the test.
    session_directory_contract = storage_cases for session_directory(Storage):
        live_sessions_are_listed_newest_first,
        the_order_of_sessions_does_not_depend_on_the_clock,
        a_listed_session_shows_its_origin,
        a_listed_session_shows_when_it_was_last_used,
        dead_sessions_are_removed_up_to_the_limit_and_live_ones_stay,
        a_session_is_removed_after_the_end_that_its_last_rotation_set,
        a_deleted_user_leaves_no_sessions,
}

async fn listed(storage: &Storage, user: &User, now: DateTime<Utc>) -> Vec<SessionSummary> {
    let listed = storage.session_directory.list(user.id, now).await;
    listed.expect("storage is available")
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
    for session in [&idle, &over, &newer, &newest] {
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

async fn the_order_of_sessions_does_not_depend_on_the_clock(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, one) = logged_in(core, "alice").await;
    let ahead = opened(core, &alice, a_session(alice.id, at(86_400))).await;
    let newest = opened(core, &alice, a_session(alice.id, at(2))).await;
    let newest_first = [newest, ahead, one].map(|session| session.id);
    let ids: Vec<_> = listed(storage, &alice, at(3))
        .await
        .into_iter()
        .map(|line| line.id)
        .collect();
    assert_eq!(ids, newest_first);
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
            address: address.map(|text| text.parse().expect("the address is valid")),
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
    let rotation = rotation(&session, 0, at(12));
    storage
        .sessions
        .rotate(rotation)
        .await
        .expect("storage is available");
    let listed = listed(storage, &alice, at(13)).await;
    // Storage may measure the time by a clock of its own, which is not before the fixtures.
    let last_used_at = listed.last().expect("two sessions are live").last_used_at;
    assert!(last_used_at >= at(12), "{last_used_at}");
    let rotated = SessionSummary {
        last_used_at,
        ..summary(&session)
    };
    assert_eq!(listed, [summary(&other), rotated]);
}

/// Opens four sessions that end before second 20, and four that end at second 20 or later.
async fn dead_and_others(storage: &CoreStorage, alice: &User) -> [Vec<SessionId>; 2] {
    let new = || a_session(alice.id, at(2));
    let (mut dead, mut others) = (Vec::new(), Vec::new());
    for (session, end, is_dead) in [
        (idle_until(at(15), new()), None, true),
        (valid_until(at(15), new()), None, true),
        (new(), Some(5), true),
        (new(), Some(19), true),
        (idle_until(at(20), new()), None, false),
        (new(), Some(20), false),
        (new(), Some(40), false),
        (new(), None, false),
    ] {
        let session = opened(storage, alice, session).await;
        if let Some(second) = end {
            logged_out(storage, &session, second).await;
        }
        if is_dead { &mut dead } else { &mut others }.push(session.id);
    }
    [dead, others]
}

async fn count_found(storage: &CoreStorage, sessions: &[SessionId]) -> usize {
    let mut count = 0;
    for id in sessions {
        let found = find_session(storage, *id).await;
        let snapshot = find_snapshot(storage, *id).await;
        assert_eq!(found.is_some(), snapshot.is_some());
        count += usize::from(found.is_some());
    }
    count
}

async fn dead_sessions_are_removed_up_to_the_limit_and_live_ones_stay(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, _) = logged_in(core, "alice").await;
    let [dead, others] = dead_and_others(core, &alice).await;
    let before = Everything::of(core, &alice, &others).await;
    for (limit, removed, left) in [(0, 0, 4), (3, 3, 1), (3, 1, 0), (100, 0, 0)] {
        let result = storage.session_directory.remove_dead(at(20), limit).await;
        assert_eq!(result.expect("storage is available"), removed);
        assert_eq!(count_found(core, &dead).await, left);
    }
    assert_eq!(Everything::of(core, &alice, &others).await, before);
    assert_eq!(count_found(core, &others).await, 4);
}

async fn a_session_is_removed_after_the_end_that_its_last_rotation_set(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, _) = logged_in(core, "alice").await;
    let (day, tick) = (Duration::days(1), Duration::microseconds(1));
    let session = idle_until(at(0) + day * 3, a_session(alice.id, at(2)));
    let session = opened(core, &alice, session).await;
    // Later on another day, later on the same day, and earlier: the setting was lowered.
    for (generation, end) in [
        (0, at(0) + day * 5),
        (1, at(1) + day * 5),
        (2, at(0) + day * 4),
        (3, at(20)),
    ] {
        let rotation = Rotation {
            idle_until: end,
            ..rotation(&session, generation, at(10))
        };
        let rotated = storage.sessions.rotate(rotation).await;
        assert!(matches!(rotated, Ok(Rotated::Done(_))), "{rotated:?}");
        let removed = storage.session_directory.remove_dead(end, 9).await;
        assert_eq!(removed.expect("storage is available"), 0, "{end}");
    }
    let removed = storage.session_directory.remove_dead(at(20) + tick, 9).await;
    assert_eq!(removed.expect("storage is available"), 1);
    assert_eq!(count_found(core, &[session.id]).await, 0);
}

async fn a_deleted_user_leaves_no_sessions(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, session) = logged_in(core, "alice").await;
    let over = opened(core, &alice, a_session(alice.id, at(2))).await;
    logged_out(core, &over, 3).await;
    changed(core, Arc::new(DeleteUser(account(alice.id))), 4).await;
    assert_eq!(listed(storage, &alice, at(5)).await, []);
    let later = session.expires_at + Duration::days(1);
    let removed = storage.session_directory.remove_dead(later, 100).await;
    assert_eq!(removed.expect("storage is available"), 0);
}
