//! [`RevokeSessions`].

use crate::{
    CoreStorage,
    contract::support::{applied, liveness, logged_in, opened},
    fixtures::{a_session, at, context},
};
use domain::{
    changes::RevokeSessions,
    session::{EndReason, Liveness},
};
use std::sync::Arc;

cases! { accounts::revoke_sessions(CoreStorage):
    all_live_sessions_end_and_the_event_is_recorded_in_any_case,
}

async fn all_live_sessions_end_and_the_event_is_recorded_in_any_case(storage: &CoreStorage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let revoke = RevokeSessions {
        user: alice.id,
        authorized_by: None,
    };
    for count in [2, 0] {
        let applied = applied(storage, Arc::new(revoke), context(at(10))).await;
        assert_eq!(applied.sessions_ended, count);
        let event = applied.change.event(count).expect("an event");
        assert_eq!(event.details.get("count"), Some(&count.to_string()));
    }
    let ended = Liveness::Ended(EndReason::SessionsRevoked);
    assert_eq!(liveness(storage, one.id, at(11)).await, ended);
    assert_eq!(liveness(storage, two.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
}
