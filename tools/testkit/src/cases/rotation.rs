//! The contract of [`Sessions::rotate`](domain::ports::Sessions::rotate).

use super::support::{Everything, answered, count, found, liveness, logged_in, opened, race};
use crate::{
    Storage,
    fixtures::{a_session, administer, at, context, role_change},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    ports::{ChangeRoles, Ended, Rotated},
    session::{EndReason, Generation, Liveness, NewSession, Rotation, SecretDigest},
    user::{User, UserStatus},
};

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

async fn rotate(storage: &Storage, rotation: Rotation) -> Rotated {
    answered(|| storage.sessions.rotate(rotation)).await
}

async fn assert_lost(storage: &Storage, user: &User, rotation: Rotation) {
    let before = Everything::of(storage, user, &[rotation.session]).await;
    assert_eq!(rotate(storage, rotation).await, Rotated::Lost, "{rotation:?}");
    assert_eq!(Everything::of(storage, user, &[rotation.session]).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_takes_one_step(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    for generation in 0..3 {
        let rotation = step(&session, generation, at(10 + i64::from(generation)));
        let expected = found(storage, session.id).await.rotated(&rotation);
        assert_eq!(rotate(storage, rotation).await, Rotated::Now(expected.clone()));
        assert_eq!(found(storage, session.id).await, expected);
    }
    assert_eq!(found(storage, other.id).await.generation, Generation::FIRST);
    let listed = storage
        .sessions
        .list(alice.id, at(13))
        .await
        .expect("storage answers");
    let last_used: Vec<_> = listed.iter().map(|it| it.last_used_at).collect();
    assert_eq!(last_used, [at(2), at(12)]);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_answers_the_roles_and_epoch_as_they_are_now(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let keep = ChangeRoles {
        keep_sessions: true,
        ..role_change(alice.id, &["admin", "user"])
    };
    storage
        .users
        .change_roles(keep.clone(), context(at(2)))
        .await
        .expect("storage answers");
    let Rotated::Now(rotated) = rotate(storage, step(&session, 0, at(3))).await else {
        panic!("a live session at this generation rotates");
    };
    assert_eq!(
        (rotated.holder.roles, rotated.holder.epoch.0),
        (keep.roles, alice.epoch.0 + 1)
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_from_another_generation_is_lost(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    assert!(matches!(
        rotate(storage, step(&session, 0, at(2))).await,
        Rotated::Now(_)
    ));
    for generation in [0, 2, 7] {
        assert_lost(storage, &alice, step(&session, generation, at(3))).await;
    }
    let never = a_session(alice.id, at(1));
    assert_lost(storage, &alice, step(&never, 0, at(3))).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_with_another_secret_is_lost(storage: &Storage) {
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
    assert!(matches!(right, Rotated::Now(_)), "nothing else stood against it");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_never_outlives_the_session(storage: &Storage) {
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
        let Rotated::Now(rotated) = rotate(storage, rotation).await else {
            panic!("a live session at this generation rotates");
        };
        assert_eq!(rotated.lifetime.idle_expires_at, expires, "{idle_until}");
        assert_eq!(rotated.lifetime.expires_at, end);
        assert_eq!(found(storage, session.id).await, rotated);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_that_ended_does_not_rotate(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    storage
        .sessions
        .end(session.id, alice.id, EndReason::LoggedOut, context(at(2)))
        .await
        .expect("storage answers");
    assert_lost(storage, &alice, step(&session, 0, at(3))).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_rotates_until_the_instant_it_expires(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let whole = NewSession {
        expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    for session in [idle, whole] {
        opened(storage, &alice, session.clone()).await;
        assert_lost(storage, &alice, step(&session, 0, at(10))).await;
        let in_time = step(&session, 0, at(10) - Duration::microseconds(1));
        assert!(matches!(rotate(storage, in_time).await, Rotated::Now(_)));
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_disabled_users_session_does_not_rotate(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    storage
        .users
        .set_status(administer(alice.id), UserStatus::Disabled, context(at(2)))
        .await
        .expect("storage answers");
    assert_lost(storage, &alice, step(&session, 0, at(3))).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn one_of_many_concurrent_rotations_wins(storage: &Storage) {
    let (_, session) = logged_in(storage, "alice").await;
    for generation in 0..4 {
        let answers = race((0..50).map(|second| {
            let (storage, rotation) = (storage.clone(), step(&session, generation, at(10 + second)));
            async move { rotate(&storage, rotation).await }
        }))
        .await;
        let stored = found(storage, session.id).await;
        assert_eq!(stored.generation, Generation(generation + 1));
        assert_eq!(count(&answers, |it| *it == Rotated::Lost), 49);
        let now = Rotated::Now(stored);
        assert_eq!(count(&answers, |it| *it == now), 1, "{now:?} in {answers:?}");
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rotation_that_races_an_end_brings_nothing_back(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    for round in 0..30 {
        let session = opened(storage, &alice, a_session(alice.id, at(1))).await;
        let id = session.id;
        race((0..5).map(|turn| {
            let (storage, user, rotation) = (storage.clone(), alice.id, step(&session, 0, at(2)));
            async move {
                if turn == 2 {
                    let end = || {
                        storage
                            .sessions
                            .end(id, user, EndReason::LoggedOut, context(at(2)))
                    };
                    assert_eq!(answered(end).await, Ended::Now, "round {round}");
                } else {
                    rotate(&storage, rotation).await;
                }
            }
        }))
        .await;
        let over = Liveness::Ended(EndReason::LoggedOut);
        assert_eq!(liveness(storage, id, at(3)).await, over, "round {round}");
    }
}
