//! Cases of [`EndSession`].

use crate::contract::prelude::*;

cases! { accounts::end_session(CoreStorage):
    a_session_ends_once_and_keeps_its_reason,
    one_of_many_concurrent_ends_happens,
}

async fn a_session_ends_once_and_keeps_its_reason(storage: &CoreStorage) {
    let (alice, other) = logged_in(storage, "alice").await;
    for reason in [
        EndReason::LoggedOut,
        EndReason::RefreshTokenReused,
        EndReason::RolesChanged,
        EndReason::PasswordChanged,
        EndReason::PasswordReset,
        EndReason::UserDisabled,
        EndReason::SessionsRevoked,
        EndReason::MadeRoom,
    ] {
        let session = opened(storage, &alice, a_session(alice.id, at(2))).await;
        let end = EndSession {
            reason,
            ..end_of(&session)
        };
        applied(storage, Arc::new(end), context(at(3))).await;
        let before = Everything::of(storage, &alice, &[session.id, other.id]).await;
        let again = Arc::new(end_of(&session));
        assert_refused(storage, again, context(at(4)), &Refusal::SessionEnded).await;
        let after = Everything::of(storage, &alice, &[session.id, other.id]).await;
        assert_eq!(after, before);
    }
    assert_eq!(liveness(storage, other.id, at(4)).await, Liveness::Live);
}

async fn one_of_many_concurrent_ends_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let events = events_of(storage, &alice).await.len();
    let ends = (0..20).map(|_| -> Arc<dyn Command> { Arc::new(end_of(&session)) });
    assert_one_happens(storage, ends, Refusal::SessionEnded).await;
    assert_eq!(events_of(storage, &alice).await.len(), events + 1);
}
