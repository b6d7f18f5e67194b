//! Cases of [`ChangePassword`] and [`ResetPassword`].

use crate::contract::prelude::*;

cases! { accounts::change_password(CoreStorage):
    a_password_that_was_reset_must_be_changed_once,
    one_of_many_concurrent_changes_happens,
}

fn change(authorized_by: TokenIdentity) -> ChangePassword {
    ChangePassword {
        authorized_by,
        hash: PasswordHash::from_phc("plain$9$a new password".to_owned()),
        session: a_session(authorized_by.user, at(12)),
    }
}

async fn a_password_that_was_reset_must_be_changed_once(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let reset = ResetPassword {
        account: account(alice.id),
        hash: another_hash(),
    };
    let alice = changed(storage, Arc::new(reset), 10).await;
    let session = opened(storage, &alice, a_session(alice.id, at(11))).await;
    assert!(found(storage, session.id).await.holder.must_change_password);
    assert!(snapshot(storage, session.id).await.user.must_change_password);
    let change = Arc::new(change(identity(&alice, &session)));
    assert!(!changed(storage, change, 12).await.must_change_password);
}

async fn one_of_many_concurrent_changes_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let changes = [0; 20].map(|_| change(identity(&alice, &session)));
    let new = changes.each_ref().map(|change| change.session.id);
    let commands = changes.map(|change| -> Arc<dyn Command> { Arc::new(change) });
    assert_one_happens(storage, commands, Denied::Stale).await;
    let mut opened = 0;
    for id in new {
        opened += usize::from(find_session(storage, id).await.is_some());
    }
    assert_eq!(opened, 1);
}
