//! The caller's token is validated again, in the transaction of the change.

use crate::{
    CoreStorage,
    contract::support::{
        Everything, applied, assert_refused, commands, execute, logged_in, logged_in_as, logged_out, opened,
        registered, set_status, user_now,
    },
    fixtures::{a_session, a_user, account, an_admin, at, context, context_of, identity},
};
use chrono::Duration;
use domain::{
    authority::Denied,
    changes::{ChangePassword, Command, DeleteUser, Refusal, RevokeSessions},
    session::NewSession,
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};
use std::sync::Arc;

cases! { accounts::authorization(CoreStorage):
    a_token_of_another_epoch_session_or_user_is_refused,
    a_token_of_a_session_that_is_over_is_refused,
    a_token_of_a_disabled_or_deleted_user_is_refused,
    a_token_is_valid_until_the_instant_its_session_expires,
}

const STALE: Refusal = Refusal::Denied(Denied::Stale);

/// Asserts that no command on `user` is executed for `by`, and that `by` does not change a password either.
async fn assert_stale(storage: &CoreStorage, by: TokenIdentity, user: &User, session: &NewSession) {
    let before = Everything::of(storage, user, &[session.id]).await;
    for command in commands(user.id, Some(by)) {
        assert_refused(storage, command, context(at(10)), &STALE).await;
    }
    assert_eq!(Everything::of(storage, user, &[session.id]).await, before);
    let new = a_session(by.user, at(10));
    let id = new.id;
    let change: Arc<dyn Command> = Arc::new(ChangePassword {
        authorized_by: by,
        hash: a_user("any").hash,
        session: new,
    });
    assert_refused(storage, change, context_of(by.user, at(10)), &STALE).await;
    let opened = storage.sessions.find(id).await.expect("storage answers");
    assert_eq!(opened, None);
}

async fn a_token_of_another_epoch_session_or_user_is_refused(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (root, of_root) = logged_in_as(storage, an_admin("root")).await;
    let root_before = Everything::of(storage, &root, &[of_root.id]).await;
    let good = identity(&root, &of_root);
    for stale in [
        TokenIdentity {
            epoch: Epoch(root.epoch.0 - 1),
            ..good
        },
        TokenIdentity {
            epoch: Epoch(root.epoch.0 + 1),
            ..good
        },
        TokenIdentity {
            session: session.id,
            ..good
        },
        TokenIdentity {
            session: a_session(root.id, at(1)).id,
            ..good
        },
        TokenIdentity {
            user: alice.id,
            ..good
        },
        TokenIdentity {
            user: a_user("unknown").id,
            ..good
        },
    ] {
        assert_stale(storage, stale, &alice, &session).await;
    }
    let root_now = Everything::of(storage, &root, &[of_root.id]).await;
    assert_eq!(root_now, root_before);
    for command in commands(alice.id, Some(good)) {
        applied(storage, command, context_of(root.id, at(10))).await;
    }
}

async fn a_token_of_a_session_that_is_over_is_refused(storage: &CoreStorage) {
    let (alice, of_alice) = logged_in(storage, "alice").await;
    let (root, ended) = logged_in_as(storage, an_admin("root")).await;
    logged_out(storage, &ended, 4).await;
    let expired = opened(storage, &root, a_session(root.id, at(-365 * 24 * 3600))).await;
    for over in [ended, expired] {
        assert_stale(storage, identity(&root, &over), &alice, &of_alice).await;
    }
}

async fn a_token_of_a_disabled_or_deleted_user_is_refused(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let (alice, of_alice) = logged_in(storage, "alice").await;
    let (mallory, session) = logged_in_as(storage, an_admin("mallory")).await;
    let disable = set_status(mallory.id, UserStatus::Disabled);
    applied(storage, disable, context(at(5))).await;
    let now = user_now(storage, &mallory).await;
    for user in [&mallory, &now] {
        assert_stale(storage, identity(user, &session), &alice, &of_alice).await;
    }
    let delete = Arc::new(DeleteUser(account(mallory.id)));
    applied(storage, delete, context(at(6))).await;
    assert_stale(storage, identity(&now, &session), &alice, &of_alice).await;
}

async fn a_token_is_valid_until_the_instant_its_session_expires(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let (root, _) = logged_in_as(storage, an_admin("root")).await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(root.id, at(2))
    };
    let whole = NewSession {
        expires_at: at(10),
        ..a_session(root.id, at(2))
    };
    for session in [idle, whole] {
        opened(storage, &root, session.clone()).await;
        let command = Arc::new(RevokeSessions {
            user: alice.id,
            authorized_by: Some(identity(&root, &session)),
        });
        assert_refused(storage, command.clone(), context(at(10)), &STALE).await;
        let in_time = at(10) - Duration::microseconds(1);
        let revoked = execute(storage, command, context(in_time)).await;
        assert!(revoked.is_ok(), "{revoked:?}");
    }
}
