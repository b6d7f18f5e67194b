//! Assertions that storage wrote what a command decided.

use crate::contract::prelude::*;
use domain::changes::{EndSessionsOf, UserChange};

/// Executes `command` at `second`, asserts as [`applied`] does, and returns the user as changed.
pub(in crate::contract) async fn changed(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    second: i64,
) -> User {
    done(Ok(applied(storage, command, context(at(second))).await))
}

/// Executes `command`, and asserts that every part of the change that it decided was written, and
/// one event at most.
pub(in crate::contract) async fn applied(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
) -> Applied {
    let events = storage.recorded.recorded().await.len();
    let applied = execute(storage, command, context.clone()).await;
    let applied = applied.expect("the rules allow the change");
    assert_user_written(storage, &applied).await;
    assert_sessions_written(storage, &applied).await;
    let event = applied.change.event(applied.sessions_ended);
    let expected: Vec<_> = event.into_iter().map(|event| (event, context.clone())).collect();
    let recorded = storage.recorded.recorded().await;
    assert_eq!(recorded.get(events..), Some(expected.as_slice()));
    applied
}

async fn assert_user_written(storage: &CoreStorage, applied: &Applied) {
    let change = &applied.change;
    match &change.user {
        UserChange::Nothing => {}
        UserChange::Unchanged(user) => assert_eq!(user_now(storage, user).await, *user),
        UserChange::Insert(new) => assert_credentials(storage, &new.user, Some(&new.hash)).await,
        UserChange::Update { user, hash } => assert_credentials(storage, user, hash.as_ref()).await,
        UserChange::LoggedIn(id) => {
            let user = find_user(storage, *id).await;
            assert_eq!(user.and_then(|user| user.last_login_at), Some(change.at));
        }
        UserChange::LoggedInOnce(id) => {
            let user = find_user(storage, *id).await.expect("the user exists");
            assert_eq!(user.last_login_at, Some(change.at));
            let password = user.one_time_password.expect("the password is limited");
            assert_eq!(password.used_at, Some(change.at));
        }
        UserChange::Delete(user) => {
            assert!(find_login(storage, user.login.as_typed()).await.is_none());
            assert_eq!(find_user(storage, user.id).await, None);
        }
    }
}

async fn assert_credentials(storage: &CoreStorage, user: &User, hash: Option<&PasswordHash>) {
    let stored = credentials(storage, user).await;
    assert_eq!(stored.user, *user, "times are stored to the microsecond");
    assert_eq!(stored.hash, *hash.unwrap_or(&stored.hash));
    assert_eq!(find_user(storage, user.id).await.as_ref(), Some(user));
}

async fn assert_sessions_written(storage: &CoreStorage, applied: &Applied) {
    let change = &applied.change;
    if let Some((EndSessionsOf::Sessions(ids), reason)) = &change.end_sessions {
        assert_eq!(applied.sessions_ended, ids.len() as u64);
        for id in ids {
            assert_eq!(found(storage, *id).await.lifetime.ended, Some(*reason));
        }
    }
    if let Some((id, generation)) = change.record_replay {
        let stored = found(storage, id).await;
        assert_eq!(stored.generation, generation);
        assert!(stored.last_rotation.replay_recorded);
    }
    if let Some(session) = &change.open_session {
        let user = find_user(storage, session.user).await;
        let stored = session.stored(&user.expect("the session's user exists"));
        assert_eq!(found(storage, session.id).await, stored);
    }
}
