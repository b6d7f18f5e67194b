//! [`DeleteUser`].

use crate::{
    CoreStorage,
    contract::support::{
        Everything, applied, assert_one_happens, done, logged_in, opened, registered, user_now, valid_until,
    },
    fixtures::{a_session, a_user, account, at, context, context_of, identity},
};
use domain::changes::{Account, Command, DeleteUser, Refusal};
use std::sync::Arc;

cases! { accounts::delete_user(CoreStorage):
    a_deleted_user_is_gone_and_the_events_stay,
    a_user_deletes_their_own_account,
    one_of_many_concurrent_deletions_happens,
}

async fn a_deleted_user_is_gone_and_the_events_stay(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let expired = valid_until(at(5), a_session(alice.id, at(2)));
    opened(storage, &alice, expired.clone()).await;
    let (bob, of_bob) = logged_in(storage, "bob").await;
    let before = user_now(storage, &alice).await;
    let bob_before = Everything::of(storage, &bob, &[of_bob.id]).await;

    let command = Arc::new(DeleteUser(account(alice.id)));
    let deleted = applied(storage, command, context(at(10))).await;

    assert_eq!(done(Ok(deleted)), before);
    let left = Everything::of(storage, &alice, &[session.id, expired.id]).await;
    assert!(left.credentials.is_none(), "{left:?}");
    assert_eq!((left.sessions, left.snapshots), (vec![None; 2], vec![None; 2]));
    assert_eq!(left.events.len(), 4, "registration, two logins and the deletion");
    assert_eq!(Everything::of(storage, &bob, &[of_bob.id]).await, bob_before);
    let next = registered(storage, a_user("ALICE")).await;
    assert_ne!(next.id, alice.id, "the login is free again");
}

/// The caller and the user to delete are one, and so are the caller's session and one that is
/// removed.
async fn a_user_deletes_their_own_account(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let own = Account {
        authorized_by: Some(identity(&alice, &session)),
        ..account(alice.id)
    };
    applied(storage, Arc::new(DeleteUser(own)), context_of(alice.id, at(10))).await;
}

async fn one_of_many_concurrent_deletions_happens(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let deletions = (0..20).map(|_| -> Arc<dyn Command> { Arc::new(DeleteUser(account(alice.id))) });
    assert_one_happens(storage, deletions, Refusal::UserNotFound).await;
}
