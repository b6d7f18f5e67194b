//! Cases of [`ChangePassword`] and [`ResetPassword`](domain::changes::ResetPassword).

use crate::contract::prelude::*;

cases! { accounts::change_password(CoreStorage):
    a_password_that_was_reset_must_be_changed_once,
    one_of_many_concurrent_changes_happens,
    one_of_many_concurrent_logins_with_a_one_time_password_succeeds,
    an_expired_one_time_password_opens_no_session,
}

fn change(user: &User, session: &NewSession) -> ChangePassword {
    ChangePassword {
        authorized_by: identity(user, session),
        hash: PasswordHash::from_phc("plain$9$a new password".to_owned()),
        session: a_session(user.id, at(12)),
    }
}

async fn a_password_that_was_reset_must_be_changed_once(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let reset = a_reset(account(alice.id), another_hash());
    let alice = changed(storage, Arc::new(reset), 10).await;
    let session = opened(storage, &alice, a_session(alice.id, at(11))).await;
    assert!(found(storage, session.id).await.holder.must_change_password);
    let shown = snapshot(storage, session.id).await;
    assert!(user_of(&shown).must_change_password);
    let change = Arc::new(change(&alice, &session));
    let alice = changed(storage, change, 12).await;
    assert!(!alice.must_change_password && alice.one_time_password.is_none());
}

async fn one_of_many_concurrent_changes_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let changes = [0; 20].map(|_| change(&alice, &session));
    let new = changes.each_ref().map(|change| change.session.id);
    let commands = changes.map(|change| -> Arc<dyn Command> { Arc::new(change) });
    assert_one_happens(storage, commands, Denied::Stale).await;
    let mut opened = 0;
    for id in new {
        opened += usize::from(find_session(storage, id).await.is_some());
    }
    assert_eq!(opened, 1);
}

async fn one_of_many_concurrent_logins_with_a_one_time_password_succeeds(storage: &CoreStorage) {
    for login in ["alice", "bob", "carol"] {
        let user = registered(storage, a_user(login)).await;
        let reset = a_reset(account(user.id), another_hash());
        let user = changed(storage, Arc::new(reset), 5).await;
        let sessions = [0; 10].map(|_| a_session(user.id, at(10)));
        let ids = sessions.each_ref().map(|session| session.id);
        let logins = sessions.map(|session| -> Arc<dyn Command> { opening(session, &user, PLENTY) });
        assert_one_happens(storage, logins, Refusal::UserChanged).await;
        let mut opened = 0;
        for id in ids {
            opened += usize::from(find_session(storage, id).await.is_some());
        }
        assert_eq!(opened, 1);

        let late = opening(a_session(user.id, at(11)), &user, PLENTY);
        assert_refused(storage, late, context(at(11)), &Refusal::UserChanged).await;
        let reset = a_reset(account(user.id), another_hash());
        let user = changed(storage, Arc::new(reset), 12).await;
        let again = opening(a_session(user.id, at(13)), &user, PLENTY);
        applied(storage, again, context(at(13))).await;
    }
}

async fn an_expired_one_time_password_opens_no_session(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let reset = a_reset(account(alice.id), another_hash());
    let alice = changed(storage, Arc::new(reset), 5).await;
    let microsecond = Duration::microseconds(1);
    let late = opening(a_session(alice.id, at(1000)), &alice, PLENTY);
    assert_refused(storage, late, context(at(1000)), &Refusal::UserChanged).await;
    let timely = opening(a_session(alice.id, at(1000) - microsecond), &alice, PLENTY);
    applied(storage, timely, context(at(1000) - microsecond)).await;
}
