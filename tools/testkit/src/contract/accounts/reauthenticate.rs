//! Cases of [`Reauthenticate`].

use crate::contract::prelude::*;
use domain::ports::Rotated;

cases! { accounts::reauthenticate(CoreStorage):
    a_new_session_was_authenticated_when_it_was_opened,
    a_check_of_the_password_is_stored_in_its_session_until_the_next,
    an_ended_session_is_not_reauthenticated,
    checks_and_rotations_at_once_all_happen,
}

fn checking(user: &User, session: &NewSession) -> Arc<Reauthenticate> {
    Arc::new(Reauthenticate {
        authorized_by: identity(user, session),
    })
}

async fn a_new_session_was_authenticated_when_it_was_opened(storage: &CoreStorage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let change = ChangePassword {
        authorized_by: identity(&alice, &one),
        hash: another_hash(),
        session: a_session(alice.id, at(12)),
    };
    let other = change.session.clone();
    changed(storage, Arc::new(change), 12).await;
    for session in [one, other] {
        let stored = found(storage, session.id).await;
        assert_eq!(stored.authenticated_at, session.created_at);
    }
}

async fn a_check_of_the_password_is_stored_in_its_session_until_the_next(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let other_before = found(storage, other.id).await;
    let snapshot_before = snapshot(storage, session.id).await;
    // The clock of the replica that makes the last check is behind.
    for second in [10, 20, 15] {
        let before = found(storage, session.id).await;
        let context = context_of(alice.id, at(second));
        applied(storage, checking(&alice, &session), context).await;
        let expected = StoredSession {
            authenticated_at: at(second),
            ..before
        };
        assert_eq!(found(storage, session.id).await, expected);
    }
    assert_eq!(found(storage, other.id).await, other_before);
    assert_eq!(snapshot(storage, session.id).await, snapshot_before);

    let rotation = rotation(&session, 0, at(30));
    let Ok(Rotated::Done(rotated)) = storage.sessions.rotate(rotation).await else {
        panic!("the rotation is lost");
    };
    assert_eq!(rotated.authenticated_at, at(15));
    assert_eq!(found(storage, session.id).await.authenticated_at, at(15));
}

async fn an_ended_session_is_not_reauthenticated(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    logged_out(storage, &session, 5).await;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    let (check, stale) = (checking(&alice, &session), Denied::Stale.into());
    assert_refused(storage, check, context_of(alice.id, at(10)), &stale).await;
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
}

async fn checks_and_rotations_at_once_all_happen(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    for generation in 0..5 {
        race((0..8).map(|turn| {
            let storage = storage.clone();
            let (check, context) = (checking(&alice, &session), context_of(alice.id, at(40)));
            let rotation = rotation(&session, generation, at(40));
            async move {
                if turn % 2 == 0 {
                    let checked = execute(&storage, check, context).await;
                    assert!(checked.is_ok(), "{checked:?}");
                } else {
                    answered(|| storage.sessions.rotate(rotation)).await;
                }
            }
        }))
        .await;
        let stored = found(storage, session.id).await;
        assert_eq!(stored.generation, Generation(generation + 1));
        assert_eq!(stored.authenticated_at, at(40));
    }
}
