//! Cases of every command, executed and as a dry run.

use crate::contract::prelude::*;
use domain::changes::UserChange;

cases! { accounts::every_command(CoreStorage):
    a_change_is_written_whole_and_affects_no_other_user,
    a_dry_run_is_refused_as_the_execution_is,
}

/// Stores a user with three sessions that are live at second 10, and three that are not: one ended,
/// one was not used for too long, and one reached the end of its lifetime.
async fn with_sessions(storage: &CoreStorage, login: &str) -> (User, [NewSession; 6]) {
    let (user, one) = logged_in(storage, login).await;
    let new = |second| a_session(user.id, at(second));
    let almost_idle = idle_until(at(10) + Duration::microseconds(1), new(2));
    let dead = [new(3), idle_until(at(10), new(2)), valid_until(at(10), new(2))];
    let [ended, idle, expired] = dead;
    let sessions = [one, almost_idle, new(3), ended, idle, expired];
    for session in sessions.iter().skip(1) {
        opened(storage, &user, session.clone()).await;
    }
    logged_out(storage, &sessions[3], 4).await;
    (user, sessions)
}

/// Returns every command on `user`, by `admin` or by the user in session `one`, and how many of the
/// three live sessions it ends. Two commands open `new`.
fn every_command(
    user: &User,
    one: &NewSession,
    new: NewSession,
    admin: TokenIdentity,
) -> Vec<(Arc<dyn Command>, u64)> {
    let own = Account {
        authorized_by: Some(identity(user, one)),
        ..account(user.id)
    };
    let by_admin = Account {
        authorized_by: Some(admin),
        ..own
    };
    let end_all = EndSessions {
        user: user.id,
        reason: EndReason::RefreshTokenReused,
    };
    let change_password = ChangePassword {
        authorized_by: identity(user, one),
        hash: another_hash(),
        session: new.clone(),
    };
    let reauthenticate = Reauthenticate {
        authorized_by: identity(user, one),
    };
    let mut every: Vec<(Arc<dyn Command>, u64)> = vec![
        (Arc::new(end_of(one)), 1),
        (Arc::new(replay_of(one, 0)), 0),
        (Arc::new(end_all), 3),
        (opening(new, user, 2), 2),
        (Arc::new(change_password), 3),
        (Arc::new(reauthenticate), 0),
        (keeping_sessions(user.id, &["admin"]), 0),
        (Arc::new(DeleteUser(own)), 0),
    ];
    // Deleting a user removes the sessions instead of ending them.
    every.extend(commands(by_admin).into_iter().zip([3, 3, 3, 3, 0]));
    every
}

async fn a_change_is_written_whole_and_affects_no_other_user(storage: &CoreStorage) {
    let (root, of_root) = logged_in_as(storage, an_admin("root")).await;
    let (bob, of_bob) = logged_in(storage, "bob").await;
    let bob_before = Everything::of(storage, &bob, &[of_bob.id]).await;
    for place in 0..12 {
        let (user, sessions) = with_sessions(storage, &format!("user{place}")).await;
        let new = a_session(user.id, at(10));
        let mut ids = sessions.each_ref().map(|session| session.id).to_vec();
        ids.push(new.id);
        let every = every_command(&user, &sessions[0], new, identity(&root, &of_root));
        let (command, ended) = every.into_iter().nth(place).expect("there are twelve commands");
        assert_applied(storage, command, &user, &ids, ended).await;
        assert_eq!(Everything::of(storage, &bob, &[of_bob.id]).await, bob_before);
    }
}

/// Asserts that a dry run of `command` at second 10 writes nothing, that an execution returns the
/// same and writes all of it, and that it ends as many sessions as `ended` and none that is dead.
async fn assert_applied(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    user: &User,
    sessions: &[SessionId],
    ended: u64,
) {
    let name = format!("{command:?}");
    let before = Everything::of(storage, user, sessions).await;
    let events = storage.recorded.recorded().await;
    let dry = dry_run(storage, command.clone(), context(at(10))).await;
    assert_eq!(Everything::of(storage, user, sessions).await, before, "{name}");
    assert_eq!(storage.recorded.recorded().await, events, "{name}");

    let executed = applied(storage, command, context(at(10))).await;
    assert_eq!(dry, Ok(executed.clone()), "{name}");
    assert_eq!(executed.sessions_ended, ended, "{name}");
    let after = Everything::of(storage, user, sessions).await;
    let is_deleted = after.credentials.is_none();
    assert!(after.events.starts_with(&before.events), "{name}");
    if !matches!(executed.change.user, UserChange::Update { hash: Some(_), .. }) && !is_deleted {
        let hash = |of: &Everything| of.credentials.as_ref().map(|it| it.hash.clone());
        assert_eq!(hash(&after), hash(&before), "{name}");
    }
    let reason = executed.change.end_sessions.map(|(_, reason)| reason);
    let reauthenticated = executed.change.reauthenticated;
    for (before, after) in before
        .sessions
        .iter()
        .flatten()
        .zip(after.sessions.iter().flatten())
    {
        let is_checked = reauthenticated == Some(after.id);
        let expected = if is_checked {
            at(10)
        } else {
            before.authenticated_at
        };
        assert_eq!(after.authenticated_at, expected, "{name}");
    }
    let mut ended_now = 0;
    for sessions in before.sessions.iter().zip(&after.sessions) {
        match sessions {
            (_, after) if is_deleted => assert_eq!(*after, None, "{name}"),
            (Some(before), Some(after)) if before.lifetime == after.lifetime => {}
            (Some(before), Some(after)) => {
                assert_eq!(before.lifetime.at(at(10)), Liveness::Live, "{name}");
                assert_eq!(after.lifetime.ended, reason, "{name}");
                ended_now += 1;
            }
            (before, _) => assert_eq!(*before, None, "{name}"),
        }
    }
    assert_eq!(ended_now, ended, "{name}");
}

async fn a_dry_run_is_refused_as_the_execution_is(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    logged_out(storage, &session, 4).await;
    let ended = Account {
        authorized_by: Some(identity(&alice, &session)),
        ..account(alice.id)
    };
    let mut refused: Vec<Arc<dyn Command>> = vec![
        Arc::new(RegisterUser(a_user("ALICE"))),
        Arc::new(end_of(&session)),
        Arc::new(replay_of(&session, 0)),
    ];
    refused.extend(commands(account(a_user("unknown").id)));
    refused.extend(commands(ended));
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for command in refused {
        let dry = dry_run(storage, command.clone(), context(at(10))).await;
        let refusal = dry.expect_err("the rules refuse the command");
        assert_refused(storage, command, context(at(10)), &refusal).await;
    }
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
}
