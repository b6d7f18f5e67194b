use crate::{
    budget::{BudgetRefused, Budgets, Rate},
    client::RedisClient,
    gcra::Gcra,
};
use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ports::{PortError, Throttle},
    throttle::{ClientNetwork, ThrottleDecision, ThrottleKey},
};

/// Budgets shared by all replicas, counted by Redis with its clock. They are lost with the data of
/// Redis: after a FLUSHALL every budget is full.
///
/// Each budget is one key, so that a Cluster distributes them. Key names contain logins only as
/// SHA-256 hashes: reading Redis reveals a login only to a reader who guesses it.
pub struct RedisThrottle {
    client: RedisClient,
    gcra: Gcra,
    prefix: String,
    of_client: Rate,
    of_account: Rate,
    of_all: Option<Rate>,
}

impl RedisThrottle {
    /// Creates a throttle that counts in keys whose names start with `prefix`, which MUST NOT
    /// contain braces.
    ///
    /// # Errors
    /// Returns an error if one of `budgets` cannot be represented.
    pub fn new(client: RedisClient, prefix: &str, budgets: Budgets) -> Result<Self, BudgetRefused> {
        Ok(Self {
            client,
            gcra: Gcra::new(),
            prefix: prefix.to_owned(),
            of_client: budgets.client.try_into()?,
            of_account: budgets.account.try_into()?,
            of_all: budgets.global.map(Rate::try_from).transpose()?,
        })
    }

    async fn take_of(&self, name: &str, rate: Rate) -> Result<ThrottleDecision, PortError> {
        let key = format!("{}throttle:{{{name}}}", self.prefix);
        Ok(self.gcra.take(&self.client, &key, rate).await?)
    }
}

#[async_trait]
impl Throttle for RedisThrottle {
    #[tracing::instrument(skip_all)]
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        let rate = match key {
            ThrottleKey::Client(_) => self.of_client,
            ThrottleKey::Account(_) => self.of_account,
        };
        let own = self.take_of(&name_of(&key), rate).await?;
        match (own, self.of_all) {
            // Check the key's own budget first: a client without budget must not consume the shared
            // one.
            (ThrottleDecision::Allowed, Some(rate)) => self.take_of("all", rate).await,
            (decision, _) => Ok(decision),
        }
    }
}

/// Returns a unique name for `key`. Different kinds of keys never share a name.
fn name_of(key: &ThrottleKey) -> String {
    match key {
        ThrottleKey::Client(ClientNetwork::V4(address)) => format!("client:{address}"),
        ThrottleKey::Client(ClientNetwork::V6([a, b, c, d])) => format!("client:{a:x}:{b:x}:{c:x}:{d:x}::"),
        ThrottleKey::Account(login) => {
            let hash = digest(&SHA256, login.as_str().as_bytes());
            format!("account:{}", URL_SAFE_NO_PAD.encode(hash))
        }
    }
}
