//! The contract of [`Sessions`](domain::ports::Sessions).

use super::support::{
    Everything, answered, applied, count, done, end_of, execute, found, idle_until, liveness, logged_in,
    logged_out, opened, race, set_status, valid_until,
};
use crate::{
    CoreStorage,
    fixtures::{a_session, at, context, context_of, role_change},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    changes::AssignRoles,
    ports::Rotated,
    session::{EndReason, Generation, Liveness, NewSession, Rotation, SecretDigest},
    user::{User, UserStatus},
};
use std::sync::Arc;

contract! {
    /// One named test for each case of the contract of [`Sessions`](domain::ports::Sessions).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    sessions_contract = storage_cases for sessions(CoreStorage):
        a_session_that_was_never_stored_is_not_found,
        a_rotation_takes_one_step,
        a_rotation_returns_the_roles_and_epoch_as_they_are_now,
        a_rotation_from_another_generation_is_lost,
        a_rotation_with_another_secret_is_lost,
        a_rotation_never_outlives_the_session,
        a_session_that_ended_does_not_rotate,
        a_session_rotates_until_the_instant_it_expires,
        a_disabled_users_session_does_not_rotate,
        one_of_many_concurrent_rotations_wins,
        a_rotation_that_races_an_end_leaves_the_session_ended,
}

/// A step of `session` from `generation` at `at`, which gives it another 1000 seconds.
fn step(session: &NewSession, generation: u32, at: DateTime<Utc>) -> Rotation {
    Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(generation),
        to: Generation(generation + 1),
        at,
        idle_until: at + Duration::seconds(1000),
    }
}

async fn rotate(storage: &CoreStorage, rotation: Rotation) -> Rotated {
    answered(|| storage.sessions.rotate(rotation)).await
}

async fn assert_lost(storage: &CoreStorage, user: &User, rotation: Rotation) {
    let before = Everything::of(storage, user, &[rotation.session]).await;
    assert_eq!(rotate(storage, rotation).await, Rotated::Lost, "{rotation:?}");
    assert_eq!(Everything::of(storage, user, &[rotation.session]).await, before);
}

async fn a_session_that_was_never_stored_is_not_found(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never_stored = a_session(alice.id, at(1)).id;
    let found = storage.sessions.find(never_stored).await;
    assert_eq!(found.expect("storage answers"), None);
}

async fn a_rotation_takes_one_step(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let before = found(storage, other.id).await;
    for generation in 0..3 {
        let rotation = step(&session, generation, at(10 + i64::from(generation)));
        let expected = found(storage, session.id).await.rotated(&rotation);
        assert_eq!(rotate(storage, rotation).await, Rotated::Done(expected.clone()));
        assert_eq!(found(storage, session.id).await, expected);
    }
    assert_eq!(found(storage, other.id).await, before);
}

async fn a_rotation_returns_the_roles_and_epoch_as_they_are_now(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let keep = AssignRoles {
        keep_sessions: true,
        ..role_change(alice.id, &["admin", "user"])
    };
    let assigned = applied(storage, Arc::new(keep), context(at(2))).await;
    let changed = done(Ok(assigned));
    let Rotated::Done(rotated) = rotate(storage, step(&session, 0, at(3))).await else {
        panic!("a live session at this generation rotates");
    };
    assert_eq!(
        (rotated.holder.roles, rotated.holder.epoch),
        (changed.roles, alice.epoch.next())
    );
}

async fn a_rotation_from_another_generation_is_lost(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    assert!(matches!(
        rotate(storage, step(&session, 0, at(2))).await,
        Rotated::Done(_)
    ));
    for generation in [0, 2, 7] {
        assert_lost(storage, &alice, step(&session, generation, at(3))).await;
    }
    let never_stored = a_session(alice.id, at(1));
    assert_lost(storage, &alice, step(&never_stored, 0, at(3))).await;
}

async fn a_rotation_with_another_secret_is_lost(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(1))).await;
    let SecretDigest(mut almost) = session.secret_digest;
    almost[31] ^= 1;
    for secret_digest in [other.secret_digest, SecretDigest(almost), SecretDigest([0; 32])] {
        let rotation = Rotation {
            secret_digest,
            ..step(&session, 0, at(2))
        };
        assert_lost(storage, &alice, rotation).await;
    }
    let right = rotate(storage, step(&session, 0, at(2))).await;
    assert!(
        matches!(right, Rotated::Done(_)),
        "the secret was all that differed"
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
        // Earlier than before, as when the setting was lowered meanwhile.
        (4, at(60), at(60)),
    ] {
        let rotation = Rotation {
            idle_until,
            ..step(&session, generation, at(10))
        };
        let Rotated::Done(rotated) = rotate(storage, rotation).await else {
            panic!("a live session at this generation rotates");
        };
        assert_eq!(rotated.lifetime.idle_expires_at, expires, "{idle_until}");
        assert_eq!(rotated.lifetime.expires_at, end);
        assert_eq!(found(storage, session.id).await, rotated);
    }
}

async fn a_session_that_ended_does_not_rotate(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    logged_out(storage, &session, 2).await;
    assert_lost(storage, &alice, step(&session, 0, at(3))).await;
}

async fn a_session_rotates_until_the_instant_it_expires(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let whole = valid_until(at(10), a_session(alice.id, at(2)));
    for session in [idle, whole] {
        opened(storage, &alice, session.clone()).await;
        assert_lost(storage, &alice, step(&session, 0, at(10))).await;
        let in_time = step(&session, 0, at(10) - Duration::microseconds(1));
        assert!(matches!(rotate(storage, in_time).await, Rotated::Done(_)));
    }
}

async fn a_disabled_users_session_does_not_rotate(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let disable = set_status(alice.id, UserStatus::Disabled);
    applied(storage, disable, context(at(2))).await;
    assert_lost(storage, &alice, step(&session, 0, at(3))).await;
}

async fn one_of_many_concurrent_rotations_wins(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    for generation in 0..4 {
        let results = race((0..50).map(|second| {
            let (storage, rotation) = (storage.clone(), step(&session, generation, at(10 + second)));
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

async fn a_rotation_that_races_an_end_leaves_the_session_ended(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    for round in 0..30 {
        let session = opened(storage, &alice, a_session(alice.id, at(1))).await;
        race((0..5).map(|turn| {
            let (storage, rotation) = (storage.clone(), step(&session, 0, at(2)));
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
