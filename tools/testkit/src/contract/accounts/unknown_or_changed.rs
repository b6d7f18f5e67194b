//! Commands on users who do not exist, or who are at another revision than the command names.

use crate::{
    CoreStorage,
    contract::support::{another_hash, assert_one_happens, registered},
    fixtures::{a_user, account, role_change},
};
use domain::{
    changes::{Account, AssignRoles, Command, DeleteUser, Refusal, ResetPassword, SetStatus},
    revision::Revision,
    user::{UserId, UserStatus},
};
use std::sync::Arc;

cases! { accounts::unknown_or_changed(CoreStorage):
    of_two_commands_for_one_revision_one_happens,
}

/// Each command that a revision can be given, the one that deletes the user last.
fn at_revision(user: UserId, revision: Revision) -> [Arc<dyn Command>; 4] {
    let account = Account {
        if_revision: Some(revision),
        ..account(user)
    };
    let hash = another_hash();
    let status = UserStatus::Disabled;
    [
        Arc::new(AssignRoles {
            if_revision: Some(revision),
            ..role_change(user, &["user"])
        }),
        Arc::new(ResetPassword { account, hash }),
        Arc::new(SetStatus { account, status }),
        Arc::new(DeleteUser(account)),
    ]
}

async fn of_two_commands_for_one_revision_one_happens(storage: &CoreStorage) {
    for round in 0..20 {
        let user = registered(storage, a_user(&format!("user{round}"))).await;
        let commands = at_revision(user.id, user.revision).into_iter().take(2);
        assert_one_happens(storage, commands, Refusal::RevisionMismatch).await;
    }
}
