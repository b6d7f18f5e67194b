//! [`OpenSession`].

use crate::{
    CoreStorage,
    contract::support::{
        PLENTY, applied, count, execute, found, liveness, logged_in, race, registered, user_now,
    },
    fixtures::{a_session, a_user, at, context, context_of, role_change},
};
use domain::{
    changes::{Applied, OpenSession},
    session::{EndReason, Liveness, NewSession, SessionId},
    user::{Epoch, User},
};
use std::sync::Arc;

cases! { accounts::open_session(CoreStorage):
    an_opened_session_is_found_with_its_holder,
    opening_a_session_sets_the_last_login_and_nothing_else,
    a_login_ends_all_sessions_beyond_the_limit,
    concurrent_logins_keep_to_the_limit,
    a_login_that_races_an_assignment_of_roles_leaves_no_live_session,
}

fn opening(session: NewSession, epoch: Epoch, max_sessions: u32) -> Arc<OpenSession> {
    Arc::new(OpenSession {
        session,
        epoch,
        max_sessions,
    })
}

/// Opens `session` at its own time, and asserts that all of it was written.
async fn open(storage: &CoreStorage, session: NewSession, epoch: Epoch, max_sessions: u32) -> Applied {
    let context = context_of(session.user, session.created_at);
    applied(storage, opening(session, epoch, max_sessions), context).await
}

async fn an_opened_session_is_found_with_its_holder(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let session = a_session(alice.id, at(1));
    open(storage, session.clone(), alice.epoch, PLENTY).await;
    let expected = session.stored(&user_now(storage, &alice).await);
    assert_eq!(
        found(storage, session.id).await,
        expected,
        "times to the microsecond included"
    );
}

async fn opening_a_session_sets_the_last_login_and_nothing_else(storage: &CoreStorage) {
    let bob = registered(storage, a_user("bob")).await;
    let (alice, _) = logged_in(storage, "alice").await;
    let expected = User {
        last_login_at: Some(at(1)),
        ..alice
    };
    assert_eq!(user_now(storage, &expected).await, expected);
    assert_eq!(user_now(storage, &bob).await, bob);
}

async fn all_at(storage: &CoreStorage, sessions: &[SessionId], second: i64) -> Vec<Liveness> {
    let mut all = Vec::new();
    for id in sessions {
        all.push(liveness(storage, *id, at(second)).await);
    }
    all
}

async fn a_login_ends_all_sessions_beyond_the_limit(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let mut sessions = Vec::new();
    for (second, limit, ended) in [(1, 9, 0), (2, 9, 0), (3, 9, 0), (4, 2, 2)] {
        let session = a_session(alice.id, at(second));
        sessions.push(session.id);
        let opened = open(storage, session, alice.epoch, limit).await;
        assert_eq!(opened.sessions_ended, ended, "{second}");
    }
    let (made_room, live) = (Liveness::Ended(EndReason::MadeRoom), Liveness::Live);
    sessions.push(of_bob.id);
    assert_eq!(
        all_at(storage, &sessions, 5).await,
        [made_room, made_room, live, live, live]
    );
}

async fn concurrent_logins_keep_to_the_limit(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let results = race((0..30).map(|second| {
        let (storage, session, epoch) = (storage.clone(), a_session(alice.id, at(second)), alice.epoch);
        async move {
            let context = context_of(session.user, session.created_at);
            let opened = execute(&storage, opening(session.clone(), epoch, 5), context).await;
            (opened.map(|opened| opened.sessions_ended), session.id)
        }
    }))
    .await;
    assert_eq!(count(&results, |(ended, _)| *ended == Ok(0)), 5);
    assert_eq!(count(&results, |(ended, _)| *ended == Ok(1)), 25);
    let sessions: Vec<_> = results.into_iter().map(|(_, id)| id).collect();
    let all = all_at(storage, &sessions, 31).await;
    assert_eq!(count(&all, |it| *it == Liveness::Live), 5);
    assert_eq!(count(&all, |it| *it == Liveness::Ended(EndReason::MadeRoom)), 25);
}

async fn a_login_that_races_an_assignment_of_roles_leaves_no_live_session(storage: &CoreStorage) {
    let mut alice = registered(storage, a_user("alice")).await;
    for round in 0..30 {
        let sessions = [0; 5].map(|_| a_session(alice.id, at(1)));
        let ids = sessions.each_ref().map(|session| session.id);
        race(sessions.into_iter().enumerate().map(|(turn, session)| {
            let (storage, alice) = (storage.clone(), alice.clone());
            async move {
                if turn == 2 {
                    let change = Arc::new(role_change(alice.id, &["user"]));
                    let assigned = execute(&storage, change, context(at(2))).await;
                    assigned.expect("an assignment that no rule refuses");
                } else {
                    let open = opening(session, alice.epoch, PLENTY);
                    drop(execute(&storage, open, context_of(alice.id, at(1))).await);
                }
            }
        }))
        .await;
        for id in ids {
            let found = storage.sessions.find(id).await.expect("storage answers");
            let is_live = found.is_some_and(|session| session.lifetime.at(at(3)) == Liveness::Live);
            assert!(!is_live, "round {round}");
        }
        alice = user_now(storage, &alice).await;
    }
}
