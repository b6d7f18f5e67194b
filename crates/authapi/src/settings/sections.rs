//! What can be set, section by section, and the built-in defaults.

use super::format::{self, DatabaseUrl};
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

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60 * MINUTE;

/// Where the server listens and how long it waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    pub host: IpAddr,
    /// 0 lets the system choose.
    pub port: u16,
    /// Networks whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "format::networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long requests in flight may take after a stop was asked for.
    #[serde(with = "format::span")]
    pub shutdown_timeout: Duration,
    /// The most connections at once, all workers together.
    pub max_connections: usize,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8000,
            trusted_proxies: Vec::new(),
            shutdown_timeout: Duration::from_secs(8),
            max_connections: 20_000,
        }
    }
}

impl ServerSettings {
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// How this machine reaches the server when it listens on `port`.
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

/// Where users and sessions are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    pub url: DatabaseUrl,
    /// The most connections to Postgres that are open at once.
    pub pool_size: NonZeroUsize,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::default(),
            pool_size: NonZeroUsize::new(16).expect("16 is not 0"),
        }
    }
}

/// What replicas share.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    #[serde(serialize_with = "format::hidden")]
    pub url: Option<SecretString>,
}

/// How a request gets to know its session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionCacheSettings {
    /// Whether sessions are looked up in memory, where replicas can tell each other what was revoked: on SQLite, and on
    /// Postgres with Redis. Elsewhere the database is read for each request.
    pub memory: bool,
    /// The most sessions that are remembered, and the memory that they may take together, in MiB.
    pub max_count: NonZeroUsize,
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

/// Where the signing keys and the refresh key are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeysSettings {
    pub dir: PathBuf,
    /// Whether a start that finds no keys makes them. Replicas on Postgres share keys, so there it is false unless set.
    pub generate_missing: bool,
    /// Whether RSA keys of 2048 bits are taken; 3072 is the least otherwise.
    pub allow_rsa_2048: bool,
}

impl Default for KeysSettings {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("keys"),
            generate_missing: true,
            allow_rsa_2048: false,
        }
    }
}

/// What tokens say and how long they live.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensSettings {
    /// The claim `iss`. Empty only until the settings are settled: then it is the server's own address.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// The claim `client_id`.
    pub client_id: String,
    #[serde(with = "format::span")]
    pub access_ttl: Duration,
    /// A session ends when it was not refreshed for so long.
    #[serde(with = "format::span")]
    pub refresh_idle_ttl: Duration,
    /// A session ends so long after its login.
    #[serde(with = "format::span")]
    pub refresh_ttl: Duration,
    /// How long a used refresh token answers with the same successor again; zero is strict.
    #[serde(with = "format::span")]
    pub refresh_grace: Duration,
    pub max_sessions_per_user: u32,
    /// Whether access tokens say what their roles allow.
    pub permissions: bool,
    /// Of how many access tokens it is remembered that their signature is right; 0 checks it at each request.
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
            max_sessions_per_user: 100,
            permissions: false,
            signature_cache: 100_000,
        }
    }
}

/// What is asked of passwords, and what hashing one costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordSettings {
    /// Memory of one hash, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub iterations: u32,
    /// The fewest characters of a new password.
    pub min_length: usize,
    /// The lowest zxcvbn score, 0 to 4, of a new password.
    pub min_score: u8,
    /// How many passwords are hashed at once; the number of cores unless set.
    pub hash_threads: NonZeroUsize,
    /// How many passwords may wait to be hashed.
    pub hash_queue: NonZeroUsize,
    /// Lets tests hash cheaply. Never for passwords that matter.
    pub allow_weak_hashing: bool,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            iterations: 2,
            min_length: 8,
            min_score: 2,
            hash_threads: cores(),
            hash_queue: NonZeroUsize::new(512).expect("512 is not 0"),
            allow_weak_hashing: false,
        }
    }
}

/// How many processors this process may use.
#[must_use]
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// How many attempts a client and an account have.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    pub enabled: bool,
    /// Attempts that one client network may make at once.
    pub client_burst: NonZeroU32,
    /// Attempts that come back to it each minute.
    pub client_per_minute: NonZeroU32,
    /// Attempts on one account at once, whoever makes them.
    pub account_burst: NonZeroU32,
    /// Attempts that come back to it each hour.
    pub account_per_hour: NonZeroU32,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            client_burst: NonZeroU32::new(30).expect("30 is not 0"),
            client_per_minute: NonZeroU32::new(30).expect("30 is not 0"),
            account_burst: NonZeroU32::new(10).expect("10 is not 0"),
            account_per_hour: NonZeroU32::new(90).expect("90 is not 0"),
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

/// The admin to make on a start that finds none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapSettings {
    pub admin_login: Option<String>,
    #[serde(serialize_with = "format::hidden")]
    pub admin_password: Option<SecretString>,
}

/// What is logged, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// A level, or directives such as `info,domain=debug`.
    pub level: String,
    pub format: LogFormat,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
        }
    }
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    Auto,
    Pretty,
    Json,
}
