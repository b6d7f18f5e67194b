use super::RecogniseDevice;
use crate::{
    audit::Origin,
    device_token::DeviceToken,
    login::Login,
    ports::{
        Accounts, Clock, HashClient, HashTicket, LoginFacts, PasswordHasher, PlaceQuery, PortError, Throttle,
    },
    session::SessionId,
    throttle::{Attempt, BudgetName, Network, Place, ThrottleDecision},
    user::Credentials,
};
use chrono::Duration as TimeDelta;
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// How long a network stays known after a login from it.
const NETWORK_KNOWN_FOR: TimeDelta = TimeDelta::days(30);

/// Admits login attempts to the hash queue, if their budgets permit. A step of logging in.
pub struct AdmitLogin {
    pub(crate) throttle: Arc<dyn Throttle>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) recognise_device: Arc<RecogniseDevice>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// A login attempt whose password may be verified.
pub struct AdmittedLogin {
    /// Holds the place in the hash queue.
    pub ticket: HashTicket,
    /// The attempt as it was taken from its budgets.
    pub attempt: Attempt,
    /// The decision that allowed the attempt.
    pub decision: ThrottleDecision,
    /// The user and their hash; `None` if the login is unknown.
    pub credentials: Option<Credentials>,
}

/// Why an attempt was not admitted.
#[derive(Debug, Error)]
pub enum AdmitLoginError {
    #[error("too many attempts")]
    TooManyAttempts {
        retry_after: Duration,
        budget: BudgetName,
    },
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AdmitLogin {
    /// Reserves a place in the hash queue, reads the user, settles the place, and takes the attempt
    /// from its budgets, in this order: a full queue then causes no read and costs no attempt, and
    /// the user's known places decide which budgets are charged. `login` is `None` if the text
    /// cannot be a login.
    ///
    /// # Errors
    /// Returns an [`AdmitLoginError`]. It is not recorded in the audit log.
    pub async fn execute(
        &self,
        login: Option<&Login>,
        device: Option<&DeviceToken>,
        origin: &Origin,
    ) -> Result<AdmittedLogin, AdmitLoginError> {
        let device = login.zip(device);
        let device =
            device.and_then(|(login, token)| self.recognise_device.execute(login.canonical(), token));
        let client = HashClient::of(origin, device.is_some());
        let mut ticket = HashTicket::new(client);
        self.hasher.reserve(&mut ticket)?;
        let facts = self.find(login, client.network, device).await?;
        let places = places(facts.as_ref(), client.network, device);
        ticket.set_known(places.iter().all(|place| place.is_known()));
        self.hasher.settle(&mut ticket)?;
        let (attempt, decision) = self.take(login, &places, origin).await?;
        Ok(AdmittedLogin {
            ticket,
            attempt,
            decision,
            credentials: facts.map(|facts| facts.credentials),
        })
    }

    async fn find(
        &self,
        login: Option<&Login>,
        network: Option<Network>,
        device: Option<SessionId>,
    ) -> Result<Option<LoginFacts>, PortError> {
        let Some(login) = login else {
            return Ok(None);
        };
        let places = PlaceQuery {
            network,
            device,
            since: self.clock.now() - NETWORK_KNOWN_FOR,
        };
        self.accounts.find_for_login(login.canonical(), places).await
    }

    /// Takes the attempt from the budgets of the first of `places` that has one left: another
    /// client may have used up those of a copied device token.
    async fn take(
        &self,
        login: Option<&Login>,
        places: &[Place],
        origin: &Origin,
    ) -> Result<(Attempt, ThrottleDecision), AdmitLoginError> {
        let mut refusals = Vec::new();
        for place in places {
            let attempt = Attempt::LogIn {
                account: login.map(|login| login.canonical().clone()),
                address: origin.address,
                place: *place,
            };
            match self.throttle.take(&attempt).await? {
                ThrottleDecision::Refused { retry_after, budget } => {
                    refusals.push((retry_after, budget.name()));
                }
                allowed @ (ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback) => {
                    return Ok((attempt, allowed));
                }
            }
        }
        let soonest = refusals.into_iter().min_by_key(|(retry_after, _)| *retry_after);
        let (retry_after, budget) = soonest.expect("there is at least one place");
        Err(AdmitLoginError::TooManyAttempts { retry_after, budget })
    }
}

/// Returns the places from which the account knows the client, or the unknown place. A device comes
/// before a network, since others may share the network.
fn places(facts: Option<&LoginFacts>, network: Option<Network>, device: Option<SessionId>) -> Vec<Place> {
    let device = device.filter(|_| facts.is_some_and(|facts| facts.is_device_known));
    let network = network.filter(|_| facts.is_some_and(|facts| facts.is_network_known));
    let known: Vec<_> = device
        .map(Place::KnownDevice)
        .into_iter()
        .chain(network.map(Place::KnownNetwork))
        .collect();
    if known.is_empty() {
        vec![Place::Unknown]
    } else {
        known
    }
}
