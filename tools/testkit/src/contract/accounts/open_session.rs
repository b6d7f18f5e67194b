//! [`OpenSession`].

use crate::{
    CoreStorage,
    contract::support::{
        Everything, PLENTY, applied, assert_refused, count, dry_run, execute, found, liveness, logged_in,
        logged_out, opened, race, registered, set_status, user_now,
    },
    fixtures::{a_session, a_user, at, context, context_of, role_change},
};
use chrono::Duration;
use domain::{
    audit::AuditContext,
    changes::{Applied, OpenSession, Refusal},
    session::{EndReason, Liveness, NewSession, SessionId},
    user::{Epoch, User, UserStatus},
};
use std::sync::Arc;

cases! { accounts::open_session(CoreStorage):
    an_opened_session_is_found_with_its_holder,
    opening_a_session_sets_the_last_login_and_nothing_else,
    a_session_is_opened_only_for_the_active_user_who_was_read,
    a_session_beyond_the_limit_ends_the_oldest,
    only_live_sessions_count_against_the_limit,
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

async fn a_session_is_opened_only_for_the_active_user_who_was_read(storage: &CoreStorage) {
    let (alice, old) = logged_in(storage, "alice").await;
    for other in [Epoch(alice.epoch.0 - 1), Epoch(alice.epoch.0 + 1)] {
        assert_user_changed(storage, &alice, other, &old).await;
    }
    let disable = set_status(alice.id, UserStatus::Disabled);
    applied(storage, disable, context(at(2))).await;
    let epoch_now = user_now(storage, &alice).await.epoch;
    for epoch in [alice.epoch, epoch_now] {
        assert_user_changed(storage, &alice, epoch, &old).await;
    }
    let unknown = a_user("unknown").registered_at(at(0));
    assert_user_changed(storage, &unknown, Epoch::FIRST, &old).await;
}

/// Asserts that no session is opened, and that none makes room for it, whatever the limit.
async fn assert_user_changed(storage: &CoreStorage, user: &User, epoch: Epoch, old: &NewSession) {
    let new = a_session(user.id, at(5));
    let sessions = [old.id, new.id];
    let before = Everything::of(storage, user, &sessions).await;
    let context = context_of(user.id, at(5));
    assert_refused(storage, opening(new, epoch, 1), context, &Refusal::UserChanged).await;
    assert_eq!(Everything::of(storage, user, &sessions).await, before);
}

async fn a_session_beyond_the_limit_ends_the_oldest(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let mut sessions = Vec::new();
    for (second, ended) in [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1)] {
        let session = a_session(alice.id, at(second));
        sessions.push(session.id);
        let opened = open(storage, session, alice.epoch, 3).await;
        assert_eq!(opened.sessions_ended, ended, "{second}");
    }
    let room = Liveness::Ended(EndReason::MadeRoom);
    let live = Liveness::Live;
    let mut expected = vec![room, room, live, live, live];
    assert_eq!(all_at(storage, &sessions, 6).await, expected);

    // The limit was lowered since: more than one session must end.
    let session = a_session(alice.id, at(6));
    sessions.push(session.id);
    let opened = open(storage, session, alice.epoch, 2).await;
    assert_eq!(opened.sessions_ended, 2);
    expected = vec![room, room, room, room, live, live];
    assert_eq!(all_at(storage, &sessions, 7).await, expected);
    assert_eq!(
        liveness(storage, of_bob.id, at(7)).await,
        live,
        "another's session"
    );
}

async fn all_at(storage: &CoreStorage, sessions: &[SessionId], second: i64) -> Vec<Liveness> {
    let mut all = Vec::new();
    for id in sessions {
        all.push(liveness(storage, *id, at(second)).await);
    }
    all
}

async fn only_live_sessions_count_against_the_limit(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let whole = NewSession {
        expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    let over = a_session(alice.id, at(3));
    for session in [&idle, &whole, &over] {
        opened(storage, &alice, session.clone()).await;
    }
    logged_out(storage, &over, 4).await;
    let all = [live.id, idle.id, whole.id, over.id];
    let in_time = NewSession {
        created_at: at(10) - Duration::microseconds(1),
        ..a_session(alice.id, at(10))
    };
    let context = context_of(alice.id, in_time.created_at);
    let command = opening(in_time, alice.epoch, 3);
    let ended = decided_in_dry_run(storage, command, context).await;
    assert_eq!(ended, 1, "until the instant they expire they count");

    let new = a_session(alice.id, at(10));
    let opened = open(storage, new.clone(), alice.epoch, 2).await;
    assert_eq!(opened.sessions_ended, 0);
    let expected = [
        Liveness::Live,
        Liveness::Expired,
        Liveness::Expired,
        Liveness::Ended(EndReason::LoggedOut),
    ];
    assert_eq!(all_at(storage, &all, 10).await, expected);
    assert_eq!(liveness(storage, new.id, at(10)).await, Liveness::Live);
}

async fn decided_in_dry_run(storage: &CoreStorage, command: Arc<OpenSession>, context: AuditContext) -> u64 {
    let decided = dry_run(storage, command, context).await;
    decided.expect("an active user opens a session").sessions_ended
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
