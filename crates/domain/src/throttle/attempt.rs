use super::{BudgetKind, Network};
use crate::{login::CanonicalLogin, session::SessionId};
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
    Session(SessionId),
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
            Self::Session(_) => BudgetKind::Session,
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
                (Some(account), Place::KnownDevice(session)) => {
                    vec![Charge::attempt(BudgetKey::KnownDevice(account.clone(), *session))]
                }
                (Some(account), Place::KnownNetwork(network)) => vec![
                    Charge::failure(BudgetKey::LocalFailures(*network)),
                    Charge::attempt(BudgetKey::KnownNetwork(account.clone(), *network)),
                ],
                _ => from_unknown_place(account.as_ref(), *address),
            },
            Self::Register { address } => attempts_of(*address).collect(),
            Self::Reauthenticate { session } => vec![Charge::attempt(BudgetKey::Session(*session))],
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
