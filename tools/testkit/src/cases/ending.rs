//! The contract of [`Sessions`](domain::ports::Sessions): ending sessions and removing those that are dead.

use super::support::{Everything, answered, count, liveness, logged_in, opened, race, trail};
use crate::{
    Storage,
    fixtures::{a_session, a_user, at, context, context_of},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    ports::Ended,
    session::{EndReason, Liveness, NewSession, SessionId},
    user::{User, UserId},
};

async fn end(storage: &Storage, id: SessionId, user: UserId, at: DateTime<Utc>) -> Ended {
    answered(|| {
        storage
            .sessions
            .end(id, user, EndReason::LoggedOut, context_of(user, at))
    })
    .await
}

async fn assert_untouched(storage: &Storage, user: &User, id: SessionId, by: UserId, at: DateTime<Utc>) {
    let before = Everything::of(storage, user, &[id]).await;
    assert_eq!(end(storage, id, by, at).await, Ended::Before);
    assert_eq!(Everything::of(storage, user, &[id]).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_ends_once(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    assert_eq!(end(storage, session.id, alice.id, at(3)).await, Ended::Now);
    let over = Liveness::Ended(EndReason::LoggedOut);
    assert_eq!(liveness(storage, session.id, at(4)).await, over);
    assert_eq!(liveness(storage, other.id, at(4)).await, Liveness::Live);
    assert_untouched(storage, &alice, session.id, alice.id, at(4)).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_keeps_why_it_ended_first(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let end = async |reason| {
        storage
            .sessions
            .end(session.id, alice.id, reason, context(at(2)))
            .await
            .expect("storage answers")
    };
    assert_eq!(end(EndReason::RefreshTokenReused).await, Ended::Now);
    assert_eq!(end(EndReason::LoggedOut).await, Ended::Before);
    let reused = Liveness::Ended(EndReason::RefreshTokenReused);
    assert_eq!(liveness(storage, session.id, at(3)).await, reused);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn one_of_many_concurrent_ends_wins(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let rows = trail(storage, &alice).await.len();
    let answers = race((0..20).map(|_| {
        let (storage, alice) = (storage.clone(), alice.id);
        async move { end(&storage, session.id, alice, at(2)).await }
    }))
    .await;
    assert_eq!(count(&answers, |it| *it == Ended::Now), 1);
    assert_eq!(trail(storage, &alice).await.len(), rows + 1);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_that_has_expired_does_not_end(storage: &Storage) {
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
        assert_untouched(storage, &alice, session.id, alice.id, at(10)).await;
        let in_time = at(10) - Duration::microseconds(1);
        assert_eq!(end(storage, session.id, alice.id, in_time).await, Ended::Now);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_ends_anothers_session(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (bob, _) = logged_in(storage, "bob").await;
    let trail_of_bob = trail(storage, &bob).await;
    for by in [bob.id, a_user("nobody").id] {
        assert_untouched(storage, &alice, session.id, by, at(2)).await;
    }
    let never = a_session(alice.id, at(1)).id;
    assert_untouched(storage, &alice, never, alice.id, at(2)).await;
    assert_eq!(trail(storage, &bob).await, trail_of_bob);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn all_live_sessions_of_a_user_end_together(storage: &Storage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let expired = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let over = a_session(alice.id, at(3));
    let two = a_session(alice.id, at(4));
    for session in [&expired, &over, &two] {
        opened(storage, &alice, session.clone()).await;
    }
    end(storage, over.id, alice.id, at(5)).await;

    let end_all = async || {
        storage
            .sessions
            .end_all(alice.id, EndReason::PasswordChanged, context(at(10)))
            .await
            .expect("storage answers")
    };
    assert_eq!(end_all().await, 2);
    assert_eq!(end_all().await, 0);

    for (session, liveness_now) in [
        (one, Liveness::Ended(EndReason::PasswordChanged)),
        (two, Liveness::Ended(EndReason::PasswordChanged)),
        (over, Liveness::Ended(EndReason::LoggedOut)),
        (expired, Liveness::Expired),
        (of_bob, Liveness::Live),
    ] {
        assert_eq!(liveness(storage, session.id, at(10)).await, liveness_now);
    }
}

/// Dead since before second 20: two that ended and two that expired. The rest are alive or died later.
async fn a_graveyard(storage: &Storage, alice: &User) -> ([SessionId; 4], [SessionId; 4]) {
    let session = || a_session(alice.id, at(2));
    let idle = NewSession {
        idle_expires_at: at(15),
        ..session()
    };
    let whole = NewSession {
        expires_at: at(15),
        ..session()
    };
    let expires_later = NewSession {
        idle_expires_at: at(25),
        ..session()
    };
    let (early, earlier, late, live) = (session(), session(), session(), session());
    for session in [&idle, &whole, &expires_later, &early, &earlier, &late, &live] {
        opened(storage, alice, session.clone()).await;
    }
    let latest = opened(storage, alice, session()).await;
    for (session, second) in [(&earlier, 5), (&early, 19), (&late, 21), (&latest, 40)] {
        assert_eq!(end(storage, session.id, alice.id, at(second)).await, Ended::Now);
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

/// # Panics
/// When the storage breaks the contract.
pub async fn dead_sessions_are_removed_and_live_ones_stay(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (dead, rest) = a_graveyard(storage, &alice).await;
    let before = Everything::of(storage, &alice, &rest).await;
    let removed = storage
        .sessions
        .remove_dead(at(20), 100)
        .await
        .expect("storage answers");
    assert_eq!(removed, 4);
    assert_eq!(count_found(storage, &dead).await, 0);
    assert_eq!(count_found(storage, &[session.id]).await, 1);
    let after = Everything::of(storage, &alice, &rest).await;
    assert_eq!(
        (after.credentials.is_some(), &after.sessions),
        (true, &before.sessions)
    );
    assert_eq!(
        after.trail, before.trail,
        "the trail outlives the sessions it tells of"
    );
    let again = storage
        .sessions
        .remove_dead(at(20), 100)
        .await
        .expect("storage answers");
    assert_eq!(again, 0);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn no_more_dead_sessions_are_removed_than_asked(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let (dead, rest) = a_graveyard(storage, &alice).await;
    let remove = async |limit| {
        storage
            .sessions
            .remove_dead(at(20), limit)
            .await
            .expect("storage answers")
    };
    assert_eq!(remove(0).await, 0);
    assert_eq!(count_found(storage, &dead).await, 4);
    assert_eq!(remove(3).await, 3);
    assert_eq!(count_found(storage, &dead).await, 1);
    assert_eq!(remove(3).await, 1);
    assert_eq!(count_found(storage, &dead).await, 0);
    assert_eq!(count_found(storage, &rest).await, 4);
}
