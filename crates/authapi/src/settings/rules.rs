//! What a setting must be.

use super::{Layers, Settings, SettingsError, TokensSettings, layers::variable};
use actix_web::http::Uri;
use adapters_redis::RedisUrl;
use domain::{login::Login, role::RoleName};
use secrecy::ExposeSecret;
use std::{num::NonZeroU32, time::Duration};
use tracing_subscriber::EnvFilter;

const DAY: Duration = Duration::from_hours(24);
const TEN_YEARS: Duration = Duration::from_hours(24 * 3650);
/// The least that OWASP's password storage guidance allows for argon2id, in KiB; with one pass, it is more.
const LEAST_MEMORY: u32 = 19_456;
const LEAST_MEMORY_FOR_ONE_PASS: u32 = 47_104;
/// The least that argon2 itself allows.
const TINIEST_MEMORY: u32 = 8;
/// The most that the hasher takes: memory in KiB, and memory times passes.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_WORK: u64 = 1024 * 1024;

/// What each setting must be, as told to whoever set it wrong. Every setting has one.
#[rustfmt::skip]
pub(super) const RULES: [(&str, &str); 48] = [
    ("audit.failures_per_minute", "it must be a number from 0 to 100000"),
    ("audit.retention", "it must be a duration such as 400d, from 1d to 3650d; without it events are kept for ever"),
    ("bootstrap.admin_login", "it must be a login of 3 to 64 letters, digits and visible punctuation, and comes with AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE"),
    ("bootstrap.admin_password", "it must be a text, and comes with AUTHAPI_BOOTSTRAP__ADMIN_LOGIN"),
    ("database.pool_size", "it must be a number from 1 to 1000"),
    ("database.url", "it must be the path of a file, as in sqlite://data/authapi.db, or a URL such as postgres://user@host/authapi"),
    ("docs.enabled", "it must be true or false"),
    ("keys.allow_rsa_2048", "it must be true or false"),
    ("keys.dir", "it must be the path of a folder"),
    ("keys.generate_missing", "it must be true or false"),
    ("log.format", "it must be auto, pretty or json"),
    ("log.level", "it must be error, warn, info, debug or trace, or directives such as info,domain=debug"),
    ("metrics.host", "it must be an IP address such as 127.0.0.1, or 0.0.0.0 for every network"),
    ("metrics.port", "it must be a number from 0 to 65535; 0 lets the system choose"),
    ("password.allow_weak_hashing", "it must be true or false"),
    ("password.hash_queue", "it must be a number from 1 to 100000"),
    ("password.hash_threads", "it must be a number from 1 to 1024"),
    ("password.iterations", "it must be a number of at least 2 (1 from AUTHAPI_PASSWORD__MEMORY_KIB=47104 on), and memory times passes at most 1048576 KiB"),
    ("password.memory_kib", "it must be a number of KiB from 19456 to 262144"),
    ("password.min_length", "it must be a number from 8 to 64"),
    ("password.min_score", "it must be a number from 0 to 4"),
    ("redis.url", "it must be a URL such as redis://host:6379, several nodes of a cluster with commas between them, or redis+sentinel://host,host/service"),
    ("server.host", "it must be an IP address such as 127.0.0.1, or 0.0.0.0 for every network"),
    ("server.max_connections", "it must be a number from 1 to 1000000"),
    ("server.port", "it must be a number from 0 to 65535; 0 lets the system choose"),
    ("server.shutdown_timeout", "it must be a duration such as 8s, at most 1m"),
    ("server.trusted_proxies", "it must be networks such as 10.0.0.0/8,192.0.2.7"),
    ("throttle.account_burst", "it must be a number from 1 to 1000"),
    ("throttle.account_per_hour", "it must be a number from 1 to 1000000"),
    ("throttle.client_burst", "it must be a number from 1 to 1000"),
    ("throttle.client_per_minute", "it must be a number from 1 to 1000000"),
    ("throttle.enabled", "it must be true or false"),
    ("tokens.access_ttl", "it must be a duration from 1s to 1d, and at most AUTHAPI_TOKENS__REFRESH_IDLE_TTL"),
    ("tokens.audience", "it must be a name without spaces"),
    ("tokens.client_id", "it must be a name without spaces"),
    ("tokens.issuer", "it must be a URL such as https://auth.example.com, without query and fragment"),
    ("tokens.max_sessions_per_user", "it must be a number from 1 to 10000"),
    ("tokens.refresh_grace", "it must be a duration such as 10s, at most 1m"),
    ("tokens.refresh_idle_ttl", "it must be a duration such as 30d, at most AUTHAPI_TOKENS__REFRESH_TTL"),
    ("tokens.refresh_ttl", "it must be a duration such as 90d, at most 3650d"),
    ("tokens.permissions", "it must be true or false"),
    ("tokens.signature_cache", "it must be a number from 0 to 10000000"),
    ("traces.otlp_endpoint", "it must be the base URL of a collector such as http://127.0.0.1:4318, without TLS"),
    ("traces.sample_ratio", "it must be a number from 0 to 1, such as 0.1"),
    ("users.default_roles", "it must be names of roles such as user,reader, which the catalogue has, without admin"),
    ("session_cache.max_count", "it must be a number from 1 to 10000000"),
    ("session_cache.max_mib", "it must be a number of MiB from 1 to 65536"),
    ("session_cache.memory", "it must be true or false"),
];

/// What the setting `key` must be.
pub(super) fn rule(key: &str) -> &'static str {
    RULES
        .iter()
        .find_map(|(known, rule)| (*known == key).then_some(*rule))
        .unwrap_or("it cannot be understood")
}

/// The first setting that breaks its rule.
pub(super) fn check(settings: &Settings, layers: &Layers) -> Result<(), SettingsError> {
    let broken = broken_elsewhere(settings)
        .or_else(|| broken_token_rule(&settings.tokens))
        .or_else(|| broken_token_order(&settings.tokens, layers))
        .or_else(|| broken_password_rule(settings));
    broken.map_or(Ok(()), |key| Err(wrong(key, layers)))
}

/// The error for `key`, which shows what was written unless that may hold a secret.
pub(super) fn wrong(key: &str, layers: &Layers) -> SettingsError {
    let Some(written) = layers.get(key) else {
        return SettingsError::Wrong {
            name: variable(key),
            value: " (default)".to_owned(),
            rule: rule(key).to_owned(),
        };
    };
    // A collector's URL is refused when it holds a password, and must not be shown then.
    let may_hold_a_secret = super::SECRETS.contains(&key) || key == "traces.otlp_endpoint";
    let value = match written.value.clone().into_string() {
        Ok(text) if !may_hold_a_secret => format!(": {:?}", text.chars().take(60).collect::<String>()),
        _ => String::new(),
    };
    SettingsError::Wrong {
        name: written.to_string(),
        value,
        rule: rule(key).to_owned(),
    }
}

fn broken_elsewhere(settings: &Settings) -> Option<&'static str> {
    let Settings {
        server,
        database,
        redis,
        throttle,
        bootstrap,
        log,
        users,
        audit,
        session_cache,
        ..
    } = settings;
    let is_burst = |number: NonZeroU32| number.get() <= 1_000;
    let is_rate = |number: NonZeroU32| number.get() <= 1_000_000;
    first_broken([
        (
            "server.shutdown_timeout",
            server.shutdown_timeout <= Duration::from_mins(1),
        ),
        (
            "server.max_connections",
            (1..=1_000_000).contains(&server.max_connections),
        ),
        ("throttle.client_burst", is_burst(throttle.client_burst)),
        ("throttle.client_per_minute", is_rate(throttle.client_per_minute)),
        ("throttle.account_burst", is_burst(throttle.account_burst)),
        ("throttle.account_per_hour", is_rate(throttle.account_per_hour)),
        (
            "bootstrap.admin_login",
            bootstrap.admin_login.is_some() || bootstrap.admin_password.is_none(),
        ),
        (
            "bootstrap.admin_password",
            bootstrap.admin_password.is_some() || bootstrap.admin_login.is_none(),
        ),
        (
            "bootstrap.admin_login",
            bootstrap
                .admin_login
                .as_deref()
                .is_none_or(|login| Login::parse(login).is_ok()),
        ),
        ("database.pool_size", database.pool_size.get() <= 1_000),
        (
            "redis.url",
            redis
                .url
                .as_ref()
                .is_none_or(|url| RedisUrl::parse(url.expose_secret()).is_ok()),
        ),
        (
            "users.default_roles",
            !users.default_roles.contains(&RoleName::ADMIN),
        ),
        (
            "audit.retention",
            audit
                .retention
                .is_none_or(|span| (DAY..=TEN_YEARS).contains(&span)),
        ),
        (
            "session_cache.max_count",
            session_cache.max_count.get() <= 10_000_000,
        ),
        ("session_cache.max_mib", session_cache.max_mib.get() <= 65_536),
        ("audit.failures_per_minute", audit.failures_per_minute <= 100_000),
        ("log.level", EnvFilter::try_new(&log.level).is_ok()),
    ])
}

fn broken_token_rule(tokens: &TokensSettings) -> Option<&'static str> {
    let is_name = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    first_broken([
        ("tokens.issuer", is_issuer(&tokens.issuer)),
        ("tokens.audience", is_name(&tokens.audience)),
        ("tokens.client_id", is_name(&tokens.client_id)),
        (
            "tokens.access_ttl",
            (Duration::from_secs(1)..=DAY).contains(&tokens.access_ttl),
        ),
        (
            "tokens.refresh_idle_ttl",
            tokens.refresh_idle_ttl >= Duration::from_secs(1),
        ),
        ("tokens.refresh_ttl", tokens.refresh_ttl <= TEN_YEARS),
        (
            "tokens.refresh_grace",
            tokens.refresh_grace <= Duration::from_mins(1),
        ),
        (
            "tokens.max_sessions_per_user",
            (1..=10_000).contains(&tokens.max_sessions_per_user),
        ),
        ("tokens.signature_cache", tokens.signature_cache <= 10_000_000),
    ])
}

/// Tokens and sessions end in order. Of two that do not, the one that somebody wrote is to blame.
fn broken_token_order(tokens: &TokensSettings, layers: &Layers) -> Option<&'static str> {
    let pairs = [
        (
            "tokens.access_ttl",
            tokens.access_ttl,
            "tokens.refresh_idle_ttl",
            tokens.refresh_idle_ttl,
        ),
        (
            "tokens.refresh_idle_ttl",
            tokens.refresh_idle_ttl,
            "tokens.refresh_ttl",
            tokens.refresh_ttl,
        ),
    ];
    let (shorter, _, longer, _) = pairs.into_iter().find(|(_, short, _, long)| short > long)?;
    Some(if layers.contains_key(shorter) {
        shorter
    } else {
        longer
    })
}

/// An absolute URL without query and fragment (RFC 8414, section 2). Plain HTTP is let through: the default is the
/// server's own address.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else {
        return false;
    };
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.host().is_some_and(|host| !host.is_empty())
        && url.query().is_none()
        && !text.contains(['#', '@'])
}

fn broken_password_rule(settings: &Settings) -> Option<&'static str> {
    let password = &settings.password;
    let (least_memory, fewest_passes) = match (password.allow_weak_hashing, password.memory_kib) {
        (true, _) => (TINIEST_MEMORY, 1),
        (false, LEAST_MEMORY_FOR_ONE_PASS..) => (LEAST_MEMORY, 1),
        (false, _) => (LEAST_MEMORY, 2),
    };
    let work = u64::from(password.memory_kib) * u64::from(password.iterations);
    first_broken([
        (
            "password.memory_kib",
            (least_memory..=MOST_MEMORY).contains(&password.memory_kib),
        ),
        (
            "password.iterations",
            password.iterations >= fewest_passes && work <= MOST_WORK,
        ),
        ("password.min_length", (8..=64).contains(&password.min_length)),
        ("password.min_score", password.min_score <= 4),
        ("password.hash_threads", password.hash_threads.get() <= 1024),
        ("password.hash_queue", password.hash_queue.get() <= 100_000),
    ])
}

fn first_broken<const N: usize>(checks: [(&'static str, bool); N]) -> Option<&'static str> {
    checks
        .into_iter()
        .find_map(|(key, holds)| (!holds).then_some(key))
}
