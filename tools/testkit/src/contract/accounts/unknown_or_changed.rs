//! Commands on users who do not exist, or who are at another revision than the command names.

use crate::{
    CoreStorage,
    contract::support::{
        Everything, another_hash, applied, assert_refused, commands, count, dry_run, end_of, execute,
        logged_in, race, registered, user_now,
    },
    fixtures::{a_session, a_user, account, at, context, role_change},
};
use domain::{
    changes::{
        Account, AssignRoles, Command, DeleteUser, EndSessions, OpenSession, Refusal, ResetPassword,
        SetStatus,
    },
    revision::Revision,
    session::EndReason,
    user::{Epoch, UserId, UserStatus},
};
use std::sync::Arc;

cases! { accounts::unknown_or_changed(CoreStorage):
    a_command_on_an_unknown_user_changes_nothing,
    a_command_for_another_revision_changes_nothing,
    of_two_commands_for_one_revision_one_happens,
}

async fn a_command_on_an_unknown_user_changes_nothing(storage: &CoreStorage) {
    logged_in(storage, "alice").await;
    let unknown = a_user("unknown").registered_at(at(0));
    for command in commands(unknown.id, None) {
        assert_refused(storage, command, context(at(10)), &Refusal::UserNotFound).await;
    }
    let session = a_session(unknown.id, at(1));
    let end = Arc::new(end_of(&session));
    assert_refused(storage, end, context(at(10)), &Refusal::SessionEnded).await;
    let open = Arc::new(OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        max_sessions: 1,
    });
    assert_refused(storage, open, context(at(10)), &Refusal::UserChanged).await;
    let end_all = Arc::new(EndSessions {
        user: unknown.id,
        reason: EndReason::LoggedOut,
    });
    let ended = execute(storage, end_all, context(at(10))).await;
    assert_eq!(ended.map(|ended| ended.sessions_ended), Ok(0));
    let everything = Everything::of(storage, &unknown, &[session.id]).await;
    assert!(everything.credentials.is_none(), "{everything:?}");
    assert_eq!((everything.sessions, everything.events), (vec![None], vec![]));
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

async fn a_command_for_another_revision_changes_nothing(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let change = Arc::new(role_change(alice.id, &[]));
    applied(storage, change, context(at(9))).await;
    let now = user_now(storage, &alice).await.revision;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for other in [alice.revision, now.next()] {
        for command in at_revision(alice.id, other) {
            let refusal = Refusal::RevisionMismatch;
            assert_refused(storage, command, context(at(10)), &refusal).await;
        }
    }
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    for place in 0..4 {
        let now = user_now(storage, &alice).await.revision;
        let command = at_revision(alice.id, now).into_iter().nth(place);
        let command = command.expect("four commands");
        assert!(dry_run(storage, command.clone(), context(at(10))).await.is_ok());
        applied(storage, command, context(at(10))).await;
    }
}

async fn of_two_commands_for_one_revision_one_happens(storage: &CoreStorage) {
    for round in 0..20 {
        let user = registered(storage, a_user(&format!("user{round}"))).await;
        let results = race((0..2).map(|turn| {
            let storage = storage.clone();
            let command = at_revision(user.id, user.revision).into_iter().nth(turn);
            let command = command.expect("four commands");
            async move { execute(&storage, command, context(at(10))).await.map(drop) }
        }))
        .await;
        assert_eq!(count(&results, Result::is_ok), 1, "round {round}");
        let mismatch = Err(Refusal::RevisionMismatch);
        assert_eq!(count(&results, |it| *it == mismatch), 1, "round {round}");
    }
}
