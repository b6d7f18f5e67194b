//! [`SetStatus`](domain::changes::SetStatus).

use crate::{
    CoreStorage,
    contract::support::{
        Everything, applied, count, done, events_of, execute, liveness, logged_in, race, set_status, user_now,
    },
    fixtures::{at, context},
};
use domain::{
    session::{EndReason, Liveness},
    user::{User, UserStatus},
};

cases! { accounts::set_status(CoreStorage):
    disabling_raises_the_epoch_and_ends_all_live_sessions,
    a_status_that_the_user_has_changes_nothing,
    many_concurrent_disablings_disable_once,
}

async fn set(storage: &CoreStorage, user: &User, status: UserStatus) -> User {
    let command = set_status(user.id, status);
    done(Ok(applied(storage, command, context(at(10))).await))
}

async fn disabling_raises_the_epoch_and_ends_all_live_sessions(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (bob, of_bob) = logged_in(storage, "bob").await;
    let bob = user_now(storage, &bob).await;
    let expected = User {
        status: UserStatus::Disabled,
        epoch: alice.epoch.next(),
        revision: alice.revision.next(),
        updated_at: at(10),
        ..user_now(storage, &alice).await
    };
    assert_eq!(set(storage, &alice, UserStatus::Disabled).await, expected);
    let ended = Liveness::Ended(EndReason::UserDisabled);
    assert_eq!(liveness(storage, session.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
    assert_eq!(user_now(storage, &bob).await, bob);
}

async fn a_status_that_the_user_has_changes_nothing(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    for status in [UserStatus::Active, UserStatus::Disabled] {
        set(storage, &alice, status).await;
        let before = Everything::of(storage, &alice, &[session.id]).await;
        let user = user_now(storage, &alice).await;
        let again = applied(storage, set_status(alice.id, status), context(at(20))).await;
        assert_eq!(done(Ok(again)), user);
        assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    }
}

async fn many_concurrent_disablings_disable_once(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let events = events_of(storage, &alice).await.len();
    let results = race((0..20).map(|_| {
        let (storage, command) = (storage.clone(), set_status(alice.id, UserStatus::Disabled));
        async move {
            let set = execute(&storage, command, context(at(10))).await;
            set.map(|set| (set.sessions_ended, done(Ok(set))))
        }
    }))
    .await;
    let disabled = user_now(storage, &alice).await;
    assert_eq!(disabled.epoch, alice.epoch.next());
    assert_eq!(count(&results, |it| *it == Ok((1, disabled.clone()))), 1);
    assert_eq!(count(&results, |it| *it == Ok((0, disabled.clone()))), 19);
    assert_eq!(events_of(storage, &alice).await.len(), events + 1);
}
