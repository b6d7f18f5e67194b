//! Settings of tokens and sessions.

use super::format;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Claims and lifetimes of tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensSettings {
    /// The claim `iss`. If empty, the server's own URL is used.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// The claim `client_id`.
    pub client_id: String,
    #[serde(with = "format::span")]
    pub access_ttl: Duration,
    /// A session ends if it is not refreshed for this long.
    #[serde(with = "format::span")]
    pub refresh_idle_ttl: Duration,
    /// A session ends this long after its login.
    #[serde(with = "format::span")]
    pub refresh_ttl: Duration,
    /// How long a used refresh token still returns its successor; zero disables this.
    #[serde(with = "format::span")]
    pub refresh_grace: Duration,
    /// How long a check of the password suffices for changes that require a recent one.
    #[serde(with = "format::span")]
    pub step_up_max_age: Duration,
    pub max_sessions_per_user: u32,
    /// Whether access tokens contain the permissions of their roles.
    pub permissions: bool,
    /// Whether this replica starts although it and a running one reject each other's tokens.
    pub allow_mixed_replicas: bool,
    /// Maximum number of verified access tokens kept in the signature cache; 0 disables it.
    pub signature_cache: usize,
}

impl Default for TokensSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: "authapi".to_owned(),
            client_id: "authapi".to_owned(),
            access_ttl: Duration::from_secs(15 * MINUTE),
            refresh_idle_ttl: Duration::from_secs(30 * DAY),
            refresh_ttl: Duration::from_secs(90 * DAY),
            refresh_grace: Duration::from_secs(10),
            step_up_max_age: Duration::from_secs(15 * MINUTE),
            max_sessions_per_user: 100,
            permissions: false,
            allow_mixed_replicas: false,
            signature_cache: 100_000,
        }
    }
}
