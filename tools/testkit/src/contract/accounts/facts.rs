//! Storage loads what a command reads, all of it and exactly as it is.

use super::probe::loaded;
use crate::{
    CoreStorage,
    contract::support::{
        Everything, allowed, applied, idle_until, logged_in, logged_in_as, logged_out, opened, registered,
        set_status, snapshot, user_now, valid_until,
    },
    fixtures::{a_session, a_user, an_admin, at, canonical, context, identity, role_names},
};
use chrono::Duration;
use domain::{
    authority::Target,
    changes::{AccountState, Facts, OwnedSession, Reads},
    role::{Permissions, built_in},
    user::{NewUser, UserStatus},
};

cases! { accounts::facts(CoreStorage):
    a_login_is_found_taken_in_every_spelling,
    an_account_is_read_with_its_state_and_permissions,
    another_admin_exists_only_if_it_is_active,
    live_sessions_are_those_of_the_user_that_are_live_at_the_instant,
    a_session_is_read_with_its_owner,
    a_caller_is_read_from_their_session,
    roles_that_exist_are_read_and_others_are_not,
    facts_that_a_command_does_not_read_are_left_out,
}

async fn a_login_is_found_taken_in_every_spelling(storage: &CoreStorage) {
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
    let (root, _) = logged_in_as(storage, an_admin("root")).await;
    let (alice, _) = logged_in(storage, "alice").await;
    let disable = set_status(alice.id, UserStatus::Disabled);
    applied(storage, disable, context(at(5))).await;
    let without = NewUser {
        roles: role_names(&[]),
        ..a_user("without")
    };
    let without = registered(storage, without).await;
    for (user, permissions) in [
        (root, allowed("admin")),
        (alice, allowed("user")),
        (without, Permissions::new()),
    ] {
        let user = user_now(storage, &user).await;
        let account = Some(AccountState {
            status: user.status,
            epoch: user.epoch,
        });
        let reads = Reads {
            account: Some(user.id),
            target: true,
            ..Reads::default()
        };
        let target = Some(Target { user, permissions });
        let expected = Facts {
            account,
            target,
            ..Facts::default()
        };
        let facts = Facts {
            other_admin_exists: false,
            ..loaded(storage, reads, at(10)).await
        };
        assert_eq!(facts, expected);
    }
    let reads = Reads {
        account: Some(a_user("unknown").id),
        target: true,
        may_remove_admin: true,
        live_sessions: true,
        ..Reads::default()
    };
    let facts = loaded(storage, reads, at(10)).await;
    assert_eq!((facts.account, facts.target), (None, None));
    assert_eq!(facts.live_sessions, []);
}

async fn another_admin_exists_only_if_it_is_active(storage: &CoreStorage) {
    let root = registered(storage, an_admin("root")).await;
    registered(storage, a_user("alice")).await;
    let other_admin_exists = async || {
        let reads = Reads {
            account: Some(root.id),
            target: true,
            may_remove_admin: true,
            ..Reads::default()
        };
        loaded(storage, reads, at(10)).await.other_admin_exists
    };
    assert!(!other_admin_exists().await, "the target is the only one");
    let other = registered(storage, an_admin("other")).await;
    assert!(other_admin_exists().await);
    for (status, expected) in [(UserStatus::Disabled, false), (UserStatus::Active, true)] {
        applied(storage, set_status(other.id, status), context(at(5))).await;
        assert_eq!(other_admin_exists().await, expected, "{status:?}");
    }
}

async fn live_sessions_are_those_of_the_user_that_are_live_at_the_instant(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    logged_in(storage, "bob").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    let whole = valid_until(at(10), a_session(alice.id, at(3)));
    let over = a_session(alice.id, at(4));
    for session in [&idle, &whole, &over] {
        opened(storage, &alice, session.clone()).await;
    }
    logged_out(storage, &over, 5).await;
    let tick = Duration::microseconds(1);
    for (instant, sessions) in [
        (at(10) - tick, &[&live, &idle, &whole][..]),
        (at(10), &[&live]),
        (live.idle_expires_at - tick, &[&live]),
        (live.idle_expires_at, &[]),
    ] {
        let reads = Reads {
            account: Some(alice.id),
            live_sessions: true,
            ..Reads::default()
        };
        let mut expected: Vec<_> = sessions
            .iter()
            .map(|session| (session.id, session.created_at))
            .collect();
        expected.sort_unstable();
        let facts = loaded(storage, reads, instant).await;
        assert_eq!(facts.live_sessions, expected, "{instant}");
        assert_eq!(facts.account, Some(AccountState::from(&alice)));
    }
}

async fn a_session_is_read_with_its_owner(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let over = opened(storage, &alice, a_session(alice.id, at(2))).await;
    logged_out(storage, &over, 5).await;
    let expired = opened(storage, &alice, a_session(alice.id, at(-365 * 24 * 3600))).await;
    for session in [live, over, expired] {
        let lifetime = snapshot(storage, session.id).await.lifetime;
        let reads = Reads {
            session: Some(session.id),
            ..Reads::default()
        };
        let expected = Facts {
            session: Some(OwnedSession {
                user: alice.id,
                lifetime,
            }),
            ..Facts::default()
        };
        assert_eq!(loaded(storage, reads, at(10)).await, expected);
    }
    let reads = Reads {
        session: Some(a_session(alice.id, at(1)).id),
        ..Reads::default()
    };
    assert_eq!(loaded(storage, reads, at(10)).await, Facts::default());
}

async fn a_caller_is_read_from_their_session(storage: &CoreStorage) {
    let (alice, live) = logged_in(storage, "alice").await;
    let (root, over) = logged_in_as(storage, an_admin("root")).await;
    logged_out(storage, &over, 5).await;
    for (user, session) in [(&alice, &live), (&root, &over)] {
        let reads = Reads {
            caller: Some(identity(user, session)),
            ..Reads::default()
        };
        let expected = Facts {
            caller: Some(snapshot(storage, session.id).await),
            ..Facts::default()
        };
        let facts = Facts {
            other_admin_exists: false,
            ..loaded(storage, reads, at(10)).await
        };
        assert_eq!(facts, expected);
    }
    let without_session = Reads {
        caller: Some(identity(&alice, &a_session(alice.id, at(1)))),
        ..Reads::default()
    };
    assert_eq!(loaded(storage, without_session, at(10)).await.caller, None);
    // The account, the session and the caller are one.
    let reads = Reads {
        account: Some(alice.id),
        target: true,
        live_sessions: true,
        session: Some(live.id),
        caller: Some(identity(&alice, &live)),
        ..Reads::default()
    };
    let facts = loaded(storage, reads, at(10)).await;
    let snapshot = snapshot(storage, live.id).await;
    assert_eq!(
        facts.target.map(|target| target.user).as_ref(),
        Some(&snapshot.user)
    );
    assert_eq!(facts.live_sessions, [(live.id, live.created_at)]);
    assert_eq!(
        facts.session.map(|session| session.lifetime),
        Some(snapshot.lifetime)
    );
    assert_eq!(facts.caller, Some(snapshot));
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
