//! The environment of a measured service: its folder, keys, servers and settings.

use crate::mode::Mode;
use adapters_crypto::keys::{
    Algorithm, generate_audit_key, generate_first_signing_key, generate_refresh_key,
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;
use testservers::{Own, Postgres, Redis};

/// Maximum number of connections from a replica to Postgres, the default of the setting. The limit
/// is measured with as many.
pub const POOL_SIZE: usize = 16;
/// The claim `iss` of access tokens.
pub const ISSUER: &str = "http://bench.test";

/// The settings that differ from Postgres' defaults: larger buffers, and room to read back a whole
/// statement. `fsync` and `synchronous_commit` stay on.
const POSTGRES_SETTINGS: [&str; 2] = ["shared_buffers=512MB", "track_activity_query_size=16kB"];

/// The folder and servers of a service, removed and stopped when the value is dropped.
pub struct Place {
    folder: TempDir,
    postgres: Option<Own<Postgres>>,
    redis: Option<Own<Redis>>,
}

impl Place {
    /// Creates a folder with keys and starts the servers of `mode`.
    pub fn new(mode: Mode) -> Result<Self> {
        let place = Self {
            folder: tempfile::Builder::new().prefix("authapi-bench-").tempdir()?,
            postgres: mode
                .has_postgres()
                .then(|| Postgres::start_own_with(&POSTGRES_SETTINGS)),
            redis: mode.has_redis().then(Redis::start_own),
        };
        generate_first_signing_key(&place.keys(), Algorithm::Es256)?;
        generate_refresh_key(&place.keys())?;
        generate_audit_key(&place.keys())?;
        Ok(place)
    }

    /// Returns the folder, which also contains the input files and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the folder of the keys.
    pub fn keys(&self) -> PathBuf {
        self.folder().join("keys")
    }

    /// Returns the path of the database, if the mode is SQLite.
    pub fn sqlite_file(&self) -> PathBuf {
        self.folder().join("authapi.db")
    }

    /// Returns the Postgres server, if the mode has one.
    pub fn postgres(&self) -> Option<&Own<Postgres>> {
        self.postgres.as_ref()
    }

    /// Runs `statements` in psql and returns its output.
    pub fn psql(&self, statements: &str) -> Result<String> {
        let postgres = self.postgres.as_ref().context("this mode has no Postgres")?;
        let output = Command::new(postgres.program("psql"))
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"])
            .args(["--set=ON_ERROR_STOP=1", "--command", statements, postgres.url()])
            .stdin(Stdio::null())
            .output()
            .context("cannot run psql")?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql failed: {stderr}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Returns the Redis server, if the mode has one.
    pub fn redis(&self) -> Option<&Own<Redis>> {
        self.redis.as_ref()
    }

    /// Returns the service's settings.
    ///
    /// The throttle is active, but its budgets have their maximum size because all load comes from
    /// one address.
    pub fn settings(&self) -> BTreeMap<&'static str, String> {
        let mut settings = BTreeMap::from([
            ("AUTHAPI_SERVER__PORT", "0".to_owned()),
            // All connections come from one address.
            ("AUTHAPI_SERVER__MAX_CONNECTIONS_PER_ADDRESS", "20000".to_owned()),
            ("AUTHAPI_DATABASE__URL", self.database_url()),
            ("AUTHAPI_DATABASE__POOL_SIZE", POOL_SIZE.to_string()),
            ("AUTHAPI_KEYS__DIR", self.keys().display().to_string()),
            ("AUTHAPI_TOKENS__ISSUER", ISSUER.to_owned()),
            ("AUTHAPI_LOG__FORMAT", "json".to_owned()),
            ("AUTHAPI_THROTTLE__CLIENT_BURST", "1000".to_owned()),
            ("AUTHAPI_THROTTLE__CLIENT_PER_MINUTE", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__ACCOUNT_BURST", "1000".to_owned()),
            ("AUTHAPI_THROTTLE__ACCOUNT_PER_HOUR", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__FAILURES_BURST", "1000".to_owned()),
            ("AUTHAPI_THROTTLE__FAILURES_PER_HOUR", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__SERVICE_BURST", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__SERVICE_PER_MINUTE", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__SESSION_BURST", "1000".to_owned()),
            ("AUTHAPI_THROTTLE__SESSION_PER_HOUR", "1000000".to_owned()),
            ("AUTHAPI_THROTTLE__CHANGES_BURST", "1000".to_owned()),
            ("AUTHAPI_THROTTLE__CHANGES_PER_HOUR", "1000000".to_owned()),
        ]);
        if let Some(redis) = &self.redis {
            settings.insert("AUTHAPI_REDIS__URL", redis.url().to_owned());
        }
        settings
    }

    fn database_url(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url().to_owned(),
            None => format!("sqlite://{}", self.sqlite_file().display()),
        }
    }
}
