//! [`ResetPassword`].

use crate::{
    CoreStorage,
    contract::support::{
        another_hash, applied, credentials, done, found, liveness, logged_in, opened, snapshot, user_now,
    },
    fixtures::{a_session, a_user, account, at, context, context_of, identity},
};
use domain::{
    changes::{ChangePassword, ResetPassword},
    session::{EndReason, Liveness},
    user::User,
};
use std::sync::Arc;

cases! { accounts::reset_password(CoreStorage):
    a_reset_password_must_be_changed_and_ends_all_sessions,
    a_password_that_the_user_chose_need_not_be_changed,
}

fn reset(user: &User) -> Arc<ResetPassword> {
    Arc::new(ResetPassword {
        account: account(user.id),
        hash: another_hash(),
    })
}

async fn a_reset_password_must_be_changed_and_ends_all_sessions(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (bob, of_bob) = logged_in(storage, "bob").await;
    let expected = User {
        epoch: alice.epoch.next(),
        revision: alice.revision.next(),
        must_change_password: true,
        updated_at: at(10),
        ..user_now(storage, &alice).await
    };

    let done_by_reset = applied(storage, reset(&alice), context(at(10))).await;

    assert_eq!(done_by_reset.sessions_ended, 1);
    assert_eq!(done(Ok(done_by_reset)), expected);
    let stored = credentials(storage, &alice).await;
    assert_eq!((stored.user, stored.hash), (expected, another_hash()));
    assert_ne!(credentials(storage, &bob).await.hash, another_hash());
    let ended = Liveness::Ended(EndReason::PasswordReset);
    assert_eq!(liveness(storage, session.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
}

async fn a_password_that_the_user_chose_need_not_be_changed(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let alice = done(Ok(applied(storage, reset(&alice), context(at(10))).await));
    let session = opened(storage, &alice, a_session(alice.id, at(11))).await;
    assert!(found(storage, session.id).await.holder.must_change_password);
    assert!(snapshot(storage, session.id).await.user.must_change_password);

    let change = ChangePassword {
        authorized_by: identity(&alice, &session),
        hash: a_user("alice").hash,
        session: a_session(alice.id, at(12)),
    };
    let changed = applied(storage, Arc::new(change), context_of(alice.id, at(12))).await;

    let now = done(Ok(changed));
    assert!(!now.must_change_password);
    assert_eq!(user_now(storage, &alice).await, now);
}
