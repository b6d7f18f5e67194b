//! Cases of [`OpenSession`].

use crate::contract::prelude::*;

cases! { accounts::open_session(CoreStorage):
    opening_a_session_sets_the_last_login_at_the_next_revision,
    a_login_ends_all_sessions_beyond_the_limit,
    a_login_ends_the_session_that_was_opened_first_whatever_the_clocks_show,
    concurrent_logins_keep_to_the_limit,
    a_login_that_races_an_assignment_of_roles_leaves_no_live_session,
}

async fn opening_a_session_sets_the_last_login_at_the_next_revision(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let expected = User {
        last_login_at: Some(at(1)),
        revision: alice.revision.next(),
        ..alice
    };
    assert_eq!(user_now(storage, &expected).await, expected);
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
    let mut sessions = Vec::new();
    for (second, limit, ended) in [(1, 9, 0), (2, 9, 0), (3, 9, 0), (4, 2, 2)] {
        let session = a_session(alice.id, at(second));
        sessions.push(session.id);
        let opened = applied(storage, opening(session, &alice, limit), context(at(second))).await;
        assert_eq!(opened.sessions_ended, ended, "{second}");
    }
    let (made_room, live) = (Liveness::Ended(EndReason::MadeRoom), Liveness::Live);
    let expected = [made_room, made_room, live, live];
    assert_eq!(all_at(storage, &sessions, 5).await, expected);
}

async fn a_login_ends_the_session_that_was_opened_first_whatever_the_clocks_show(storage: &CoreStorage) {
    const DAY: i64 = 86_400;
    let alice = registered(storage, a_user("alice")).await;
    let mut sessions = Vec::new();
    for second in [DAY + 1, DAY + 2, 5, 4] {
        let session = a_session(alice.id, at(second));
        sessions.push(session.id);
        applied(storage, opening(session, &alice, 2), context(at(second))).await;
    }
    let (made_room, live) = (Liveness::Ended(EndReason::MadeRoom), Liveness::Live);
    let expected = [made_room, made_room, live, live];
    assert_eq!(all_at(storage, &sessions, 6).await, expected);
}

async fn concurrent_logins_keep_to_the_limit(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let sessions: Vec<_> = (0..30).map(|second| a_session(alice.id, at(second))).collect();
    let logins = sessions.iter().cloned();
    let logins = logins.map(|session| -> Arc<dyn Command> { opening(session, &alice, 5) });
    let results = race_commands(storage, logins).await;
    let ended =
        |number| move |it: &Result<Applied, _>| it.as_ref().is_ok_and(|it| it.sessions_ended == number);
    assert_eq!([0, 1].map(|number| count(&results, ended(number))), [5, 25]);
    let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
    let all = all_at(storage, &ids, 31).await;
    assert_eq!(count(&all, |it| *it == Liveness::Live), 5);
    assert_eq!(count(&all, |it| *it == Liveness::Ended(EndReason::MadeRoom)), 25);
}

async fn a_login_that_races_an_assignment_of_roles_leaves_no_live_session(storage: &CoreStorage) {
    let mut alice = registered(storage, a_user("alice")).await;
    for round in 0..30 {
        let sessions = [0; 4].map(|_| a_session(alice.id, at(1)));
        let ids = sessions.each_ref().map(|session| session.id);
        let logins = sessions.map(|session| -> Arc<dyn Command> { opening(session, &alice, PLENTY) });
        let mut commands = logins.to_vec();
        commands.insert(2, Arc::new(role_change(alice.id, &["user"])));
        race_commands(storage, commands).await;
        for id in ids {
            let found = find_session(storage, id).await;
            let is_live = found.is_some_and(|session| session.lifetime.at(at(11)) == Liveness::Live);
            assert!(!is_live, "round {round}");
        }
        let before = alice.epoch;
        alice = user_now(storage, &alice).await;
        assert_eq!(alice.epoch, before.next(), "round {round}");
    }
}
