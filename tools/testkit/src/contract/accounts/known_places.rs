//! Cases of [`Accounts::find_for_login`](domain::ports::Accounts::find_for_login).

use crate::contract::prelude::*;
use domain::{
    ports::{LoginFacts, PlaceQuery},
    session::NewSession,
    throttle::Network,
};
use std::net::IpAddr;

cases! { accounts::known_places(CoreStorage):
    the_user_and_the_hash_are_those_of_the_login,
    an_unknown_login_has_no_facts_wherever_it_sorts,
    a_network_is_known_from_a_login_until_its_time_has_passed,
    a_device_is_known_to_the_account_of_its_session_only,
    a_place_stays_known_only_after_harmless_ends,
    ending_all_sessions_forgets_the_places_of_those_that_ended_before,
    an_end_of_all_sessions_that_finds_none_forgets_no_places,
}

const HOME: &str = "203.0.113.7";
const NEIGHBOUR: &str = "203.0.113.200";
const IPV6_HOME: &str = "2001:db8:1:2345::7";
const IPV6_NEIGHBOUR: &str = "2001:db8:1:23ff:1::9";

fn address(text: &str) -> IpAddr {
    text.parse().expect("the address is valid")
}

fn in_network(text: &str, since: DateTime<Utc>) -> PlaceQuery {
    PlaceQuery {
        network: Some(Network::site(address(text))),
        device: None,
        since,
    }
}

fn on_device(session: SessionId) -> PlaceQuery {
    PlaceQuery {
        network: None,
        device: Some(session),
        since: at(0),
    }
}

async fn facts(storage: &CoreStorage, login: &str, places: PlaceQuery) -> Option<LoginFacts> {
    let found = storage.accounts.find_for_login(&canonical(login), places).await;
    found.expect("storage is available")
}

/// Returns whether the network and the device of `places` are known to `login`.
async fn known(storage: &CoreStorage, login: &str, places: PlaceQuery) -> (bool, bool) {
    let facts = facts(storage, login, places).await.expect("the user was stored");
    (facts.is_network_known, facts.is_device_known)
}

/// Opens a session of `user` from `from` at second 10.
async fn opened_from(storage: &CoreStorage, user: &User, from: Option<&str>) -> NewSession {
    let session = NewSession {
        address: from.map(address),
        ..a_session(user.id, at(10))
    };
    opened(storage, user, session).await
}

async fn the_user_and_the_hash_are_those_of_the_login(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let found = facts(storage, "alice", in_network(HOME, at(0))).await;
    let expected = credentials(storage, &alice).await;
    assert_eq!(found.map(|facts| facts.credentials), Some(expected));
    assert!(facts(storage, "bob", in_network(HOME, at(0))).await.is_none());
}

async fn an_unknown_login_has_no_facts_wherever_it_sorts(storage: &CoreStorage) {
    assert!(facts(storage, "alice", in_network(HOME, at(0))).await.is_none());
    let (bob, _) = logged_in(storage, "bob").await;
    let (dave, _) = logged_in(storage, "dave").await;
    for user in [&bob, &dave] {
        opened_from(storage, user, Some(HOME)).await;
    }
    for unknown in ["alice", "bobby", "carol", "dav", "erin"] {
        let found = facts(storage, unknown, in_network(HOME, at(0))).await;
        assert!(found.is_none(), "{unknown}: {found:?}");
    }
    for user in [bob, dave] {
        let found = facts(storage, user.login.canonical().as_str(), in_network(HOME, at(0))).await;
        assert_eq!(found.map(|facts| facts.credentials.user.id), Some(user.id));
    }
}

async fn a_network_is_known_from_a_login_until_its_time_has_passed(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let (bob, _) = logged_in(storage, "bob").await;
    assert_eq!(
        known(storage, "alice", in_network(HOME, at(0))).await,
        (false, false)
    );

    opened_from(storage, &alice, Some(HOME)).await;
    opened_from(storage, &alice, Some(IPV6_HOME)).await;
    opened_from(storage, &bob, None).await;

    for (login, network, since, expected) in [
        ("alice", HOME, at(9), true),
        ("alice", NEIGHBOUR, at(9), true),
        ("alice", HOME, at(10), false),
        ("alice", "203.0.114.7", at(9), false),
        ("alice", IPV6_HOME, at(9), true),
        ("alice", IPV6_NEIGHBOUR, at(9), true),
        ("alice", "2001:db8:1:2445::7", at(9), false),
        ("bob", HOME, at(9), false),
    ] {
        let (is_known, _) = known(storage, login, in_network(network, since)).await;
        assert_eq!(is_known, expected, "{login} in {network} since {since}");
    }
    let nowhere = PlaceQuery {
        network: None,
        device: None,
        since: at(0),
    };
    assert_eq!(known(storage, "bob", nowhere).await, (false, false));
}

async fn a_device_is_known_to_the_account_of_its_session_only(storage: &CoreStorage) {
    let (_, of_alice) = logged_in(storage, "alice").await;
    logged_in(storage, "bob").await;
    assert_eq!(
        known(storage, "alice", on_device(of_alice.id)).await,
        (false, true)
    );
    assert_eq!(
        known(storage, "bob", on_device(of_alice.id)).await,
        (false, false)
    );
}

async fn a_place_stays_known_only_after_harmless_ends(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    for (subnet, (reason, stays_known)) in (0..).zip([
        (EndReason::LoggedOut, true),
        (EndReason::RolesChanged, true),
        (EndReason::MadeRoom, true),
        (EndReason::RefreshTokenReused, false),
        (EndReason::PasswordChanged, false),
        (EndReason::PasswordReset, false),
        (EndReason::UserDisabled, false),
        (EndReason::SessionsRevoked, false),
    ]) {
        let home = format!("198.18.{subnet}.1");
        let session = opened_from(storage, &alice, Some(&home)).await;
        let end = EndSession {
            reason,
            ..end_of(&session)
        };
        applied(storage, Arc::new(end), context(at(11))).await;
        let query = PlaceQuery {
            device: Some(session.id),
            ..in_network(&home, at(9))
        };
        let expected = (stays_known, stays_known);
        assert_eq!(known(storage, "alice", query).await, expected, "{reason:?}");
    }
}

async fn ending_all_sessions_forgets_the_places_of_those_that_ended_before(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let session = opened_from(storage, &alice, Some(HOME)).await;
    logged_out(storage, &session, 11).await;
    let query = PlaceQuery {
        device: Some(session.id),
        ..in_network(HOME, at(0))
    };
    assert_eq!(known(storage, "alice", query).await, (true, true));

    let everywhere = EndSessions {
        user: alice.id,
        reason: EndReason::SessionsRevoked,
    };
    applied(storage, Arc::new(everywhere), context(at(12))).await;
    assert_eq!(known(storage, "alice", query).await, (false, false));

    let later = NewSession {
        address: Some(address(HOME)),
        ..a_session(alice.id, at(12))
    };
    let later = opened(storage, &alice, later).await;
    let query = PlaceQuery {
        device: Some(later.id),
        ..query
    };
    assert_eq!(known(storage, "alice", query).await, (true, true));
}

/// A concurrent request ended the only session.
async fn an_end_of_all_sessions_that_finds_none_forgets_no_places(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    logged_out(storage, &session, 11).await;
    let everywhere = EndSessions {
        user: alice.id,
        reason: EndReason::SessionsRevoked,
    };
    let events = storage.recorded.recorded().await;
    let executed = applied(storage, Arc::new(everywhere), context(at(12))).await;
    assert_eq!(executed.sessions_ended, 0);
    assert_eq!(storage.recorded.recorded().await, events);
    let device = on_device(session.id);
    assert_eq!(known(storage, "alice", device).await, (false, true));
}
