//! Last rotations as the database's clock and servers of the previous version store them.

use crate::{execute, open, register, storage_at};
use chrono::Duration;
use diesel::sql_query;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use domain::{
    changes::RecordReplay,
    ports::Rotated,
    session::{Burst, Generation, LastRotation, NewSession, OriginFingerprint, OriginLikeness, Rotation},
};
use testkit::{
    Storage,
    fixtures::{a_user, at, context, origin},
};
use testservers::{FreshDatabase, postgres};

/// Storage with a session that was rotated once, whose replay is recorded.
async fn replayed() -> (Storage, NewSession, FreshDatabase) {
    let database = postgres().fresh_database();
    let storage = storage_at(database.url()).await;
    let user = a_user("alice");
    register(&storage, &user).await;
    let session = open(&storage, &user).await;
    rotated(&storage, &session, 0).await;
    let replay = RecordReplay {
        session: session.id,
        user: user.id,
        generation: Generation(1),
        origin: OriginLikeness::UNKNOWN,
    };
    let recorded = execute(&storage, replay, context(at(11))).await;
    recorded.expect("the replay is recorded");
    (storage, session, database)
}

/// Rotates the session from `generation`, with a window of an hour, and returns its burst.
async fn rotated(storage: &Storage, session: &NewSession, generation: u32) -> Burst {
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(generation),
        to: Generation(generation + 1),
        at: at(10),
        idle_until: at(1_000),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::hours(1),
    };
    let rotated = storage.sessions.rotate(rotation).await;
    let Rotated::Done(session) = rotated.expect("storage is available") else {
        panic!("the rotation is lost");
    };
    session.burst.expect("the rotation has a burst")
}

async fn last_rotation(storage: &Storage, session: &NewSession, second: i64) -> LastRotation {
    let found = storage.sessions.find(session.id, at(second)).await;
    let found = found.expect("storage is available");
    found.expect("the session exists").last_rotation
}

async fn update(database: &FreshDatabase, set: &str) {
    let mut conn = AsyncPgConnection::establish(database.url())
        .await
        .expect("the database accepts connections");
    sql_query(format!("UPDATE sessions SET {set}"))
        .execute(&mut conn)
        .await
        .expect("the session can be changed");
}

/// The replica that rotated the session and those that read it have clocks a year from the
/// server's and from each other's.
#[tokio::test]
async fn replicas_with_different_clocks_see_the_same_age() {
    let (storage, session, database) = replayed().await;
    update(&database, "last_used_at = last_used_at - interval '2 hours'").await;
    for second in [-366 * 24 * 3600, 13, 9_999_999] {
        let age = last_rotation(&storage, &session, second).await.age;
        assert!(
            Duration::hours(2) <= age && age < Duration::hours(3),
            "second {second}: {age}"
        );
    }
}

#[tokio::test]
async fn a_rotation_by_a_server_of_the_previous_version_has_no_origin_and_no_replay() {
    let (storage, session, database) = replayed().await;
    let own = last_rotation(&storage, &session, 13).await;
    assert_eq!(own.origin, Some(OriginFingerprint::of(&origin())));
    assert!(own.replay_recorded);
    update(&database, "generation = 2, last_used_at = now()").await;
    let of_previous = last_rotation(&storage, &session, 13).await;
    assert_eq!((of_previous.origin, of_previous.replay_recorded), (None, false));
    assert!(of_previous.age < Duration::hours(1), "{}", of_previous.age);
}

#[tokio::test]
async fn a_burst_is_as_old_as_the_databases_clock_shows() {
    let (storage, session, database) = replayed().await;
    let new = |generation| Burst {
        from: Generation(generation),
        age: Duration::zero(),
    };
    let minutes = Duration::minutes;
    update(&database, "burst_since = burst_since - interval '30 minutes'").await;
    let burst = rotated(&storage, &session, 1).await;
    assert_eq!(burst.from, Generation(0));
    assert!(minutes(30) <= burst.age && burst.age < minutes(60), "{burst:?}");

    update(&database, "burst_since = now() - interval '1 hour'").await;
    assert_eq!(rotated(&storage, &session, 2).await, new(2));

    // The clock was set back by an hour.
    update(&database, "burst_since = now() + interval '1 hour'").await;
    assert_eq!(rotated(&storage, &session, 3).await, new(3));
}

#[tokio::test]
async fn a_rotation_by_a_server_of_the_previous_version_leaves_the_burst_as_it_is() {
    let (storage, session, database) = replayed().await;
    update(&database, "generation = 2, last_used_at = now()").await;
    assert_eq!(rotated(&storage, &session, 2).await.from, Generation(0));

    update(&database, "burst_from = NULL, burst_since = NULL").await;
    let found = storage.sessions.find(session.id, at(13)).await;
    let found = found.expect("storage is available");
    assert_eq!(found.expect("the session exists").burst, None);
    assert_eq!(rotated(&storage, &session, 3).await.from, Generation(3));
}
