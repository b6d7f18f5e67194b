use crate::contract::prelude::*;
use domain::ports::Rotated;

cases! { accounts::record_replay(CoreStorage):
    a_replay_is_recorded_once_for_each_rotation,
    one_of_many_concurrent_replays_is_recorded,
    a_replay_of_a_session_that_was_rotated_or_ended_is_not_recorded,
}

async fn rotated(storage: &CoreStorage, session: &NewSession, generation: u32) {
    let rotation = rotation(session, generation, at(10));
    let rotated = answered(|| storage.sessions.rotate(rotation)).await;
    assert!(matches!(rotated, Rotated::Done(_)), "{rotated:?}");
}

async fn is_recorded(storage: &CoreStorage, session: &NewSession) -> bool {
    found(storage, session.id).await.last_rotation.replay_recorded
}

async fn a_replay_is_recorded_once_for_each_rotation(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    rotated(storage, &other, 0).await;
    for generation in 1..4 {
        rotated(storage, &session, generation - 1).await;
        assert!(!is_recorded(storage, &session).await, "{generation}");
        let replay = replay_of(&session, generation);
        applied(storage, Arc::new(replay), context(at(11))).await;
        let before = Everything::of(storage, &alice, &[session.id, other.id]).await;
        let again = Arc::new(replay);
        assert_refused(storage, again, context(at(12)), &Refusal::ReplayRecorded).await;
        let after = Everything::of(storage, &alice, &[session.id, other.id]).await;
        assert_eq!(after, before);
    }
    assert!(!is_recorded(storage, &other).await);
}

async fn one_of_many_concurrent_replays_is_recorded(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    rotated(storage, &session, 0).await;
    let events = events_of(storage, &alice).await.len();
    let replays = (0..50).map(|_| -> Arc<dyn Command> { Arc::new(replay_of(&session, 1)) });
    assert_one_happens(storage, replays, Refusal::ReplayRecorded).await;
    assert_eq!(events_of(storage, &alice).await.len(), events + 1);
}

async fn a_replay_of_a_session_that_was_rotated_or_ended_is_not_recorded(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    for generation in 0..2 {
        rotated(storage, &session, generation).await;
    }
    for generation in [0, 1, 3] {
        let other = Arc::new(replay_of(&session, generation));
        assert_refused(storage, other, context(at(11)), &Refusal::ReplayRecorded).await;
    }
    assert!(!is_recorded(storage, &session).await);
    logged_out(storage, &session, 12).await;
    let late = Arc::new(replay_of(&session, 2));
    assert_refused(storage, late, context(at(13)), &Refusal::SessionEnded).await;
    assert!(!is_recorded(storage, &session).await);
}
