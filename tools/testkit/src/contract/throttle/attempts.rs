//! Attempts of the cases.

use crate::fixtures::canonical;
use domain::{
    session::SessionId,
    throttle::{Attempt, Network, Place},
    user::UserId,
};
use std::net::IpAddr;
use uuid::Uuid;

fn parse(address: &str) -> IpAddr {
    address.parse().expect("the address is valid")
}

/// An address in a /24 of its own.
pub fn address(number: u8) -> String {
    format!("203.0.{number}.1")
}

pub fn register(address: &str) -> Attempt {
    Attempt::Register {
        address: Some(parse(address)),
    }
}

/// A login from an unknown place.
pub fn log_in(login: &str, address: &str) -> Attempt {
    Attempt::LogIn {
        account: Some(canonical(login)),
        address: Some(parse(address)),
        place: Place::Unknown,
    }
}

/// A login from an unknown place, to an account that only this address and number have.
pub fn from(address: &str, number: u8) -> Attempt {
    log_in(&format!("{number}@{address}"), address)
}

/// A login from an unknown place in a /24 of its own.
pub fn at_account(login: &str, number: u8) -> Attempt {
    log_in(login, &address(number))
}

/// A login from a known network.
pub fn at_home(login: &str, number: u8) -> Attempt {
    let address = parse(&address(number));
    Attempt::LogIn {
        account: Some(canonical(login)),
        address: Some(address),
        place: Place::KnownNetwork(Network::site(address)),
    }
}

/// A login from a known device in an unknown network.
pub fn at_device(login: &str, number: u128) -> Attempt {
    Attempt::LogIn {
        account: Some(canonical(login)),
        address: Some(parse("192.0.2.1")),
        place: Place::KnownDevice(SessionId(Uuid::from_u128(number))),
    }
}

pub fn in_session(number: u128) -> Attempt {
    Attempt::Reauthenticate {
        session: SessionId(Uuid::from_u128(number)),
    }
}

pub fn change_of(number: u128) -> Attempt {
    Attempt::ChangeOwnAccount {
        user: UserId(Uuid::from_u128(number)),
    }
}

pub fn replay_in(number: u128) -> Attempt {
    Attempt::ReplayRefreshToken {
        session: SessionId(Uuid::from_u128(number)),
    }
}
