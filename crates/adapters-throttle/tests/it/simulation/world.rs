use crate::{Timed, canonical};
use adapters_throttle::MonotonicClock;
use domain::{
    login::CanonicalLogin,
    ports::Throttle,
    session::SessionId,
    throttle::{Attempt, Budgets, Network, Place, ThrottleDecision},
};
use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};
use uuid::Uuid;

const HOUR: Duration = Duration::from_hours(1);

/// The service as clients see it: the throttle, and the places that each account knows.
pub struct World {
    timed: Timed,
    accounts: Vec<Account>,
}

struct Account {
    login: CanonicalLogin,
    known_networks: HashSet<Network>,
    known_device: SessionId,
    /// Attempts from unknown places that reached a hash in the last hour, and the most of any hour.
    last_hour: VecDeque<Duration>,
    most_in_an_hour: usize,
}

/// A client that tries to log in.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    pub account: usize,
    pub address: IpAddr,
    pub has_device: bool,
    pub is_owner: bool,
}

/// An address of a /24, or of a /56 in a /48 of its own, that an attacker has and no owner.
pub fn attacker(network: u32, host: u32, is_ipv6: bool) -> IpAddr {
    if is_ipv6 {
        let prefix = (u128::from(network) << 80) | (u128::from(host) << 64);
        Ipv6Addr::from((0x2001_0db8 << 96) | prefix).into()
    } else {
        Ipv4Addr::from(0x0a00_0000 | (network << 8) | host).into()
    }
}

/// An address in the home network of an account.
pub fn home(account: usize) -> IpAddr {
    of_owner(0x6400_0000, account)
}

/// An address in a network in which an account was never seen.
pub fn abroad(account: usize, number: usize) -> IpAddr {
    of_owner(0xc000_0000, account * 64 + number)
}

fn of_owner(first: u32, network: usize) -> IpAddr {
    let network = u32::try_from(network).expect("the number is small");
    Ipv4Addr::from(first + (network << 8) + 1).into()
}

impl World {
    /// Creates a service whose accounts know a home network and a device each.
    pub fn new(accounts: usize) -> Self {
        let account = |number: usize| Account {
            login: canonical(&format!("user{number}")),
            known_networks: HashSet::from([Network::site(home(number))]),
            known_device: SessionId(Uuid::from_u128(number as u128 + 1)),
            last_hour: VecDeque::new(),
            most_in_an_hour: 0,
        };
        Self {
            timed: Timed::new(&Budgets::DEFAULT),
            accounts: (0..accounts).map(account).collect(),
        }
    }

    pub fn now(&self) -> Duration {
        self.timed.clock.now()
    }

    pub fn advance_to(&self, time: Duration) {
        self.timed.clock.advance_to(time);
    }

    /// Makes an attempt, which succeeds if the owner makes it and the throttle allows it. The place
    /// of a successful login is known from then on.
    pub async fn log_in(&mut self, client: Client) -> ThrottleDecision {
        let now = self.now();
        let site = Network::site(client.address);
        let account = self.accounts.get_mut(client.account).expect("the account exists");
        let place = if client.has_device {
            Place::KnownDevice(account.known_device)
        } else if account.known_networks.contains(&site) {
            Place::KnownNetwork(site)
        } else {
            Place::Unknown
        };
        let attempt = Attempt::LogIn {
            account: Some(account.login.clone()),
            address: Some(client.address),
            place,
        };
        let decision = self.timed.take(&attempt).await;
        if decision == ThrottleDecision::Allowed {
            if !place.is_known() {
                account.count(now);
            }
            if client.is_owner {
                account.known_networks.insert(site);
                self.timed.throttle.succeeded(&attempt, decision).await;
            }
        }
        decision
    }

    /// Returns the most attempts from unknown places that reached a hash in any hour, of any
    /// account.
    pub fn most_in_an_hour(&self) -> usize {
        let all = self.accounts.iter().map(|account| account.most_in_an_hour);
        all.max().unwrap_or_default()
    }
}

impl Account {
    fn count(&mut self, now: Duration) {
        self.last_hour.push_back(now);
        while self.last_hour.front().is_some_and(|at| *at + HOUR < now) {
            self.last_hour.pop_front();
        }
        self.most_in_an_hour = self.most_in_an_hour.max(self.last_hour.len());
    }
}
