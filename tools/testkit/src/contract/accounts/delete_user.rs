//! Cases of [`DeleteUser`].

use crate::contract::prelude::*;

cases! { accounts::delete_user(CoreStorage):
    the_login_of_a_deleted_user_is_free,
    one_of_many_concurrent_deletions_happens,
}

async fn the_login_of_a_deleted_user_is_free(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    changed(storage, Arc::new(DeleteUser(account(alice.id))), 10).await;
    let next = registered(storage, a_user("ALICE")).await;
    assert_ne!(next.id, alice.id);
}

async fn one_of_many_concurrent_deletions_happens(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let deletions = (0..20).map(|_| -> Arc<dyn Command> { Arc::new(DeleteUser(account(alice.id))) });
    assert_one_happens(storage, deletions, Refusal::UserNotFound).await;
}
