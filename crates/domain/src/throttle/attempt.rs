use super::{BudgetKind, Network};
use crate::{login::CanonicalLogin, session::SessionId, user::UserId};
use std::net::IpAddr;

/// The place of a client that logs in, as far as the account knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Unknown,
    /// A network from which a session of the account was opened lately.
    KnownNetwork(Network),
    /// A device that presents the device token of this session of the account.
    KnownDevice(SessionId),
}

/// An attempt that budgets limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    LogIn {
        /// `None` if the text cannot be a login.
        account: Option<CanonicalLogin>,
        address: Option<IpAddr>,
        place: Place,
    },
    Register {
        address: Option<IpAddr>,
    },
    /// A check of the caller's password in their own session.
    Reauthenticate {
        session: SessionId,
    },
    /// A change that the caller makes to their own account without sending their password.
    ChangeOwnAccount {
        user: UserId,
    },
    /// A refresh token that was used before, whose replay is to be recorded.
    ReplayRefreshToken {
        session: SessionId,
    },
}

/// The key of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BudgetKey {
    Network(Network),
    Failures(Network),
    LocalFailures(Network),
    Service,
    Account(CanonicalLogin),
    KnownNetwork(CanonicalLogin, Network),
    KnownDevice(CanonicalLogin, SessionId),
    KnownPlaces(CanonicalLogin),
    Session(SessionId),
    /// By user and not by session, so that a new login restores nothing.
    Changes(UserId),
    /// Apart from the changes, so that these cannot hide replays.
    Replays(SessionId),
}

/// One budget from which an attempt takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    pub key: BudgetKey,
    /// Whether the budget counts failures only, so that a success returns what the attempt took.
    pub is_refunded: bool,
    /// The network that waits for its turn if the budget has nothing left.
    pub turn: Option<Turn>,
}

/// The network whose turn at an account is reserved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    pub account: CanonicalLogin,
    pub network: Network,
}

impl Place {
    /// Returns whether the account knows the place.
    #[must_use]
    pub fn is_known(self) -> bool {
        self != Self::Unknown
    }
}

impl BudgetKey {
    /// Returns the kind of the budget.
    #[must_use]
    pub fn kind(&self) -> BudgetKind {
        match self {
            Self::Network(network) => BudgetKind::Network(network.width()),
            Self::Failures(network) => BudgetKind::Failures(network.width()),
            Self::LocalFailures(_) => BudgetKind::LocalFailures,
            Self::Service => BudgetKind::Service,
            Self::Account(_) => BudgetKind::Account,
            Self::KnownNetwork(..) | Self::KnownDevice(..) => BudgetKind::KnownPlace,
            Self::KnownPlaces(_) => BudgetKind::KnownPlaces,
            Self::Session(_) => BudgetKind::Session,
            Self::Changes(_) => BudgetKind::Changes,
            Self::Replays(_) => BudgetKind::Replays,
        }
    }
}

impl Attempt {
    /// Returns the budgets from which the attempt takes. An attempt from an unknown place takes
    /// nothing from the budgets of known places, nor the other way round.
    #[must_use]
    pub fn charges(&self) -> Vec<Charge> {
        match self {
            Self::LogIn {
                account,
                address,
                place,
            } => match (account, place) {
                (Some(account), Place::KnownDevice(session)) => vec![
                    Charge::attempt(BudgetKey::KnownPlaces(account.clone())),
                    Charge::attempt(BudgetKey::KnownDevice(account.clone(), *session)),
                ],
                (Some(account), Place::KnownNetwork(network)) => vec![
                    Charge::failure(BudgetKey::LocalFailures(*network)),
                    Charge::attempt(BudgetKey::KnownPlaces(account.clone())),
                    Charge::attempt(BudgetKey::KnownNetwork(account.clone(), *network)),
                ],
                _ => from_unknown_place(account.as_ref(), *address),
            },
            Self::Register { address } => attempts_of(*address).collect(),
            Self::Reauthenticate { session } => vec![Charge::attempt(BudgetKey::Session(*session))],
            Self::ChangeOwnAccount { user } => vec![Charge::attempt(BudgetKey::Changes(*user))],
            Self::ReplayRefreshToken { session } => vec![Charge::attempt(BudgetKey::Replays(*session))],
        }
    }
}

fn from_unknown_place(account: Option<&CanonicalLogin>, address: Option<IpAddr>) -> Vec<Charge> {
    let failures = address.into_iter().flat_map(Network::nested);
    let failures = failures.map(|network| Charge::failure(BudgetKey::Failures(network)));
    let service = Charge::failure(BudgetKey::Service);
    let account = account.map(|account| Charge {
        turn: address.map(|address| Turn {
            account: account.clone(),
            network: Network::site(address),
        }),
        ..Charge::attempt(BudgetKey::Account(account.clone()))
    });
    attempts_of(address)
        .chain(failures)
        .chain([service])
        .chain(account)
        .collect()
}

fn attempts_of(address: Option<IpAddr>) -> impl Iterator<Item = Charge> {
    let networks = address.into_iter().flat_map(Network::nested);
    networks.map(|network| Charge::attempt(BudgetKey::Network(network)))
}

impl Charge {
    fn attempt(key: BudgetKey) -> Self {
        Self {
            key,
            is_refunded: false,
            turn: None,
        }
    }

    fn failure(key: BudgetKey) -> Self {
        Self {
            is_refunded: true,
            ..Self::attempt(key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{SESSION, USER},
        login::Login,
        throttle::BudgetName,
    };

    fn login(text: &str) -> CanonicalLogin {
        Login::parse(text)
            .expect("the login is valid")
            .canonical()
            .clone()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("the address is valid")
    }

    fn log_in(address: Option<IpAddr>, place: Place) -> Attempt {
        Attempt::LogIn {
            account: Some(login("alice")),
            address,
            place,
        }
    }

    /// The kinds of the budgets that an attempt takes from, with a `-` after those that count
    /// failures only and a `+` after those with turns.
    fn charged(attempt: &Attempt) -> Vec<String> {
        let charges = attempt.charges();
        let names = charges.iter().map(|charge| {
            let failures = if charge.is_refunded { "-" } else { "" };
            let turns = if charge.turn.is_some() { "+" } else { "" };
            format!("{}{failures}{turns}", charge.key.kind().as_str())
        });
        names.collect()
    }

    #[test]
    fn an_attempt_takes_from_the_budgets_of_its_place() {
        let (v4, v6) = (Some(address("192.0.2.7")), Some(address("2001:db8::7")));
        let home = Network::site(v4.expect("the address is known"));
        let mistyped = Attempt::LogIn {
            account: None,
            address: v4,
            place: Place::Unknown,
        };
        for (attempt, expected) in [
            (
                log_in(v4, Place::Unknown),
                "client site client_failures- site_failures- service- account+",
            ),
            (
                log_in(v6, Place::Unknown),
                "client site provider client_failures- site_failures- provider_failures- service- account+",
            ),
            (log_in(None, Place::Unknown), "service- account"),
            (mistyped, "client site client_failures- site_failures- service-"),
            (
                log_in(v4, Place::KnownNetwork(home)),
                "local_failures- known_places known_place",
            ),
            (
                log_in(v4, Place::KnownDevice(SESSION)),
                "known_places known_place",
            ),
            (
                log_in(None, Place::KnownDevice(SESSION)),
                "known_places known_place",
            ),
            (Attempt::Register { address: v4 }, "client site"),
            (Attempt::Register { address: v6 }, "client site provider"),
            (Attempt::Register { address: None }, ""),
            (Attempt::Reauthenticate { session: SESSION }, "session"),
            (Attempt::ChangeOwnAccount { user: USER }, "changes"),
            (Attempt::ReplayRefreshToken { session: SESSION }, "replays"),
        ] {
            assert_eq!(charged(&attempt).join(" "), expected, "{attempt:?}");
        }
    }

    #[test]
    fn places_share_no_budget_but_that_of_all_known_places() {
        let (home, site) = (Some(address("192.0.2.7")), Network::site(address("192.0.2.7")));
        let keys = |place| {
            let charges = log_in(home, place).charges();
            let keys = charges.into_iter().map(|charge| charge.key);
            let own = keys.filter(|key| !matches!(key, BudgetKey::KnownPlaces(_)));
            own.collect::<Vec<_>>()
        };
        let places = [
            Place::Unknown,
            Place::KnownNetwork(site),
            Place::KnownDevice(SESSION),
        ];
        for place in places {
            for other in places.into_iter().filter(|other| *other != place) {
                let shared = keys(place).iter().any(|key| keys(other).contains(key));
                assert!(!shared, "{place:?} and {other:?}");
            }
        }
        let session = Attempt::Reauthenticate { session: SESSION }.charges();
        assert!(
            places
                .map(keys)
                .iter()
                .flatten()
                .all(|key| *key != session[0].key)
        );
    }

    #[test]
    fn a_turn_is_of_the_site_at_the_account() {
        let charges = log_in(Some(address("192.0.2.7")), Place::Unknown).charges();
        let turn = charges.into_iter().find_map(|charge| charge.turn);
        let turn = turn.expect("the budget of the account has turns");
        assert_eq!(
            (turn.account, turn.network.to_string()),
            (login("alice"), "192.0.2.0/24".to_owned())
        );
    }

    #[test]
    fn the_name_of_a_budget_does_not_show_whether_the_account_knows_the_place() {
        let home = Network::site(address("192.0.2.7"));
        let names = |place| {
            let charges = log_in(Some(address("192.0.2.7")), place).charges();
            let names = charges.into_iter().map(|charge| charge.key.kind().name());
            names.collect::<Vec<_>>()
        };
        let unknown = names(Place::Unknown);
        for place in [Place::KnownNetwork(home), Place::KnownDevice(SESSION)] {
            assert!(
                names(place).iter().all(|name| unknown.contains(name)),
                "{place:?}"
            );
        }
        assert!(!unknown.contains(&BudgetName::Session));
    }
}
