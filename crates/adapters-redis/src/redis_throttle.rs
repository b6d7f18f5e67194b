use crate::{
    budget::{BudgetRefused, Rate},
    client::RedisClient,
    gcra::{Gcra, RedisBudget, RedisTurn},
};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    login::CanonicalLogin,
    ports::{PortError, Throttle},
    throttle::{Attempt, BudgetKey, BudgetKind, Budgets, Charge, ThrottleDecision, Turn},
};
use std::{collections::HashMap, error::Error};

/// The hash tag of every key. One script takes from all budgets of an attempt, so a Cluster must
/// keep them on one node.
pub(crate) const TAG: &str = "{throttle}";

/// Budgets shared by all replicas, counted by Redis with its clock. They are lost with the data of
/// Redis: after a FLUSHALL every budget is full. Redis expires a key when its budget is full again,
/// so memory is bounded by the number of attempts during the longest refill.
///
/// Key names contain logins only as SHA-256 hashes: reading Redis reveals a login only to a reader
/// who guesses it.
pub struct RedisThrottle {
    client: RedisClient,
    gcra: Gcra,
    prefix: String,
    rates: HashMap<BudgetKind, Rate>,
}

impl RedisThrottle {
    /// Creates a throttle that counts in keys whose names start with `prefix`, which MUST NOT
    /// contain braces.
    ///
    /// # Errors
    /// Returns an error if one of `budgets` cannot be represented.
    pub fn new(client: RedisClient, prefix: &str, budgets: &Budgets) -> Result<Self, BudgetRefused> {
        let rates = BudgetKind::ALL
            .into_iter()
            .map(|kind| Ok((kind, budgets.of(kind).try_into()?)));
        Ok(Self {
            client,
            gcra: Gcra::new(),
            prefix: prefix.to_owned(),
            rates: rates.collect::<Result<_, _>>()?,
        })
    }

    fn budgets<'a>(&self, charges: impl Iterator<Item = &'a Charge>) -> Vec<RedisBudget> {
        let budgets = charges.map(|charge| RedisBudget {
            key: self.key(&name_of_budget(&charge.key)),
            rate: *self
                .rates
                .get(&charge.key.kind())
                .expect("every kind has its rate"),
        });
        budgets.collect()
    }

    fn key(&self, name: &str) -> String {
        format!("{}{TAG}:{name}", self.prefix)
    }
}

#[async_trait]
impl Throttle for RedisThrottle {
    #[tracing::instrument(skip_all)]
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        let charges = attempt.charges();
        let budgets = self.budgets(charges.iter());
        let turn = (1..).zip(&charges).find_map(|(position, charge)| {
            let key = self.key(&name_of_turn(charge.turn.as_ref()?));
            Some(RedisTurn { position, key })
        });
        let taken = self.gcra.take(&self.client, &budgets, turn.as_ref()).await?;
        let Err(refused) = taken else {
            return Ok(ThrottleDecision::Allowed);
        };
        let refusing = (1..)
            .zip(&charges)
            .find(|(position, _)| *position == refused.position);
        let (_, refusing) = refusing.ok_or_else(|| {
            PortError::Corrupt("the script refused an attempt for a budget that it has not".into())
        })?;
        Ok(ThrottleDecision::Refused {
            retry_after: refused.wait,
            budget: refusing.key.kind(),
        })
    }

    #[tracing::instrument(skip_all)]
    async fn succeeded(&self, attempt: &Attempt, _decision: ThrottleDecision) {
        let charges = attempt.charges();
        let budgets = self.budgets(charges.iter().filter(|charge| charge.is_refunded));
        if budgets.is_empty() {
            return;
        }
        if let Err(error) = self.gcra.give_back(&self.client, &budgets).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "Redis did not return the attempt of a successful login to the budgets of failures"
            );
        }
    }
}

/// Returns a unique name for `key`. Different kinds of keys never share a name.
fn name_of_budget(key: &BudgetKey) -> String {
    match key {
        BudgetKey::Network(network) => format!("network:{network}"),
        BudgetKey::Failures(network) => format!("failures:{network}"),
        BudgetKey::LocalFailures(network) => format!("local_failures:{network}"),
        BudgetKey::Service => "service".to_owned(),
        BudgetKey::Account(login) => format!("account:{}", hash_of(login)),
        BudgetKey::KnownNetwork(login, network) => format!("known_network:{}:{network}", hash_of(login)),
        BudgetKey::KnownPlaces(login) => format!("known_places:{}", hash_of(login)),
        BudgetKey::KnownDevice(login, session) => format!("known_device:{}:{session}", hash_of(login)),
        BudgetKey::Session(session) => format!("session:{session}"),
        BudgetKey::Changes(user) => format!("changes:{user}"),
        BudgetKey::Replays(session) => format!("replays:{session}"),
    }
}

fn name_of_turn(turn: &Turn) -> String {
    format!("turn:{}:{}", hash_of(&turn.account), turn.network)
}

fn hash_of(login: &CanonicalLogin) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, login.as_str().as_bytes()))
}
