//! The contract of [`Sessions`](domain::ports::Sessions): opening, finding and listing. Rotation and ends have files of
//! their own.

use super::support::{
    Everything, PLENTY, answered, count, found, liveness, logged_in, opened, race, registered, user_now,
};
use crate::{
    Storage,
    fixtures::{a_session, a_user, administer, at, context, context_of, role_change},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    ports::Opened,
    session::{
        EndReason, Generation, Holder, Lifetime, Liveness, NewSession, SessionId, SessionSummary,
        StoredSession,
    },
    user::{Epoch, User, UserStatus},
};

async fn open(storage: &Storage, session: NewSession, epoch: Epoch, max: u32) -> Opened {
    let context = context_of(session.user, session.created_at);
    answered(|| {
        storage
            .sessions
            .open(session.clone(), epoch, max, context.clone())
    })
    .await
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_opened_session_is_found_with_its_holder(storage: &Storage) {
    let (alice, new) = logged_in(storage, "alice").await;
    let expected = StoredSession {
        id: new.id,
        secret_digest: new.secret_digest,
        generation: Generation::FIRST,
        lifetime: Lifetime {
            created_at: new.created_at,
            idle_expires_at: new.idle_expires_at,
            expires_at: new.expires_at,
            ended: None,
        },
        last_used_at: new.created_at,
        holder: Holder {
            user: alice.id,
            status: UserStatus::Active,
            epoch: alice.epoch,
            roles: alice.roles,
            must_change_password: false,
        },
    };
    assert_eq!(
        found(storage, new.id).await,
        expected,
        "times to the microsecond included"
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_that_never_was_is_not_found(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never = a_session(alice.id, at(1)).id;
    assert_eq!(storage.sessions.find(never).await.expect("storage answers"), None);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn opening_a_session_sets_the_last_login_and_nothing_else(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let expected = User {
        last_login_at: Some(at(1)),
        ..alice
    };
    assert_eq!(user_now(storage, &expected).await, expected);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_is_not_opened_at_another_epoch(storage: &Storage) {
    let (alice, old) = logged_in(storage, "alice").await;
    for stale in [Epoch(alice.epoch.0 - 1), Epoch(alice.epoch.0 + 1)] {
        assert_stale(storage, &alice, stale, &old).await;
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_disabled_user_opens_no_session(storage: &Storage) {
    let (alice, old) = logged_in(storage, "alice").await;
    storage
        .users
        .set_status(administer(alice.id), UserStatus::Disabled, context(at(2)))
        .await
        .expect("storage answers");
    let epoch_now = user_now(storage, &alice).await.epoch;
    for epoch in [alice.epoch, epoch_now] {
        assert_stale(storage, &alice, epoch, &old).await;
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_opens_no_session(storage: &Storage) {
    let (_, old) = logged_in(storage, "alice").await;
    let nobody = a_user("nobody").registered_at(at(0));
    assert_stale(storage, &nobody, Epoch::FIRST, &old).await;
}

/// A refused session makes no room either, whatever the limit.
async fn assert_stale(storage: &Storage, user: &User, epoch: Epoch, old: &NewSession) {
    let new = a_session(user.id, at(5));
    let sessions = [old.id, new.id];
    let before = Everything::of(storage, user, &sessions).await;
    assert_eq!(open(storage, new, epoch, 1).await, Opened::Stale);
    assert_eq!(Everything::of(storage, user, &sessions).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_beyond_the_limit_ends_the_oldest(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let mut sessions = Vec::new();
    for second in 1..=5 {
        let session = a_session(alice.id, at(second));
        sessions.push(session.id);
        let opened = if second <= 3 {
            Opened::Now
        } else {
            Opened::MadeRoom
        };
        assert_eq!(open(storage, session, alice.epoch, 3).await, opened, "{second}");
    }
    let room = Liveness::Ended(EndReason::MadeRoom);
    let live = Liveness::Live;
    let mut expected = vec![room, room, live, live, live];
    assert_eq!(all_at(storage, &sessions, 6).await, expected);

    // The limit was lowered since: more than one must go.
    let session = a_session(alice.id, at(6));
    sessions.push(session.id);
    assert_eq!(open(storage, session, alice.epoch, 2).await, Opened::MadeRoom);
    expected = vec![room, room, room, room, live, live];
    assert_eq!(all_at(storage, &sessions, 7).await, expected);
    assert_eq!(
        liveness(storage, of_bob.id, at(7)).await,
        live,
        "another's session"
    );
}

async fn all_at(storage: &Storage, sessions: &[SessionId], second: i64) -> Vec<Liveness> {
    let mut all = Vec::new();
    for id in sessions {
        all.push(liveness(storage, *id, at(second)).await);
    }
    all
}

/// # Panics
/// When the storage breaks the contract.
pub async fn only_live_sessions_take_up_room(storage: &Storage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let over = a_session(alice.id, at(3));
    for session in [&idle, &over] {
        opened(storage, &alice, session.clone()).await;
    }
    storage
        .sessions
        .end(over.id, alice.id, EndReason::LoggedOut, context(at(4)))
        .await
        .expect("storage answers");
    let new = a_session(alice.id, at(10));
    assert_eq!(open(storage, new.clone(), alice.epoch, 2).await, Opened::Now);
    let expected = [
        Liveness::Live,
        Liveness::Expired,
        Liveness::Ended(EndReason::LoggedOut),
        Liveness::Live,
    ];
    assert_eq!(
        all_at(storage, &[live.id, idle.id, over.id, new.id], 10).await,
        expected
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn concurrent_logins_keep_to_the_limit(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
    let answers = race((0..30).map(|second| {
        let (storage, alice) = (storage.clone(), alice.clone());
        async move { open(&storage, a_session(alice.id, at(second)), alice.epoch, 5).await }
    }))
    .await;
    assert_eq!(count(&answers, |it| *it == Opened::Now), 5);
    assert_eq!(count(&answers, |it| *it == Opened::MadeRoom), 25);
    let live = listed(storage, &alice, at(31)).await;
    assert_eq!(live.len(), 5);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_login_that_races_a_change_of_roles_does_not_come_out_alive(storage: &Storage) {
    let mut alice = registered(storage, a_user("alice")).await;
    for round in 0..30 {
        let change = role_change(alice.id, &["user"]);
        race((0..5).map(|turn| {
            let (storage, alice, change) = (storage.clone(), alice.clone(), change.clone());
            async move {
                if turn == 2 {
                    answered(|| storage.users.change_roles(change.clone(), context(at(2)))).await;
                } else {
                    open(&storage, a_session(alice.id, at(1)), alice.epoch, PLENTY).await;
                }
            }
        }))
        .await;
        let live = listed(storage, &alice, at(3)).await;
        assert_eq!(live, [], "round {round}");
        alice = user_now(storage, &alice).await;
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn live_sessions_are_listed_newest_first(storage: &Storage) {
    let (alice, one) = logged_in(storage, "alice").await;
    logged_in(storage, "bob").await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let over = a_session(alice.id, at(3));
    let [newer, newest] = [a_session(alice.id, at(4)), a_session(alice.id, at(5))];
    for session in [&idle, &over, &newest, &newer] {
        opened(storage, &alice, session.clone()).await;
    }
    storage
        .sessions
        .end(over.id, alice.id, EndReason::LoggedOut, context(at(6)))
        .await
        .expect("storage answers");
    let instant = at(10) - Duration::microseconds(1);
    let with_idle = [&newest, &newer, &idle, &one].map(summary);
    assert_eq!(listed(storage, &alice, instant).await, with_idle);
    let without = [&newest, &newer, &one].map(summary);
    assert_eq!(listed(storage, &alice, at(10)).await, without);
    assert_eq!(listed(storage, &alice, newest.idle_expires_at).await, []);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_listed_session_tells_where_it_came_from(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
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
        let session = opened(storage, &alice, session).await;
        let listed = listed(storage, &alice, at(2)).await;
        let line = listed.into_iter().find(|line| line.id == session.id);
        assert_eq!(line, Some(summary(&session)));
    }
}

async fn listed(storage: &Storage, user: &User, now: DateTime<Utc>) -> Vec<SessionSummary> {
    storage
        .sessions
        .list(user.id, now)
        .await
        .expect("storage answers")
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
