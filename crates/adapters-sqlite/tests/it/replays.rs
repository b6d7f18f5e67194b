//! Last rotations as the process and a process of the previous version store them.

use crate::{connect, register, storage_in};
use chrono::Duration;
use diesel::{RunQueryDsl, sql_query};
use domain::{
    changes::{OpenSession, RecordReplay},
    session::{Generation, LastRotation, OriginFingerprint, OriginLikeness, Rotation},
    user::Epoch,
};
use std::sync::Arc;
use testkit::fixtures::{a_session, a_user, at, context, origin};

#[tokio::test]
async fn the_age_is_that_by_the_callers_clock_and_a_previous_version_stores_no_origin() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let storage = storage_in(folder.path()).await;
    let user = a_user("alice");
    let user = register(&storage, user, at(0)).await.expect("the user is stored");
    let session = a_session(user.id, at(0));
    let opening = OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        max_sessions: 9,
    };
    let opened = storage.accounts.execute(Arc::new(opening), context(at(0)));
    opened.await.expect("the session is opened");
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(10),
        idle_until: at(1_000),
        origin: OriginFingerprint::of(&origin()),
    };
    let rotated = storage.sessions.rotate(rotation).await;
    rotated.expect("storage is available");
    let replay = RecordReplay {
        session: session.id,
        user: user.id,
        generation: Generation(1),
        origin: OriginLikeness::UNKNOWN,
    };
    let recorded = storage.accounts.execute(Arc::new(replay), context(at(11)));
    recorded.await.expect("the replay is recorded");
    let read = async || {
        let found = storage.sessions.find(session.id, at(13)).await;
        let found = found.expect("storage is available");
        found.expect("the session exists").last_rotation
    };

    let own = LastRotation {
        age: Duration::seconds(3),
        origin: Some(OriginFingerprint::of(&origin())),
        replay_recorded: true,
    };
    assert_eq!(read().await, own);

    sql_query("UPDATE sessions SET generation = 2, last_used_at = last_used_at + 1000000")
        .execute(&mut connect(folder.path()))
        .expect("the session can be changed");
    let of_previous = LastRotation {
        age: Duration::seconds(2),
        origin: None,
        replay_recorded: false,
    };
    assert_eq!(read().await, of_previous);
}
