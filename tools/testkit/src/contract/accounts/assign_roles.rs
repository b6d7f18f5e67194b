//! Cases of [`AssignRoles`].

use crate::contract::prelude::*;
use domain::user::Epoch;

cases! { accounts::assign_roles(CoreStorage):
    an_assignment_gives_exactly_those_roles_and_raises_the_epoch,
    roles_that_a_user_with_kept_sessions_has_are_not_written,
    one_of_many_concurrent_assignments_by_one_token_happens,
    callers_who_assign_roles_to_each_other_do_not_deadlock,
    one_of_two_commands_at_one_revision_happens,
    no_assignment_of_many_concurrent_ones_is_lost,
}

fn authorized(by: TokenIdentity, user: UserId) -> Arc<dyn Command> {
    Arc::new(AssignRoles {
        authorized_by: Some(by),
        ..role_change(user, &[])
    })
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
        assert_eq!(changed(storage, command, 10).await, expected);
    }
}

async fn roles_that_a_user_with_kept_sessions_has_are_not_written(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let events = storage.recorded.recorded().await;
    let same = keeping_sessions(alice.id, &["user"]);
    let before = user_now(storage, &alice).await;
    assert_eq!(changed(storage, same, 10).await, before);
    assert_eq!(storage.recorded.recorded().await, events);
}

async fn one_of_many_concurrent_assignments_by_one_token_happens(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let by = identity(&alice, &session);
    let commands = (0..20).map(|_| authorized(by, alice.id));
    assert_one_happens(storage, commands, Denied::Stale).await;
    assert_eq!(user_now(storage, &alice).await.epoch, alice.epoch.next());
}

/// Each command locks the accounts of both callers.
async fn callers_who_assign_roles_to_each_other_do_not_deadlock(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    for round in 0..10 {
        let (one, of_one) = logged_in_as(storage, an_admin(&format!("one-{round}"))).await;
        let (two, of_two) = logged_in_as(storage, an_admin(&format!("two-{round}"))).await;
        let (by_one, by_two) = (identity(&one, &of_one), identity(&two, &of_two));
        let commands = [authorized(by_one, two.id), authorized(by_two, one.id)];
        // The first command raises the epoch of the second one's caller.
        assert_one_happens(storage, commands, Denied::Stale).await;
    }
}

async fn one_of_two_commands_at_one_revision_happens(storage: &CoreStorage) {
    for round in 0..20 {
        let user = registered(storage, a_user(&format!("user{round}"))).await;
        let [assign, _, reset, ..] = commands(Account {
            if_revision: Some(user.revision),
            ..account(user.id)
        });
        assert_one_happens(storage, [assign, reset], Refusal::RevisionMismatch).await;
    }
}

async fn no_assignment_of_many_concurrent_ones_is_lost(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let assignments = (0..20).map(|turn| -> Arc<dyn Command> {
        let roles: &[&str] = if turn % 2 == 0 { &[] } else { &["user"] };
        Arc::new(role_change(alice.id, roles))
    });
    let results = race_commands(storage, assignments).await;
    assert_eq!(count(&results, Result::is_ok), 20, "{results:?}");
    let now = user_now(storage, &alice).await;
    assert_eq!(now.epoch, Epoch(alice.epoch.0 + 20));
    assert_eq!(now.revision.0, alice.revision.0 + 20);
}
