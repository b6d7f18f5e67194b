//! Whether storage wrote what a command decided.

use super::{credentials, execute, found, user_now};
use crate::CoreStorage;
use domain::{
    audit::AuditContext,
    changes::{Applied, Command, EndSessionsOf, UserChange},
    password::PasswordHash,
    user::User,
};
use std::sync::Arc;

/// Executes `command`, and asserts that every part of the change that it decided was written, and
/// one event at most.
pub(in crate::contract) async fn applied(
    storage: &CoreStorage,
    command: Arc<dyn Command>,
    context: AuditContext,
) -> Applied {
    let events = storage.recorded.recorded().await.len();
    let applied = execute(storage, command, context.clone()).await;
    let applied = applied.expect("a change that no rule refuses");
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
            let user = storage.accounts.find(*id).await.expect("storage answers");
            let last_login_at = user.and_then(|user| user.last_login_at);
            assert_eq!(last_login_at, Some(change.at));
        }
        UserChange::Delete(user) => {
            let login = user.login.canonical();
            let by_login = storage.accounts.find_by_login(login).await;
            assert!(by_login.expect("storage answers").is_none());
            let by_id = storage.accounts.find(user.id).await;
            assert_eq!(by_id.expect("storage answers"), None);
        }
    }
}

async fn assert_credentials(storage: &CoreStorage, user: &User, hash: Option<&PasswordHash>) {
    let stored = credentials(storage, user).await;
    assert_eq!(stored.user, *user);
    if let Some(hash) = hash {
        assert_eq!(stored.hash, *hash);
    }
    let by_id = storage.accounts.find(user.id).await;
    assert_eq!(by_id.expect("storage answers").as_ref(), Some(user));
}

async fn assert_sessions_written(storage: &CoreStorage, applied: &Applied) {
    let change = &applied.change;
    if let Some((EndSessionsOf::Sessions(ids), reason)) = &change.end_sessions {
        assert_eq!(applied.sessions_ended, ids.len() as u64);
        for id in ids {
            assert_eq!(found(storage, *id).await.lifetime.ended, Some(*reason));
        }
    }
    if let Some(session) = &change.open_session {
        let user = storage.accounts.find(session.user).await;
        let user = user.expect("storage answers").expect("the session's user");
        assert_eq!(found(storage, session.id).await, session.stored(&user));
    }
}
