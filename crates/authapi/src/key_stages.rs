//! The steps of a key rotation: what is allowed, and how it is done.

use crate::{
    Failure, key_folder,
    settings::{KeysSettings, Settings},
    storage::DatabasePorts,
    wiring::delta,
};
use adapters_crypto::keys::{KeyEntry, KeyState, RefreshKeyEntry, list, list_refresh_keys};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    key_rotation::{
        KeyHolder, KeyRotation, KeyStage, KeyUse, RefreshKeyRotation, RotatingKey, RotatingRefreshKey,
        RotationTerms,
    },
    ports::{KeyUses, Replicas},
};
use std::sync::Arc;
use uuid::Uuid;

/// What decides on the steps of a rotation.
pub struct KeyStages {
    settings: KeysSettings,
    terms: RotationTerms,
    /// How long a session lives without a refresh.
    idle_ttl: TimeDelta,
    replicas: Arc<dyn Replicas>,
    uses: Arc<dyn KeyUses>,
}

/// The keys of the folder, and the decisions on them.
pub struct Stages {
    pub keys: Vec<KeyEntry>,
    pub signing: KeyRotation,
    pub refresh: RefreshKeyRotation,
}

impl KeyStages {
    pub fn new(settings: &Settings, database: &DatabasePorts) -> Self {
        Self::of(
            settings,
            Arc::clone(&database.replicas),
            Arc::clone(&database.key_uses),
        )
    }

    pub fn of(settings: &Settings, replicas: Arc<dyn Replicas>, uses: Arc<dyn KeyUses>) -> Self {
        Self {
            terms: RotationTerms {
                jwks_lifetime: delta(settings.keys.jwks_max_age),
                access_ttl: delta(settings.tokens.access_ttl),
                clock_skew: delta(settings.database.max_clock_skew),
            },
            idle_ttl: delta(settings.tokens.refresh_idle_ttl),
            settings: settings.keys.clone(),
            replicas,
            uses,
        }
    }

    /// Reads the folder, which the caller SHOULD have locked, and the database.
    pub async fn read(&self) -> Result<Stages, Failure> {
        let unlisted = |error| Failure::because("the keys cannot be listed", error);
        let keys = list(&self.settings.dir, key_folder::rules(&self.settings)).map_err(unlisted)?;
        let refresh_keys = list_refresh_keys(&self.settings.dir).map_err(unlisted)?;
        let unread = |error| Failure::because("the replicas cannot be read", error);
        let uses = self.uses.list().await.map_err(unread)?;
        let replicas = self.replicas.others(Uuid::nil()).await.map_err(unread)?;
        Ok(Stages {
            signing: KeyRotation {
                keys: keys.iter().map(|key| rotating(key, &uses)).collect(),
                replicas: replicas.iter().map(KeyHolder::from).collect(),
                terms: self.terms,
            },
            refresh: RefreshKeyRotation {
                keys: refresh_keys
                    .iter()
                    .map(|key| rotating_refresh(key, &uses))
                    .collect(),
                replicas,
                idle_ttl: self.idle_ttl,
                clock_skew: self.terms.clock_skew,
            },
            keys,
        })
    }
}

fn rotating(key: &KeyEntry, uses: &[KeyUse]) -> RotatingKey {
    RotatingKey {
        kid: key.kid.clone(),
        stage: match key.state {
            KeyState::Published => KeyStage::Published,
            KeyState::Signing => KeyStage::Signing,
            KeyState::Retired => KeyStage::Retired,
        },
        since: key.since,
        used_until: used_until(&key.kid, uses),
    }
}

fn rotating_refresh(key: &RefreshKeyEntry, uses: &[KeyUse]) -> RotatingRefreshKey {
    RotatingRefreshKey {
        fingerprint: key.fingerprint.clone(),
        since: key.since,
        used_until: used_until(&key.fingerprint, uses),
    }
}

fn used_until(key: &str, uses: &[KeyUse]) -> Option<DateTime<Utc>> {
    let found = uses.iter().find(|used| used.key == key);
    found.map(|used| used.used_until)
}
