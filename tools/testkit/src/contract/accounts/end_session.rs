//! [`EndSession`] and [`EndSessions`].

use crate::{
    CoreStorage,
    contract::support::{
        Everything, applied, assert_one_happens, assert_refused, end_of, events_of, idle_until, liveness,
        logged_in, logged_out, opened, valid_until,
    },
    fixtures::{a_session, at, context, context_of},
};
use chrono::{DateTime, Duration, Utc};
use domain::{
    changes::{Command, EndSession, EndSessions, Refusal},
    session::{EndReason, Liveness},
    user::User,
};
use std::sync::Arc;

cases! { accounts::end_session(CoreStorage):
    a_session_ends_once_and_keeps_the_first_reason,
    every_reason_is_kept,
    one_of_many_concurrent_ends_wins,
    all_live_sessions_of_a_user_end_together,
}

async fn assert_not_ended(storage: &CoreStorage, user: &User, command: EndSession, at: DateTime<Utc>) {
    let session = command.session;
    let before = Everything::of(storage, user, &[session]).await;
    let command = Arc::new(command);
    assert_refused(storage, command, context(at), &Refusal::SessionEnded).await;
    assert_eq!(Everything::of(storage, user, &[session]).await, before);
}

async fn a_session_ends_once_and_keeps_the_first_reason(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let other = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let reused = EndSession {
        reason: EndReason::RefreshTokenReused,
        ..end_of(&session)
    };
    let ended = applied(storage, Arc::new(reused), context_of(alice.id, at(3))).await;
    assert_eq!(ended.sessions_ended, 1);
    assert_not_ended(storage, &alice, end_of(&session), at(4)).await;
    let over = Liveness::Ended(EndReason::RefreshTokenReused);
    assert_eq!(liveness(storage, session.id, at(4)).await, over);
    assert_eq!(liveness(storage, other.id, at(4)).await, Liveness::Live);
}

async fn every_reason_is_kept(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
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
        let over = Liveness::Ended(reason);
        assert_eq!(liveness(storage, session.id, at(4)).await, over);
    }
}

async fn one_of_many_concurrent_ends_wins(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let events = events_of(storage, &alice).await.len();
    let ends = (0..20).map(|_| -> Arc<dyn Command> { Arc::new(end_of(&session)) });
    assert_one_happens(storage, ends, Refusal::SessionEnded).await;
    assert_eq!(events_of(storage, &alice).await.len(), events + 1);
}

async fn all_live_sessions_of_a_user_end_together(storage: &CoreStorage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let whole = valid_until(at(10), a_session(alice.id, at(2)));
    let barely = idle_until(at(10) + Duration::microseconds(1), a_session(alice.id, at(2)));
    let over = a_session(alice.id, at(3));
    let two = a_session(alice.id, at(4));
    for session in [&idle, &whole, &barely, &over, &two] {
        opened(storage, &alice, session.clone()).await;
    }
    logged_out(storage, &over, 5).await;

    let end_all = EndSessions {
        user: alice.id,
        reason: EndReason::PasswordChanged,
    };
    for ended in [3, 0] {
        let applied = applied(storage, Arc::new(end_all), context(at(10))).await;
        assert_eq!(applied.sessions_ended, ended);
    }

    let ended = Liveness::Ended(EndReason::PasswordChanged);
    for (session, expected) in [
        (one, ended),
        (two, ended),
        (barely, ended),
        (over, Liveness::Ended(EndReason::LoggedOut)),
        (idle, Liveness::Expired),
        (whole, Liveness::Expired),
        (of_bob, Liveness::Live),
    ] {
        assert_eq!(liveness(storage, session.id, at(10)).await, expected);
    }
}
