//! Last rotations as the process and a process of the previous version store them.

use crate::{connect, register, storage_in};
use chrono::{DateTime, Duration, Utc};
use diesel::{RunQueryDsl, sql_query};
use domain::{
    changes::{OpenSession, RecordReplay},
    ports::Rotated,
    session::{
        Burst, Generation, LastRotation, NewSession, OriginFingerprint, OriginLikeness, Rotation,
        StoredSession,
    },
    user::Epoch,
};
use std::{path::Path, sync::Arc};
use tempfile::TempDir;
use testkit::{
    Storage,
    fixtures::{a_session, a_user, at, context, origin},
};

/// Storage with a session that was opened at second 0.
async fn opened() -> (Storage, NewSession, TempDir) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let storage = storage_in(folder.path()).await;
    let user = a_user("alice");
    let user = register(&storage, user, at(0)).await.expect("the user is stored");
    let session = a_session(user.id, at(0));
    let opening = OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions: 9,
    };
    let opened = storage.accounts.execute(Arc::new(opening), context(at(0)));
    opened.await.expect("the session is opened");
    (storage, session, folder)
}

/// Rotates the session from `generation`, with a window of ten seconds.
async fn rotated(
    storage: &Storage,
    session: &NewSession,
    generation: u32,
    at: DateTime<Utc>,
) -> StoredSession {
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(generation),
        to: Generation(generation + 1),
        at,
        idle_until: at + Duration::seconds(1_000),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::seconds(10),
    };
    let rotated = storage.sessions.rotate(rotation).await;
    match rotated.expect("storage is available") {
        Rotated::Done(session) => session,
        Rotated::Lost => panic!("the rotation from {generation} is lost"),
    }
}

async fn found(storage: &Storage, session: &NewSession, at: DateTime<Utc>) -> StoredSession {
    let found = storage.sessions.find(session.id, at).await;
    let found = found.expect("storage is available");
    found.expect("the session exists")
}

fn update(folder: &Path, set: &str) {
    sql_query(format!("UPDATE sessions SET {set}"))
        .execute(&mut connect(folder))
        .expect("the session can be changed");
}

#[tokio::test]
async fn the_age_is_that_by_the_callers_clock_and_a_previous_version_stores_no_origin() {
    let (storage, session, folder) = opened().await;
    rotated(&storage, &session, 0, at(10)).await;
    let replay = RecordReplay {
        session: session.id,
        user: session.user,
        generation: Generation(1),
        origin: OriginLikeness::UNKNOWN,
    };
    let recorded = storage.accounts.execute(Arc::new(replay), context(at(11)));
    recorded.await.expect("the replay is recorded");
    let read = async || found(&storage, &session, at(13)).await.last_rotation;

    let own = LastRotation {
        age: Duration::seconds(3),
        origin: Some(OriginFingerprint::of(&origin())),
        replay_recorded: true,
    };
    assert_eq!(read().await, own);

    update(
        folder.path(),
        "generation = 2, last_used_at = last_used_at + 1000000",
    );
    let of_previous = LastRotation {
        age: Duration::seconds(2),
        origin: None,
        replay_recorded: false,
    };
    assert_eq!(read().await, of_previous);
}

#[tokio::test]
async fn a_burst_goes_on_until_it_is_as_old_as_the_window_or_the_clock_is_set_back() {
    let (storage, session, _folder) = opened().await;
    let tick = Duration::microseconds(1);
    for (generation, now, from, age) in [
        (0, at(10), 0, Duration::zero()),
        (1, at(10), 0, Duration::zero()),
        (2, at(15), 0, Duration::seconds(5)),
        (3, at(20) - tick, 0, Duration::seconds(10) - tick),
        (4, at(20), 4, Duration::zero()),
        (5, at(29), 4, Duration::seconds(9)),
        // The clock is set back.
        (6, at(20) - tick, 6, Duration::zero()),
        (7, at(20), 6, tick),
        (8, at(99), 8, Duration::zero()),
    ] {
        let burst = Some(Burst {
            from: Generation(from),
            age,
        });
        let rotated = rotated(&storage, &session, generation, now).await;
        assert_eq!(rotated.burst, burst, "generation {generation}");
        let found = found(&storage, &session, now).await;
        assert_eq!(found.burst, burst, "generation {generation}");
    }
}

#[tokio::test]
async fn a_rotation_by_a_previous_version_leaves_the_burst_as_it_is() {
    let (storage, session, folder) = opened().await;
    rotated(&storage, &session, 0, at(10)).await;
    update(
        folder.path(),
        "generation = 2, last_used_at = last_used_at + 1000000",
    );
    let burst = Some(Burst {
        from: Generation(0),
        age: Duration::seconds(2),
    });
    assert_eq!(found(&storage, &session, at(12)).await.burst, burst);
    assert_eq!(rotated(&storage, &session, 2, at(12)).await.burst, burst);

    update(folder.path(), "burst_from = NULL, burst_since = NULL");
    assert_eq!(found(&storage, &session, at(13)).await.burst, None);
    let began = Some(Burst {
        from: Generation(3),
        age: Duration::zero(),
    });
    assert_eq!(rotated(&storage, &session, 3, at(13)).await.burst, began);
}
