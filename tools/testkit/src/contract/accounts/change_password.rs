//! [`ChangePassword`].

use crate::{
    CoreStorage,
    contract::support::{applied, count, done, execute, found, liveness, logged_in, opened, race, snapshot},
    fixtures::{a_session, at, context_of, identity},
};
use domain::{
    authority::Denied,
    changes::{ChangePassword, Refusal},
    password::PasswordHash,
    session::{EndReason, Liveness, SessionId},
    token::TokenIdentity,
};
use std::sync::Arc;

cases! { accounts::change_password(CoreStorage):
    a_change_ends_all_sessions_and_opens_one_at_the_new_epoch,
    one_of_many_concurrent_changes_happens,
}

fn change(authorized_by: TokenIdentity) -> (SessionId, Arc<ChangePassword>) {
    let session = a_session(authorized_by.user, at(10));
    let id = session.id;
    let command = ChangePassword {
        authorized_by,
        hash: PasswordHash::from_phc("plain$9$a new password".to_owned()),
        session,
    };
    (id, Arc::new(command))
}

async fn a_change_ends_all_sessions_and_opens_one_at_the_new_epoch(storage: &CoreStorage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let (new, command) = change(identity(&alice, &one));
    let changed = applied(storage, command, context_of(alice.id, at(10))).await;
    assert_eq!(changed.sessions_ended, 2);
    let changed = done(Ok(changed));
    for old in [one, two] {
        let ended = Liveness::Ended(EndReason::PasswordChanged);
        assert_eq!(liveness(storage, old.id, at(11)).await, ended);
    }
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
    let stored = found(storage, new).await;
    assert_eq!(stored.lifetime.at(at(11)), Liveness::Live);
    assert_eq!(stored.holder.epoch, changed.epoch);
    assert_eq!(snapshot(storage, new).await.user, changed);
}

async fn one_of_many_concurrent_changes_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let by = identity(&alice, &session);
    let results = race((0..20).map(|_| {
        let (storage, (new, command)) = (storage.clone(), change(by));
        async move {
            let changed = execute(&storage, command, context_of(by.user, at(10))).await;
            (new, changed.map(drop))
        }
    }))
    .await;
    let stale = Err(Refusal::Denied(Denied::Stale));
    assert_eq!(count(&results, |(_, it)| it.is_ok()), 1);
    assert_eq!(count(&results, |(_, it)| *it == stale), 19);
    for (new, changed) in results {
        let found = storage.sessions.find(new).await.expect("storage answers");
        assert_eq!(found.is_some(), changed.is_ok(), "one session was opened");
    }
}
