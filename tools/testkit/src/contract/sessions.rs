//! The contract of [`Sessions`](domain::ports::Sessions).

use super::prelude::*;
use domain::{audit::Origin, ports::Rotated, session::SecretDigest};

contract! {
    /// Defines a named test for each case of the contract of [`Sessions`](domain::ports::Sessions).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    sessions_contract = storage_cases for sessions(CoreStorage):
        a_session_that_was_never_stored_is_not_found,
        a_rotation_advances_one_generation,
        a_rotation_returns_the_roles_and_epoch_as_they_are_now,
        a_rotation_from_another_generation_or_with_another_secret_is_lost,
        a_rotation_stores_its_origin,
        the_age_of_a_rotation_is_measured_by_one_clock,
        a_rotation_belongs_to_the_burst_that_began_within_its_window,
        a_rotation_without_a_window_begins_a_burst,
        the_age_of_a_burst_is_measured_by_the_clock_of_its_rotations,
        a_rotation_never_outlives_the_session,
        a_session_opened_under_a_clock_ahead_counts_as_opened_at_the_rotation,
        a_session_rotates_until_it_ends_or_expires,
        the_session_of_a_disabled_user_does_not_rotate,
        one_of_many_concurrent_rotations_happens,
        one_of_the_concurrent_rotations_of_each_session_happens,
        each_of_many_concurrent_rotations_has_its_own_result,
        a_rotation_that_races_an_end_leaves_the_session_ended,
}

async fn rotate(storage: &CoreStorage, rotation: Rotation) -> Rotated {
    answered(|| storage.sessions.rotate(rotation)).await
}

async fn assert_rotates(storage: &CoreStorage, rotation: Rotation) -> StoredSession {
    match rotate(storage, rotation).await {
        Rotated::Done(rotated) => rotated,
        Rotated::Lost => panic!("lost: {rotation:?}"),
    }
}

async fn assert_lost(storage: &CoreStorage, user: &User, rotation: Rotation) {
    let before = Everything::of(storage, user, &[rotation.session]).await;
    assert_eq!(rotate(storage, rotation).await, Rotated::Lost, "{rotation:?}");
    assert_eq!(Everything::of(storage, user, &[rotation.session]).await, before);
}

async fn a_session_that_was_never_stored_is_not_found(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never_stored = a_session(alice.id, at(1));
    assert_eq!(find_session(storage, never_stored.id).await, None);
    assert_lost(storage, &alice, rotation(&never_stored, 0, at(3))).await;
}

async fn a_rotation_advances_one_generation(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let before = found(storage, other.id).await;
    for generation in 0..3 {
        let rotation = rotation(&session, generation, at(10 + i64::from(generation)));
        let expected = found(storage, session.id).await.rotated(&rotation);
        assert_eq!(assert_rotates(storage, rotation).await, expected);
        assert_eq!(found(storage, session.id).await, expected);
    }
    assert_eq!(found(storage, other.id).await, before);
}

async fn a_rotation_returns_the_roles_and_epoch_as_they_are_now(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let assign = keeping_sessions(alice.id, &["admin", "user"]);
    let alice = changed(storage, assign, 2).await;
    let holder = assert_rotates(storage, rotation(&session, 0, at(3))).await.holder;
    assert_eq!((holder.roles, holder.epoch), (alice.roles, alice.epoch));
}

async fn a_rotation_from_another_generation_or_with_another_secret_is_lost(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(1))).await;
    let right = session.secret_digest;
    let SecretDigest(mut almost) = right;
    almost[31] ^= 1;
    assert_rotates(storage, rotation(&session, 0, at(2))).await;
    for (generation, secret_digest) in [
        (0, right),
        (2, right),
        (7, right),
        (1, other.secret_digest),
        (1, SecretDigest(almost)),
        (1, SecretDigest([0; 32])),
    ] {
        let wrong = Rotation {
            secret_digest,
            ..rotation(&session, generation, at(3))
        };
        assert_lost(storage, &alice, wrong).await;
    }
    assert_rotates(storage, rotation(&session, 1, at(3))).await;
}

async fn a_rotation_stores_its_origin(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    assert_eq!(found(storage, session.id).await.last_rotation.origin, None);
    let origin = |address: &str, user_agent| {
        let origin = Origin::new(address.parse().ok(), user_agent, None);
        OriginFingerprint::of(&origin)
    };
    for (generation, origin) in [
        origin("192.0.2.7", Some("curl/8")),
        origin("2001:db8::7", None),
        origin("unknown", None),
    ]
    .into_iter()
    .enumerate()
    {
        let generation = u32::try_from(generation).expect("the number is small");
        let rotation = Rotation {
            origin,
            ..rotation(&session, generation, at(10))
        };
        let rotated = assert_rotates(storage, rotation).await;
        assert_eq!(rotated.last_rotation.origin, Some(origin));
        assert_eq!(found(storage, session.id).await, rotated);
    }
}

/// The fixtures are far from the time of any other clock, so that mixing clocks shows.
async fn the_age_of_a_rotation_is_measured_by_one_clock(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    assert_rotates(storage, rotation(&session, 0, at(10))).await;
    let read = storage.sessions.find(session.id, at(13)).await;
    let read = read.expect("storage is available").expect("the session exists");
    let age = read.last_rotation.age;
    assert!(
        Duration::zero() <= age && age < Duration::hours(1),
        "the session was rotated at second 10 and read at second 13, but its age is {age}"
    );
}

/// Returns the rotation of `session` from `generation` at `second`, with a window that outlasts the
/// test.
fn in_long_window(session: &NewSession, generation: u32, second: i64) -> Rotation {
    Rotation {
        grace: Duration::hours(1),
        ..rotation(session, generation, at(second))
    }
}

/// Returns a burst of age zero.
fn burst_from(generation: u32) -> Burst {
    Burst {
        from: Generation(generation),
        age: Duration::zero(),
    }
}

async fn a_rotation_belongs_to_the_burst_that_began_within_its_window(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    assert_eq!(found(storage, session.id).await.burst, None);
    for generation in 0..4 {
        let rotation = in_long_window(&session, generation, 10 + i64::from(generation));
        let expected = found(storage, session.id).await.rotated(&rotation);
        assert_eq!(expected.burst, Some(burst_from(0)));
        let rotated = without_ages(assert_rotates(storage, rotation).await);
        assert_eq!(rotated, expected);
        assert_eq!(found(storage, session.id).await, rotated);
    }
    assert_eq!(found(storage, other.id).await.burst, None);
}

async fn a_rotation_without_a_window_begins_a_burst(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    assert_rotates(storage, in_long_window(&session, 0, 10)).await;
    assert_rotates(storage, in_long_window(&session, 1, 10)).await;
    let rotated = assert_rotates(storage, rotation(&session, 2, at(10))).await;
    assert_eq!(rotated.burst, Some(burst_from(2)), "it begins with the rotation");
    assert_eq!(found(storage, session.id).await.burst, Some(burst_from(2)));
    let last = assert_rotates(storage, in_long_window(&session, 3, 11)).await;
    assert_eq!(without_ages(last).burst, Some(burst_from(2)));
}

/// The fixtures are far from the time of any other clock, so that mixing clocks shows.
async fn the_age_of_a_burst_is_measured_by_the_clock_of_its_rotations(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    assert_rotates(storage, in_long_window(&session, 0, 10)).await;
    let rotated = assert_rotates(storage, in_long_window(&session, 1, 12)).await;
    let at_rotation = rotated.burst.expect("the rotation has a burst").age;
    let read = storage.sessions.find(session.id, at(13)).await;
    let read = read.expect("storage is available").expect("the session exists");
    let age = read.burst.expect("the session has a burst").age;
    assert!(
        Duration::zero() <= at_rotation && at_rotation <= age && age < Duration::hours(1),
        "the burst began at second 10; its age is {at_rotation} at second 12, {age} at second 13"
    );
    let last = read.last_rotation.age;
    assert!(
        last <= age,
        "the burst began {age} ago, and the last rotation {last} ago"
    );
}

async fn a_rotation_never_outlives_the_session(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let end = at(100);
    let short = NewSession {
        idle_expires_at: at(50),
        expires_at: end,
        ..a_session(alice.id, at(2))
    };
    let session = opened(storage, &alice, short).await;
    let tick = Duration::microseconds(1);
    for (generation, idle_until, expires) in [
        (0, end - tick, end - tick),
        (1, end, end),
        (2, end + tick, end),
        (3, end + Duration::days(30), end),
        // The timeout ends earlier, because the setting was lowered.
        (4, at(60), at(60)),
    ] {
        let rotation = Rotation {
            idle_until,
            ..rotation(&session, generation, at(10))
        };
        let rotated = assert_rotates(storage, rotation).await;
        assert_eq!(rotated.lifetime.idle_expires_at, expires, "{idle_until}");
        assert_eq!(rotated.lifetime.expires_at, end);
        assert_eq!(found(storage, session.id).await, rotated);
    }
}

async fn a_session_opened_under_a_clock_ahead_counts_as_opened_at_the_rotation(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let ahead = opened(storage, &alice, a_session(alice.id, at(400 * 24 * 3600 + 7))).await;
    let lifetime = ahead.expires_at - ahead.created_at;
    for (generation, second, opened_at) in [(0, 10, at(10)), (1, 9, at(9)), (2, 500, at(9))] {
        let rotation = rotation(&ahead, generation, at(second));
        let expected = found(storage, ahead.id).await.rotated(&rotation);
        let rotated = assert_rotates(storage, rotation).await;
        assert_eq!(rotated.lifetime.created_at, opened_at);
        assert_eq!(rotated.authenticated_at, opened_at);
        assert_eq!(rotated.lifetime.expires_at, opened_at + lifetime);
        assert_eq!(rotated.lifetime.idle_expires_at, rotation.idle_until);
        assert_eq!(rotated, expected);
        assert_eq!(found(storage, ahead.id).await, rotated);
    }
}

async fn a_session_rotates_until_it_ends_or_expires(storage: &CoreStorage) {
    let (alice, ended) = logged_in(storage, "alice").await;
    logged_out(storage, &ended, 2).await;
    assert_lost(storage, &alice, rotation(&ended, 0, at(3))).await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let expiring = valid_until(at(10), a_session(alice.id, at(2)));
    for session in [idle, expiring] {
        opened(storage, &alice, session.clone()).await;
        assert_lost(storage, &alice, rotation(&session, 0, at(10))).await;
        let in_time = rotation(&session, 0, at(10) - Duration::microseconds(1));
        assert_rotates(storage, in_time).await;
    }
}

async fn the_session_of_a_disabled_user_does_not_rotate(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    changed(storage, set_status(alice.id, UserStatus::Disabled), 2).await;
    assert_lost(storage, &alice, rotation(&session, 0, at(3))).await;
}

async fn one_of_many_concurrent_rotations_happens(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    for generation in 0..4 {
        let results = race((0..50).map(|second| {
            let (storage, rotation) = (storage.clone(), rotation(&session, generation, at(10 + second)));
            async move { rotate(&storage, rotation).await }
        }))
        .await;
        let stored = found(storage, session.id).await;
        assert_eq!(stored.generation, Generation(generation + 1));
        assert_eq!(count(&results, |it| *it == Rotated::Lost), 49);
        let done = Rotated::Done(stored);
        assert_eq!(count(&results, |it| *it == done), 1, "{done:?} in {results:?}");
    }
}

async fn one_of_the_concurrent_rotations_of_each_session_happens(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let mut sessions = Vec::new();
    for _ in 0..10 {
        sessions.push(opened(storage, &alice, a_session(alice.id, at(1))).await);
    }
    for generation in 0..3 {
        let five_each = sessions.iter().cycle().take(50);
        let results = race(five_each.map(|session| {
            let (storage, rotation) = (storage.clone(), rotation(session, generation, at(10)));
            async move { (rotation.session, rotate(&storage, rotation).await) }
        }))
        .await;
        for session in &sessions {
            let done = Rotated::Done(found(storage, session.id).await);
            let of_session =
                |it: &(SessionId, Rotated), wanted: &Rotated| it.0 == session.id && it.1 == *wanted;
            assert_eq!(count(&results, |it| of_session(it, &done)), 1, "{results:?}");
            assert_eq!(
                count(&results, |it| of_session(it, &Rotated::Lost)),
                4,
                "{results:?}"
            );
        }
    }
}

/// Returns rotations at second 10, each of another session, and whether they happen.
async fn rotations_of_a_crowd(storage: &CoreStorage) -> Vec<(Rotation, bool)> {
    let (alice, fresh) = logged_in(storage, "alice").await;
    let (bob, of_disabled) = logged_in(storage, "bob").await;
    changed(storage, set_status(bob.id, UserStatus::Disabled), 2).await;
    let new = || a_session(alice.id, at(2));
    let open = async |session| opened(storage, &alice, session).await;
    let (bursting, stale, ended) = (open(new()).await, open(new()).await, open(new()).await);
    assert_rotates(storage, in_long_window(&bursting, 0, 5)).await;
    assert_rotates(storage, in_long_window(&stale, 0, 5)).await;
    logged_out(storage, &ended, 6).await;
    let short = open(valid_until(at(500), new())).await;
    let ahead = open(a_session(alice.id, at(400 * 24 * 3600 + 7))).await;
    let idle = open(idle_until(at(10), new())).await;
    let expired = open(valid_until(at(10), new())).await;
    let at_ten = |session: &NewSession| rotation(session, 0, at(10));
    let guessed = Rotation {
        secret_digest: SecretDigest([0; 32]),
        ..at_ten(&open(new()).await)
    };
    let lost = [at_ten(&stale), at_ten(&ended), at_ten(&idle), at_ten(&expired)];
    let lost = lost
        .into_iter()
        .chain([at_ten(&new()), guessed, at_ten(&of_disabled)]);
    let happen = [at_ten(&fresh), at_ten(&short), at_ten(&ahead)];
    let happen = happen.into_iter().chain([in_long_window(&bursting, 1, 10)]);
    let lost = lost.map(|rotation| (rotation, false));
    happen.map(|rotation| (rotation, true)).chain(lost).collect()
}

async fn each_of_many_concurrent_rotations_has_its_own_result(storage: &CoreStorage) {
    let mut crowd = Vec::new();
    for (rotation, happens) in rotations_of_a_crowd(storage).await {
        let before = find_session(storage, rotation.session).await;
        crowd.push((rotation, happens, before));
    }

    let results = race(crowd.into_iter().map(|(rotation, happens, before)| {
        let storage = storage.clone();
        async move { (rotation, happens, before, rotate(&storage, rotation).await) }
    }))
    .await;

    for (rotation, happens, before, result) in results {
        let rotated = match result {
            Rotated::Done(session) => Some(without_ages(session)),
            Rotated::Lost => None,
        };
        let expected = before.clone().filter(|_| happens);
        let expected = expected.map(|session| session.rotated(&rotation));
        assert_eq!(rotated, expected, "{rotation:?}");
        let stored = find_session(storage, rotation.session).await;
        assert_eq!(stored, expected.or(before), "{rotation:?}");
    }
}

async fn a_rotation_that_races_an_end_leaves_the_session_ended(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    for round in 0..30 {
        let session = opened(storage, &alice, a_session(alice.id, at(1))).await;
        race((0..5).map(|turn| {
            let (storage, rotation) = (storage.clone(), rotation(&session, 0, at(2)));
            let (end, context) = (Arc::new(end_of(&session)), context_of(alice.id, at(2)));
            async move {
                if turn == 2 {
                    let ended = execute(&storage, end, context).await;
                    assert!(ended.is_ok(), "round {round}");
                } else {
                    rotate(&storage, rotation).await;
                }
            }
        }))
        .await;
        let over = Liveness::Ended(EndReason::LoggedOut);
        let now = liveness(storage, session.id, at(3)).await;
        assert_eq!(now, over, "round {round}");
    }
}
