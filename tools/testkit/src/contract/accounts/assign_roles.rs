//! [`AssignRoles`].

use crate::{
    CoreStorage,
    contract::support::{
        applied, assert_one_happens, done, execute, found, idle_until, liveness, logged_in, logged_in_as,
        logged_out, opened, race, registered, snapshot, user_now,
    },
    fixtures::{a_session, a_user, an_admin, at, context, context_of, identity, role_change, role_names},
};
use domain::{
    authority::Denied,
    changes::{AssignRoles, Command, Refusal},
    session::{EndReason, Liveness},
    token::TokenIdentity,
    user::{Epoch, User, UserId},
};
use std::sync::Arc;

cases! { accounts::assign_roles(CoreStorage):
    an_assignment_gives_exactly_those_roles_and_raises_the_epoch,
    an_assignment_ends_all_live_sessions,
    an_assignment_that_keeps_sessions_leaves_them_alive_with_the_new_roles,
    one_of_many_concurrent_assignments_by_one_token_happens,
    callers_who_assign_roles_to_each_other_both_get_an_answer,
    no_assignment_of_many_concurrent_ones_is_lost,
}

async fn assign(storage: &CoreStorage, command: AssignRoles) -> Result<User, Refusal> {
    let context = context_of(command.user, at(10));
    let assigned = execute(storage, Arc::new(command), context).await;
    assigned.map(|assigned| done(Ok(assigned)))
}

fn authorized(by: TokenIdentity, user: UserId, roles: &[&str]) -> AssignRoles {
    AssignRoles {
        authorized_by: Some(by),
        ..role_change(user, roles)
    }
}

async fn an_assignment_gives_exactly_those_roles_and_raises_the_epoch(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let mut expected = registered(storage, a_user("alice")).await;
    for roles in [&["admin"][..], &["admin", "user"], &["admin", "user"], &[]] {
        expected = User {
            roles: role_names(roles),
            epoch: expected.epoch.next(),
            revision: expected.revision.next(),
            updated_at: at(10),
            ..expected
        };
        let command = Arc::new(role_change(expected.id, roles));
        let assigned = applied(storage, command, context(at(10))).await;
        assert_eq!(assigned.sessions_ended, 0);
        assert_eq!(done(Ok(assigned)), expected);
        assert_eq!(user_now(storage, &expected).await, expected);
    }
}

async fn an_assignment_ends_all_live_sessions(storage: &CoreStorage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let over = opened(storage, &alice, a_session(alice.id, at(3))).await;
    let expired = idle_until(at(10), a_session(alice.id, at(3)));
    opened(storage, &alice, expired.clone()).await;
    logged_out(storage, &over, 4).await;
    let (_, of_bob) = logged_in(storage, "bob").await;

    let command = Arc::new(role_change(alice.id, &[]));
    let assigned = applied(storage, command, context(at(10))).await;

    assert_eq!(assigned.sessions_ended, 2);
    for (session, expected) in [
        (one, Liveness::Ended(EndReason::RolesChanged)),
        (two, Liveness::Ended(EndReason::RolesChanged)),
        (over, Liveness::Ended(EndReason::LoggedOut)),
        (expired, Liveness::Expired),
        (of_bob, Liveness::Live),
    ] {
        assert_eq!(liveness(storage, session.id, at(11)).await, expected);
    }
}

async fn an_assignment_that_keeps_sessions_leaves_them_alive_with_the_new_roles(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let keep = AssignRoles {
        keep_sessions: true,
        ..role_change(alice.id, &["admin"])
    };
    let assigned = applied(storage, Arc::new(keep), context(at(10))).await;
    assert_eq!(assigned.sessions_ended, 0);
    let changed = done(Ok(assigned));
    assert_eq!(changed.epoch, alice.epoch.next());
    let stored = found(storage, session.id).await;
    assert_eq!(stored.lifetime.at(at(11)), Liveness::Live);
    assert_eq!(
        (stored.holder.epoch, stored.holder.roles),
        (changed.epoch, role_names(&["admin"]))
    );
    assert_eq!(snapshot(storage, session.id).await.user, changed);
}

async fn one_of_many_concurrent_assignments_by_one_token_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let by = identity(&alice, &session);
    let commands = (0..20).map(|_| -> Arc<dyn Command> { Arc::new(authorized(by, alice.id, &[])) });
    assert_one_happens(storage, commands, Denied::Stale).await;
    assert_eq!(user_now(storage, &alice).await.epoch, alice.epoch.next());
}

/// Each locks the other's account and its own: neither may wait for the other for ever.
async fn callers_who_assign_roles_to_each_other_both_get_an_answer(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    for round in 0..10 {
        let (one, of_one) = logged_in_as(storage, an_admin(&format!("one-{round}"))).await;
        let (two, of_two) = logged_in_as(storage, an_admin(&format!("two-{round}"))).await;
        let (by_one, by_two) = (identity(&one, &of_one), identity(&two, &of_two));
        let commands = [(by_one, two.id), (by_two, one.id)]
            .map(|(by, user)| -> Arc<dyn Command> { Arc::new(authorized(by, user, &[])) });
        // The first of the two raises the other's epoch.
        assert_one_happens(storage, commands, Denied::Stale).await;
    }
}

async fn no_assignment_of_many_concurrent_ones_is_lost(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    race((0..20).map(|turn| {
        let (storage, user) = (storage.clone(), alice.id);
        async move {
            let roles: &[&str] = if turn % 2 == 0 { &[] } else { &["user"] };
            let assigned = assign(&storage, role_change(user, roles)).await;
            assigned.expect("an assignment that no rule refuses");
        }
    }))
    .await;
    let now = user_now(storage, &alice).await;
    assert_eq!(now.epoch, Epoch(alice.epoch.0 + 20));
    assert_eq!(now.revision.0, alice.revision.0 + 20);
}
