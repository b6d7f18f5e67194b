//! The sections of the settings, with their defaults.

use super::{
    LogLevel,
    format::{self, DatabaseUrl},
};
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    thread,
    time::Duration,
};

/// The server's listener and limits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    pub host: IpAddr,
    /// The port. 0 selects a free port.
    pub port: u16,
    /// Networks of proxies whose `X-Forwarded-For` is trusted.
    #[serde(deserialize_with = "format::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests in flight may take after shutdown has begun.
    #[serde(with = "format::span")]
    pub shutdown_timeout: Duration,
    /// Maximum number of open connections, over all workers.
    pub max_connections: usize,
    /// Maximum number of open connections of an IPv4 address or an IPv6 /64, unless it belongs to a
    /// trusted proxy.
    pub max_connections_per_address: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            trusted_proxies: Vec::new(),
            shutdown_timeout: Duration::from_secs(8),
            max_connections: 20_000,
            max_connections_per_address: 1_000,
        }
    }
}

impl ServerSettings {
    /// Returns the address to listen on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// Returns the URL by which this machine reaches the server on `port`.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        let host = match self.host {
            host if host.is_unspecified() => "localhost".to_owned(),
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => format!("[{host}]"),
        };
        format!("http://{host}:{port}")
    }
}

/// The database for users and sessions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    /// The URL of the same Postgres database for the connection that receives invalidations, if
    /// `url` leads through a pooler.
    pub listen_url: Option<DatabaseUrl>,
    /// Maximum number of open connections to Postgres.
    pub pool_size: NonZeroUsize,
    /// Maximum difference between this machine's clock and that of Postgres.
    #[serde(with = "format::span")]
    pub max_clock_skew: Duration,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::default(),
            listen_url: None,
            pool_size: NonZeroUsize::new(16).expect("16 is not 0"),
            max_clock_skew: Duration::from_secs(5),
        }
    }
}

/// The Redis that replicas share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    #[serde(serialize_with = "format::hidden")]
    pub url: Option<SecretString>,
}

/// The session cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionCacheSettings {
    /// Whether session snapshots are cached in memory; otherwise every request reads its session
    /// from the database.
    pub memory: bool,
    /// Maximum number of cached session snapshots.
    pub max_count: NonZeroUsize,
    /// Maximum memory of the cached session snapshots, in MiB.
    pub max_mib: NonZeroU32,
}

impl Default for SessionCacheSettings {
    fn default() -> Self {
        Self {
            memory: true,
            max_count: NonZeroUsize::new(100_000).expect("100,000 is not 0"),
            max_mib: NonZeroU32::new(64).expect("64 is not 0"),
        }
    }
}

/// The folder of the signing keys and the refresh key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSettings {
    pub dir: PathBuf,
    /// Whether missing keys are generated at the start. False by default on Postgres, whose
    /// replicas share their keys.
    pub generate_missing: bool,
    /// Whether RSA keys of 2048 bits are accepted; otherwise the minimum is 3072.
    pub allow_rsa_2048: bool,
    /// How long other services may cache the JWKS. A published key signs only after this time.
    #[serde(with = "format::span")]
    pub jwks_max_age: Duration,
    /// The age of the signing key and the refresh key at which the service replaces them; `None` if
    /// it does not.
    #[serde(with = "format::span_or_never")]
    pub rotate_every: Option<Duration>,
}

impl Default for KeysSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("keys"),
            generate_missing: true,
            allow_rsa_2048: false,
            jwks_max_age: Duration::from_mins(5),
            rotate_every: None,
        }
    }
}

/// Requirements for new passwords, and the cost of hashing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordSettings {
    /// Memory per hash, in KiB.
    pub memory_kib: u32,
    /// Number of passes over that memory.
    pub iterations: u32,
    /// Minimum length of a new password, in characters.
    pub min_length: usize,
    /// Minimum zxcvbn score of a new password, from 0 to 4.
    pub min_score: u8,
    /// Words that make a new password predictable, such as the name of the company.
    pub forbidden_words: Vec<String>,
    /// The file of the SHA-1 hashes of breached passwords, which are refused.
    pub breached_file: Option<PathBuf>,
    /// Number of hash threads; the number of cores by default.
    pub hash_threads: NonZeroUsize,
    /// Maximum number of passwords that wait to be hashed.
    pub hash_queue: NonZeroUsize,
    /// How long after a reset the one-time password opens a session.
    #[serde(with = "format::span")]
    pub reset_code_ttl: Duration,
    /// Whether administrators may choose the one-time password of another user.
    pub admin_chosen: bool,
    /// Allows weak parameters, for tests only.
    pub allow_weak_hashing: bool,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            min_length: 8,
            min_score: 3,
            forbidden_words: Vec::new(),
            breached_file: None,
            hash_threads: cores(),
            hash_queue: NonZeroUsize::new(512).expect("512 is not 0"),
            reset_code_ttl: Duration::from_hours(24),
            admin_chosen: false,
            allow_weak_hashing: false,
        }
    }
}

/// Returns the number of processors available to this process.
#[must_use]
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Limits on attempts. Each wider network of a client has a larger budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    pub enabled: bool,
    /// Attempts that a client network may make at once.
    pub client_burst: NonZeroU32,
    /// Attempts that a client network regains per minute.
    pub client_per_minute: NonZeroU32,
    /// Failed logins that a client network may make at once.
    pub failures_burst: NonZeroU32,
    /// Failed logins that a client network regains per hour.
    pub failures_per_hour: NonZeroU32,
    /// Failed logins from unknown places at once, of the whole service.
    pub service_burst: NonZeroU32,
    /// Failed logins from unknown places that the service regains per minute.
    pub service_per_minute: NonZeroU32,
    /// Logins to an account at once, from all unknown places together and from each known one.
    pub account_burst: NonZeroU32,
    /// Logins that an account regains per hour.
    pub account_per_hour: NonZeroU32,
    /// Password checks of a session at once.
    pub session_burst: NonZeroU32,
    /// Password checks that a session regains per hour.
    pub session_per_hour: NonZeroU32,
    /// Changes of a user to their own account at once; also recorded replays of a session.
    pub changes_burst: NonZeroU32,
    /// Those that a user, or a session, regains per hour.
    pub changes_per_hour: NonZeroU32,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).expect("no budget is 0");
        Self {
            enabled: true,
            client_burst: number(30),
            client_per_minute: number(30),
            failures_burst: number(30),
            failures_per_hour: number(60),
            service_burst: number(1_000),
            service_per_minute: number(600),
            account_burst: number(10),
            account_per_hour: number(90),
            session_burst: number(5),
            session_per_hour: number(30),
            changes_burst: number(60),
            changes_per_hour: number(60),
        }
    }
}

/// Whether `/docs` and `/openapi.json` are served.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DocsSettings {
    pub enabled: bool,
}

impl Default for DocsSettings {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// The admin to create if there is none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapSettings {
    pub admin_login: Option<String>,
    #[serde(serialize_with = "format::hidden")]
    pub admin_password: Option<SecretString>,
}

/// Level and format of the log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    pub level: LogLevel,
    pub format: LogFormat,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Pretty on a terminal, else JSON.
    #[default]
    Auto,
    Pretty,
    Json,
}
