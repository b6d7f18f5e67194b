//! [`Accounts::dry_run`](domain::ports::Accounts::dry_run).

use crate::{
    CoreStorage,
    contract::support::{
        Everything, applied, assert_refused, commands, dry_run, end_of, idle_until, logged_in, logged_in_as,
        logged_out, opened,
    },
    fixtures::{a_session, a_user, an_admin, at, context, identity},
};
use domain::{
    changes::{ChangePassword, Command, EndSessions, OpenSession, Refusal, RegisterUser},
    session::{EndReason, NewSession, SessionId},
    user::User,
};
use std::sync::Arc;

cases! { accounts::dry_run(CoreStorage):
    a_dry_run_returns_what_the_execution_returns_and_writes_nothing,
    a_dry_run_is_refused_as_the_execution_is,
}

/// A user with two live sessions, one that ended and one that expired.
async fn with_sessions(storage: &CoreStorage, login: &str) -> (User, [NewSession; 4]) {
    let (user, one) = logged_in(storage, login).await;
    let expired = idle_until(at(10), a_session(user.id, at(2)));
    let sessions = [one, a_session(user.id, at(2)), a_session(user.id, at(3)), expired];
    let [_, two, ended, expired] = &sessions;
    for session in [two, ended, expired] {
        opened(storage, &user, session.clone()).await;
    }
    logged_out(storage, ended, 4).await;
    (user, sessions)
}

async fn assert_dry_run(
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

    let dry = dry.expect("a change that no rule refuses");
    assert_eq!(Everything::of(storage, user, sessions).await, before, "{name}");
    assert_eq!(storage.recorded.recorded().await, events, "{name}");
    let executed = applied(storage, command, context(at(10))).await;
    assert_eq!(dry.sessions_ended, ended, "{name}");
    assert_eq!(executed.sessions_ended, ended, "{name}");
    let (dry, executed) = (format!("{dry:?}"), format!("{executed:?}"));
    assert_eq!(dry, executed, "{name}");
}

async fn a_dry_run_returns_what_the_execution_returns_and_writes_nothing(storage: &CoreStorage) {
    let (root, of_root) = logged_in_as(storage, an_admin("root")).await;
    let by = identity(&root, &of_root);
    for place in 0..5 {
        let (user, sessions) = with_sessions(storage, &format!("user{place}")).await;
        let ids = sessions.map(|session| session.id);
        let command = commands(user.id, Some(by)).swap_remove(place);
        // A user who is deleted takes their sessions along: none of them ends.
        let ended = if place == 4 { 0 } else { 2 };
        assert_dry_run(storage, command, &user, &ids, ended).await;
    }
    for place in 0..4 {
        let (user, sessions) = with_sessions(storage, &format!("own{place}")).await;
        let new = a_session(user.id, at(10));
        let mut ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
        ids.push(new.id);
        let [one, _, _, _] = &sessions;
        let own: [(Arc<dyn Command>, u64); 4] = [
            (Arc::new(end_of(one)), 1),
            (
                Arc::new(EndSessions {
                    user: user.id,
                    reason: EndReason::LoggedOut,
                }),
                2,
            ),
            (
                Arc::new(OpenSession {
                    session: new.clone(),
                    epoch: user.epoch,
                    max_sessions: 2,
                }),
                1,
            ),
            (
                Arc::new(ChangePassword {
                    authorized_by: identity(&user, one),
                    hash: a_user("any").hash,
                    session: new,
                }),
                2,
            ),
        ];
        let (command, ended) = own.into_iter().nth(place).expect("four commands");
        assert_dry_run(storage, command, &user, &ids, ended).await;
    }
    let new = a_user("new");
    let user = new.registered_at(at(10));
    assert_dry_run(storage, Arc::new(RegisterUser(new)), &user, &[], 0).await;
}

async fn a_dry_run_is_refused_as_the_execution_is(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    logged_out(storage, &session, 4).await;
    let unknown = a_user("unknown").id;
    let mut refused = commands(unknown, None);
    refused.extend(commands(alice.id, Some(identity(&alice, &session))));
    refused.push(Arc::new(RegisterUser(a_user("ALICE"))));
    refused.push(Arc::new(end_of(&session)));
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for command in refused {
        let name = format!("{command:?}");
        let dry = dry_run(storage, command.clone(), context(at(10))).await;
        let dry: Option<Refusal> = dry.err();
        let dry = dry.unwrap_or_else(|| panic!("{name} is not refused"));
        assert_refused(storage, command, context(at(10)), &dry).await;
    }
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
}
