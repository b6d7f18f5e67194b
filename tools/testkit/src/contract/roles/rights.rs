//! A change is decided by the rights of the caller and of the target, and by the roles, as they are in its transaction.

use super::{execute, removal};
use crate::{
    CoreStorage, Storage,
    contract::support::{
        Everything, applied, assert_refused, commands, dry_run, execute as execute_command, logged_in,
        logged_in_with, opened, registered, role_written, user_now,
    },
    fixtures::{a_role, a_session, a_user, an_admin, at, context, identity, role_change, role_names},
};
use domain::{
    authority::Denied,
    changes::{AssignRoles, CatalogueCommand, Command, DeleteRole, Refusal, WriteRole},
    role::{Permission, RoleName},
    token::TokenIdentity,
    user::User,
};
use std::sync::Arc;

cases! { roles::rights(Storage):
    roles_are_assigned_by_the_rights_of_the_moment,
    callers_take_roles_that_are_self_assignable_at_the_moment,
    users_are_administered_by_the_rights_of_the_moment,
    roles_are_written_and_removed_by_the_rights_of_the_moment,
}

fn authorized(by: TokenIdentity, user: &User, roles: &[&str]) -> Arc<dyn Command> {
    Arc::new(AssignRoles {
        authorized_by: Some(by),
        ..role_change(user.id, roles)
    })
}

fn not_assignable(role: &str) -> Denied {
    Denied::NotAssignable(RoleName::parse(role).expect("a role's name"))
}

async fn assert_denied(storage: &CoreStorage, command: Arc<dyn Command>, user: &User, denied: Denied) {
    let before = Everything::of(storage, user, &[]).await;
    let refusal = Refusal::Denied(denied);
    let dry = dry_run(storage, command.clone(), context(at(10))).await;
    assert_eq!(dry.err().as_ref(), Some(&refusal), "{command:?}");
    assert_refused(storage, command, context(at(10)), &refusal).await;
    assert_eq!(Everything::of(storage, user, &[]).await, before);
}

/// Gives `user` exactly `roles`, for the operator.
async fn give(storage: &CoreStorage, user: &User, roles: &[&str]) {
    let command = Arc::new(role_change(user.id, roles));
    applied(storage, command, context(at(9))).await;
}

async fn roles_are_assigned_by_the_rights_of_the_moment(storage: &Storage) {
    let core = &storage.core();
    registered(core, an_admin("root")).await;
    let (keeper, session) = logged_in_with(storage, "keeper", &["roles:assign", "a:x"]).await;
    let (alice, _) = logged_in(core, "alice").await;
    role_written(storage, a_role("small", &["a:x"])).await;
    role_written(storage, a_role("great", &["b:x"])).await;
    let by = identity(&keeper, &session);
    let small = || authorized(by, &alice, &["small"]);
    for role in ["great", "admin"] {
        let command = authorized(by, &alice, &["small", role]);
        assert_denied(core, command, &alice, not_assignable(role)).await;
    }
    role_written(storage, a_role("small", &["a:x", "b:x"])).await;
    assert_denied(core, small(), &alice, not_assignable("small")).await;
    role_written(storage, a_role("small", &["a:x"])).await;
    role_written(storage, a_role("of-keeper", &["a:x"])).await;
    let lacking = Denied::Forbidden(Permission::ROLES_ASSIGN);
    assert_denied(core, small(), &alice, lacking).await;
    role_written(storage, a_role("of-keeper", &["a:x", "roles:assign"])).await;
    // The target's permissions are those of all of their roles.
    for roles in [&["great"][..], &["small", "great"], &["admin"]] {
        give(core, &alice, roles).await;
        assert_denied(core, small(), &alice, Denied::OutOfReach).await;
    }
    give(core, &alice, &[]).await;
    applied(core, small(), context(at(10))).await;
}

async fn callers_take_roles_that_are_self_assignable_at_the_moment(storage: &Storage) {
    let core = &storage.core();
    let (alice, session) = logged_in(core, "alice").await;
    let open = |self_assignable| WriteRole {
        self_assignable,
        ..a_role("open", &["a:x"])
    };
    role_written(storage, a_role("closed", &[])).await;
    role_written(storage, open(false)).await;
    let by = identity(&alice, &session);
    let take = || authorized(by, &alice, &["open"]);
    assert_denied(core, take(), &alice, not_assignable("open")).await;
    role_written(storage, open(true)).await;
    for role in ["closed", "admin"] {
        let command = authorized(by, &alice, &["open", role]);
        assert_denied(core, command, &alice, not_assignable(role)).await;
    }
    let bob = registered(core, a_user("bob")).await;
    let lacking = Denied::Forbidden(Permission::ROLES_ASSIGN);
    assert_denied(core, authorized(by, &bob, &["open"]), &bob, lacking).await;
    applied(core, take(), context(at(10))).await;
    assert_eq!(user_now(core, &alice).await.roles, role_names(&["open"]));
}

async fn users_are_administered_by_the_rights_of_the_moment(storage: &Storage) {
    let core = &storage.core();
    registered(core, an_admin("root")).await;
    let all = ["users:write", "roles:assign", "sessions:revoke"];
    let (keeper, session) = logged_in_with(storage, "keeper", &all).await;
    let (alice, _) = logged_in(core, "alice").await;
    role_written(storage, a_role("other", &["audit:read"])).await;
    let by = identity(&keeper, &session);
    let all_commands = || commands(alice.id, Some(by));
    let lacking = |place| {
        Denied::Forbidden(match place {
            0 => Permission::ROLES_ASSIGN,
            1 => Permission::SESSIONS_REVOKE,
            _ => Permission::USERS_WRITE,
        })
    };
    role_written(storage, a_role("of-keeper", &["users:read"])).await;
    for (place, command) in all_commands().into_iter().enumerate() {
        assert_denied(core, command, &alice, lacking(place)).await;
    }
    role_written(storage, a_role("of-keeper", &all)).await;
    for roles in [&["other"][..], &["other", "user"], &["admin"]] {
        give(core, &alice, roles).await;
        for command in all_commands() {
            assert_denied(core, command, &alice, Denied::OutOfReach).await;
        }
    }
    role_written(storage, a_role("other", &["roles:assign"])).await;
    give(core, &alice, &["other", "user"]).await;
    give(core, &keeper, &["of-keeper"]).await;
    for command in all_commands() {
        assert_denied(core, command, &alice, Denied::Stale).await;
    }
    let keeper = user_now(core, &keeper).await;
    let session = a_session(keeper.id, at(2));
    let session = opened(core, &keeper, session).await;
    for command in commands(alice.id, Some(identity(&keeper, &session))) {
        let done = execute_command(core, command, context(at(10))).await;
        assert!(done.is_ok(), "{done:?}");
    }
}

async fn roles_are_written_and_removed_by_the_rights_of_the_moment(storage: &Storage) {
    let core = &storage.core();
    let (keeper, session) = logged_in_with(storage, "keeper", &["roles:write", "a:x"]).await;
    role_written(storage, a_role("mighty", &["b:x"])).await;
    let by = Some(identity(&keeper, &session));
    let write = |role: WriteRole| -> Arc<dyn CatalogueCommand> {
        Arc::new(WriteRole {
            authorized_by: by,
            ..role
        })
    };
    let remove = |name: &str| -> Arc<dyn CatalogueCommand> {
        Arc::new(DeleteRole {
            authorized_by: by,
            ..removal(name)
        })
    };
    let written = execute(storage, write(a_role("mine", &["a:x"]))).await;
    assert!(written.is_ok(), "{written:?}");
    let b = Permission::parse("b:x").expect("a permission");
    for (command, denied) in [
        (write(a_role("mine", &["b:x"])), Denied::NotGrantable(b)),
        (write(a_role("mighty", &[])), Denied::OutOfReach),
        (remove("mighty"), Denied::OutOfReach),
    ] {
        let refused = execute(storage, command).await;
        assert_eq!(refused, Err(Refusal::Denied(denied)));
    }
    role_written(storage, a_role("of-keeper", &["a:x"])).await;
    for command in [write(a_role("mine", &[])), remove("mine")] {
        let refused = execute(storage, command).await;
        let lacking = Denied::Forbidden(Permission::ROLES_WRITE);
        assert_eq!(refused, Err(Refusal::Denied(lacking)));
    }
    role_written(storage, a_role("of-keeper", &["a:x", "roles:write"])).await;
    give(core, &keeper, &["of-keeper"]).await;
    for command in [write(a_role("mine", &[])), remove("mine")] {
        let refused = execute(storage, command).await;
        assert_eq!(refused, Err(Refusal::Denied(Denied::Stale)));
    }
}
