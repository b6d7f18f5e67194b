//! Cases of the facts: storage loads all that a command reads, exactly as it is stored.

use super::probe::loaded;
use crate::contract::prelude::*;
use domain::{
    authority::Target,
    changes::{AccountState, Facts, OwnedSession},
    role::RoleNames,
};
use std::collections::BTreeSet;

cases! { accounts::facts(CoreStorage):
    a_login_is_taken_in_every_spelling,
    an_account_is_read_with_its_state_and_permissions,
    another_admin_exists_only_if_it_is_active,
    live_sessions_are_those_of_the_user_that_are_live_at_the_instant,
    live_sessions_are_numbered_as_they_are_opened_whatever_the_clocks_show,
    a_session_is_read_with_its_owner,
    a_caller_is_read_from_their_session,
    roles_that_exist_are_read_and_others_are_not,
    facts_that_a_command_does_not_read_are_left_out,
}

/// Reads that include the user's account, and the target with their permissions.
fn of_target(user: UserId) -> Reads {
    Reads {
        account: Some(user),
        target: true,
        ..Reads::default()
    }
}

fn of_session(session: SessionId) -> Reads {
    Reads {
        session: Some(session),
        ..Reads::default()
    }
}

fn of_caller(caller: TokenIdentity) -> Reads {
    Reads {
        caller: Some(caller),
        ..Reads::default()
    }
}

/// Returns `facts` without `other_admin_exists`, which storage may also load if it is not needed.
fn except_for_admins(facts: Facts) -> Facts {
    Facts {
        other_admin_exists: false,
        ..facts
    }
}

async fn a_login_is_taken_in_every_spelling(storage: &CoreStorage) {
    registered(storage, a_user("Ａｌｉｃｅ")).await;
    for (typed, login_taken) in [
        ("alice", true),
        ("ALICE", true),
        ("alic", false),
        ("alicea", false),
        ("al%ce", false),
    ] {
        let reads = Reads {
            login: Some(canonical(typed)),
            ..Reads::default()
        };
        let expected = Facts {
            login_taken,
            ..Facts::default()
        };
        assert_eq!(loaded(storage, reads, at(10)).await, expected, "{typed}");
    }
}

async fn an_account_is_read_with_its_state_and_permissions(storage: &CoreStorage) {
    let root = registered(storage, an_admin("root")).await;
    let (alice, _) = logged_in(storage, "alice").await;
    let alice = changed(storage, set_status(alice.id, UserStatus::Disabled), 5).await;
    let without = registered(storage, with_roles("without", &[])).await;
    for (user, permissions, privileged_roles) in [
        (root, allowed("admin"), role_names(&["admin"])),
        (alice, allowed("user"), RoleNames::new()),
        (without, Permissions::new(), RoleNames::new()),
    ] {
        let facts = loaded(storage, of_target(user.id), at(10)).await;
        let expected = Facts {
            account: Some(AccountState::from(&user)),
            target: Some(Target {
                user,
                permissions,
                privileged_roles,
            }),
            ..Facts::default()
        };
        assert_eq!(except_for_admins(facts), expected);
    }
    let unknown = Reads {
        live_sessions: true,
        ..of_target(a_user("unknown").id)
    };
    let facts = loaded(storage, unknown, at(10)).await;
    assert_eq!(except_for_admins(facts), Facts::default());
}

async fn another_admin_exists_only_if_it_is_active(storage: &CoreStorage) {
    let root = registered(storage, an_admin("root")).await;
    registered(storage, a_user("alice")).await;
    let other_admin_exists = async || {
        let reads = Reads {
            may_remove_admin: true,
            ..of_target(root.id)
        };
        loaded(storage, reads, at(10)).await.other_admin_exists
    };
    assert!(!other_admin_exists().await, "the target is the only admin");
    let other = registered(storage, an_admin("other")).await;
    assert!(other_admin_exists().await);
    for (status, expected) in [(UserStatus::Disabled, false), (UserStatus::Active, true)] {
        changed(storage, set_status(other.id, status), 5).await;
        assert_eq!(other_admin_exists().await, expected, "{status:?}");
    }
}

async fn live_sessions_are_those_of_the_user_that_are_live_at_the_instant(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    logged_in(storage, "bob").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let expiring = valid_until(at(10), a_session(alice.id, at(3)));
    let ended = a_session(alice.id, at(4));
    for session in [&idle, &expiring, &ended] {
        opened(storage, &alice, session.clone()).await;
    }
    logged_out(storage, &ended, 5).await;
    let tick = Duration::microseconds(1);
    for (instant, sessions) in [
        (at(10) - tick, &[&live, &idle, &expiring][..]),
        (at(10), &[&live]),
        (live.idle_expires_at - tick, &[&live]),
        (live.idle_expires_at, &[]),
    ] {
        let reads = Reads {
            account: Some(alice.id),
            live_sessions: true,
            ..Reads::default()
        };
        let facts = loaded(storage, reads, instant).await;
        let expected: Vec<_> = sessions
            .iter()
            .map(|session| (session.id, session.created_at))
            .collect();
        assert_eq!(by_age(&facts), expected, "{instant}");
        assert_eq!(facts.account, Some(AccountState::from(&alice)));
    }
}

/// Returns the live sessions with their creation times, those opened first first.
fn by_age(facts: &Facts) -> Vec<(SessionId, DateTime<Utc>)> {
    let sessions = facts.live_sessions.iter();
    sessions.map(|session| (session.id, session.created_at)).collect()
}

async fn live_sessions_are_numbered_as_they_are_opened_whatever_the_clocks_show(storage: &CoreStorage) {
    let (alice, first) = logged_in(storage, "alice").await;
    let mut expected = vec![first.id];
    for second in [86_400, 5, 86_399, 2, 5] {
        logged_in(storage, &format!("other{}", expected.len())).await;
        let session = opened(storage, &alice, a_session(alice.id, at(second))).await;
        expected.push(session.id);
    }
    let reads = Reads {
        account: Some(alice.id),
        live_sessions: true,
        ..Reads::default()
    };
    let facts = loaded(storage, reads, at(10)).await;
    let ids: Vec<_> = facts.live_sessions.iter().map(|session| session.id).collect();
    assert_eq!(ids, expected);
    let numbers: BTreeSet<_> = facts.live_sessions.iter().map(|session| session.number).collect();
    assert_eq!(numbers.len(), expected.len(), "no two sessions share a number");
}

async fn a_session_is_read_with_its_owner(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let ended = opened(storage, &alice, a_session(alice.id, at(2))).await;
    logged_out(storage, &ended, 5).await;
    let expired = opened(storage, &alice, a_session(alice.id, at(-365 * 24 * 3600))).await;
    for session in [live, ended, expired] {
        let owned = OwnedSession {
            user: alice.id,
            lifetime: snapshot(storage, session.id).await.lifetime,
            generation: Generation::FIRST,
            replay_recorded: false,
        };
        let expected = Facts {
            session: Some(owned),
            ..Facts::default()
        };
        assert_eq!(loaded(storage, of_session(session.id), at(10)).await, expected);
    }
    let never_stored = of_session(a_session(alice.id, at(1)).id);
    assert_eq!(loaded(storage, never_stored, at(10)).await, Facts::default());
}

async fn a_caller_is_read_from_their_session(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let (root, ended) = logged_in_as(storage, an_admin("root")).await;
    logged_out(storage, &ended, 5).await;
    let never_stored = a_session(alice.id, at(1));
    for (user, session) in [(&alice, &live), (&root, &ended), (&alice, &never_stored)] {
        let facts = loaded(storage, of_caller(identity(user, session)), at(10)).await;
        let expected = Facts {
            caller: find_snapshot(storage, session.id).await,
            ..Facts::default()
        };
        assert_eq!(except_for_admins(facts), expected);
    }
    // A caller whose command targets their own account and session.
    let reads = Reads {
        live_sessions: true,
        session: Some(live.id),
        caller: Some(identity(&alice, &live)),
        ..of_target(alice.id)
    };
    let facts = loaded(storage, reads, at(10)).await;
    let snapshot = snapshot(storage, live.id).await;
    let expected = Facts {
        account: Some(AccountState::from(&alice)),
        target: Some(Target {
            user: user_of(&snapshot).clone(),
            permissions: allowed("user"),
            privileged_roles: RoleNames::new(),
        }),
        live_sessions: facts.live_sessions.clone(),
        session: Some(OwnedSession {
            user: alice.id,
            lifetime: snapshot.lifetime,
            generation: Generation::FIRST,
            replay_recorded: false,
        }),
        caller: Some(snapshot),
        ..Facts::default()
    };
    assert_eq!(by_age(&facts), [(live.id, live.created_at)]);
    assert_eq!(except_for_admins(facts), expected);
}

async fn roles_that_exist_are_read_and_others_are_not(storage: &CoreStorage) {
    let [admin, user] = built_in();
    for (names, roles) in [
        (&["admin", "user"][..], vec![admin.clone(), user.clone()]),
        (&["user", "unknown"], vec![user.clone()]),
        (&["user-", "adm"], vec![]),
    ] {
        let reads = Reads {
            roles: role_names(names),
            ..Reads::default()
        };
        let expected = Facts {
            roles,
            ..Facts::default()
        };
        assert_eq!(loaded(storage, reads, at(10)).await, expected);
    }
}

async fn facts_that_a_command_does_not_read_are_left_out(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    let expected = Facts {
        account: Some(AccountState::from(&alice)),
        ..Facts::default()
    };
    let reads = Reads {
        account: Some(alice.id),
        ..Reads::default()
    };
    assert_eq!(loaded(storage, reads, at(10)).await, expected);
    assert_eq!(loaded(storage, Reads::default(), at(10)).await, Facts::default());
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
}
