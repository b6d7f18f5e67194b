//! The rotation of signing keys, as a pure state machine.
//!
//! A key is published, then it signs, then it is retired, and then it is removed. The file of a key
//! names its stage, but a replica signs with a key only once every running replica accepts it
//! ([`choose_signer`]), and an operator takes a step only once it makes no live token invalid
//! ([`KeyRotation::check`]).

#[cfg(test)]
mod model;
mod refresh;
mod signer;

pub use refresh::{RefreshKeyRotation, RefreshStep, RotatingRefreshKey};
pub use signer::{choose_refresh_key, choose_signer};

use crate::replica::ReplicaSettings;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeMap;
use thiserror::Error;

/// The stage of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStage {
    /// In the JWKS, to sign later.
    Published,
    Signing,
    /// In the JWKS until the last token that it signed has expired.
    Retired,
}

/// A signing key of the key folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatingKey {
    pub kid: String,
    pub stage: KeyStage,
    /// When its file entered this stage, or was created.
    pub since: DateTime<Utc>,
    /// Until when a replica may have signed with it, if the database knows.
    pub used_until: Option<DateTime<Utc>>,
}

/// What the database knows about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// The id of a signing key, or the fingerprint of a refresh key.
    pub key: String,
    /// Until when a replica may make tokens with it.
    pub used_until: DateTime<Utc>,
    pub revoked: bool,
}

/// The keys of a running replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The id of the key with which the replica signs, or is about to.
    pub signing: String,
    /// Since when each key is in the replica's JWKS; a replica of a version that does not state
    /// this has none.
    pub loaded: BTreeMap<String, DateTime<Utc>>,
    /// The lifetime of the replica's access tokens.
    pub access_ttl: TimeDelta,
}

impl From<&ReplicaSettings> for KeyHolder {
    fn from(settings: &ReplicaSettings) -> Self {
        let loaded = settings.loaded_keys.iter().filter_map(|(kid, since)| {
            let since = DateTime::from_timestamp_millis(*since)?;
            Some((kid.clone(), since))
        });
        Self {
            signing: settings.signing_key.clone(),
            loaded: loaded.collect(),
            access_ttl: TimeDelta::milliseconds(settings.lifetimes.access),
        }
    }
}

/// The times that a rotation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationTerms {
    /// How long other services cache the JWKS.
    pub jwks_lifetime: TimeDelta,
    /// The lifetime of this process's access tokens.
    pub access_ttl: TimeDelta,
    /// The maximum difference between the clocks of two replicas.
    pub clock_skew: TimeDelta,
}

/// A step of a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Creates a published key.
    Publish,
    /// Makes a published key sign, and retires the one that signed.
    Sign {
        kid: String,
        /// Whether to ignore caches of the JWKS, because the signing key leaked.
        urgent: bool,
    },
    /// Retires a published key.
    Retire { kid: String },
    /// Deletes a key that does not sign.
    Remove { kid: String },
}

/// Why a step is not allowed now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StepRefused {
    #[error("there is no key with this id")]
    UnknownKey,
    #[error("the key is retired")]
    Retired,
    #[error("the key signs; rotate first")]
    Signs,
    #[error("it is the newest refresh key; publish another one first")]
    Newest,
    #[error("no running replica has loaded the key; start the service")]
    NoReplica,
    /// The number of running replicas without the key.
    #[error("{0} running replicas have not loaded the key; wait, or copy its file to their key folders")]
    NotLoaded(usize),
    /// The number of running replicas that sign with the key.
    #[error("{0} running replicas sign with the key; wait until they have loaded its successor")]
    InUse(usize),
    /// The time from which the step is allowed.
    #[error("the step is allowed from {}", .0.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))]
    NotBefore(DateTime<Utc>),
}

/// The keys of a folder, and the replicas that run.
#[derive(Clone, Debug)]
pub struct KeyRotation {
    pub keys: Vec<RotatingKey>,
    pub replicas: Vec<KeyHolder>,
    pub terms: RotationTerms,
}

impl KeyRotation {
    /// Checks that `step` makes no live token invalid, and that every replica and every cached JWKS
    /// knows the key of later tokens.
    ///
    /// # Errors
    /// Returns why the step is not allowed now.
    pub fn check(&self, step: &Step, now: DateTime<Utc>) -> Result<(), StepRefused> {
        match step {
            Step::Publish => Ok(()),
            Step::Sign { kid, urgent } => self.check_sign(kid, *urgent, now),
            Step::Retire { kid } => match self.key(kid)?.stage {
                KeyStage::Published => self.check_unused(kid),
                KeyStage::Signing => Err(StepRefused::Signs),
                KeyStage::Retired => Err(StepRefused::Retired),
            },
            Step::Remove { kid } => self.check_remove(kid, now),
        }
    }

    /// Returns the step with which a service that rotates by itself, with a new key `every` so
    /// often, continues now.
    #[must_use]
    pub fn due(&self, every: TimeDelta, now: DateTime<Utc>) -> Option<Step> {
        let in_stage = |stage| self.keys.iter().filter(move |key| key.stage == stage);
        let removals = in_stage(KeyStage::Retired).map(|key| Step::Remove { kid: key.kid.clone() });
        let is_old = in_stage(KeyStage::Signing).any(|key| key.since + every <= now);
        let rotation = is_old.then(|| {
            self.next_to_sign().map_or(Step::Publish, |key| Step::Sign {
                kid: key.kid.clone(),
                urgent: false,
            })
        });
        removals
            .chain(rotation)
            .find(|step| self.check(step, now).is_ok())
    }

    /// Returns the published key that is the next one to sign: that with the oldest file.
    #[must_use]
    pub fn next_to_sign(&self) -> Option<&RotatingKey> {
        let published = self.keys.iter().filter(|key| key.stage == KeyStage::Published);
        published.min_by_key(|key| key.since)
    }

    fn key(&self, kid: &str) -> Result<&RotatingKey, StepRefused> {
        let key = self.keys.iter().find(|key| key.kid == kid);
        key.ok_or(StepRefused::UnknownKey)
    }

    fn check_sign(&self, kid: &str, urgent: bool, now: DateTime<Utc>) -> Result<(), StepRefused> {
        match self.key(kid)?.stage {
            KeyStage::Published => {}
            KeyStage::Signing => return Err(StepRefused::Signs),
            KeyStage::Retired => return Err(StepRefused::Retired),
        }
        let loaded: Vec<_> = self
            .replicas
            .iter()
            .filter_map(|replica| replica.loaded.get(kid))
            .collect();
        let missing = self.replicas.len() - loaded.len();
        if missing > 0 {
            return Err(StepRefused::NotLoaded(missing));
        }
        let last = *loaded.into_iter().max().ok_or(StepRefused::NoReplica)?;
        if urgent {
            return Ok(());
        }
        not_before(last + self.terms.jwks_lifetime + self.terms.clock_skew, now)
    }

    fn check_remove(&self, kid: &str, now: DateTime<Utc>) -> Result<(), StepRefused> {
        let key = self.key(kid)?;
        if key.stage == KeyStage::Signing {
            return Err(StepRefused::Signs);
        }
        self.check_unused(kid)?;
        match self.last_use(key) {
            None => Ok(()),
            Some(last) => not_before(last + self.access_ttl() + self.terms.clock_skew, now),
        }
    }

    fn check_unused(&self, kid: &str) -> Result<(), StepRefused> {
        let users = self
            .replicas
            .iter()
            .filter(|replica| replica.signing == kid)
            .count();
        if users > 0 {
            return Err(StepRefused::InUse(users));
        }
        Ok(())
    }

    /// Returns when a replica may last have signed with `key`; `None` if it never signed. If the
    /// database does not know, a retired key may have signed until it was retired, or until the
    /// replicas that run were started.
    fn last_use(&self, key: &RotatingKey) -> Option<DateTime<Utc>> {
        if key.stage == KeyStage::Published || key.used_until.is_some() {
            return key.used_until;
        }
        let loaded = self
            .replicas
            .iter()
            .filter_map(|replica| replica.loaded.get(&key.kid));
        loaded.copied().chain([key.since]).max()
    }

    /// Returns the longest lifetime of access tokens.
    fn access_ttl(&self) -> TimeDelta {
        let others = self.replicas.iter().map(|replica| replica.access_ttl);
        others.fold(self.terms.access_ttl, TimeDelta::max)
    }
}

fn not_before(allowed: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), StepRefused> {
    if now < allowed {
        return Err(StepRefused::NotBefore(allowed));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
