use super::Rule;
use crate::settings::{
    DatabaseSettings, DatabaseUrl, MetricsSettings, ServerSettings, Settings, format::span::written,
    layers::variable,
};
use actix_web::http::Uri;
use adapters_redis::RedisUrl;
use api_http::WebOrigin;
use domain::{login, login::Login, password, role::RoleName};
use secrecy::ExposeSecret;
use std::{net::IpAddr, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const TEN_YEARS: Duration = Duration::from_hours(24 * 3650);
/// The minimum memory that OWASP recommends for argon2id with at least two passes, in KiB.
const MIN_MEMORY: u32 = 19_456;
/// The minimum memory that OWASP recommends for one pass, in KiB.
const MIN_MEMORY_FOR_ONE_PASS: u32 = 47_104;
/// The minimum memory of argon2 itself, in KiB.
const MIN_WEAK_MEMORY: u32 = 8;
/// The maximum memory that the hasher accepts, in KiB.
const MAX_MEMORY: u32 = 256 * 1024;
/// The maximum product of memory and passes that the hasher accepts, in KiB.
const MAX_WORK: u64 = 1024 * 1024;
/// The maximum size of the session cache, in MiB.
const MAX_CACHE: u32 = 65_536;
/// The maximum number of attempts at once.
const MAX_BURST: u64 = 1_000;
/// The maximum number of attempts regained per minute or hour.
const MAX_RATE: u64 = 1_000_000;

/// The maximum number of forbidden words: every new password is compared with each.
const MAX_WORDS: usize = 1_000;
/// The maximum length of a forbidden word.
const MAX_WORD: usize = 64;

/// How to write a user or password that contains the delimiters of URLs (RFC 3986, section 2.1).
const ENCODE: &str = "in its user and password, write @ : / ? # % as %40 %3A %2F %3F %23 %25";

/// Returns the rules of all settings.
#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "one entry for each setting")]
pub fn rules() -> Vec<Rule> {
    vec![
        Rule::number("audit.failures_per_minute", 0..=100_000, |s| s.audit.failures_per_minute),
        Rule::checked(
            "audit.retention",
            format!("a duration such as 400d, from {} to {}, or forever", written(DAY), written(TEN_YEARS)),
            |s| s.audit.retention.is_none_or(|kept| (DAY..=TEN_YEARS).contains(&kept)),
        ),
        Rule::number("audit.warn_events", 1..=1_000_000_000_000_u64, |s| s.audit.warn_events),
        Rule::checked(
            "bootstrap.admin_login",
            format!(
                "a login of {} to {} letters, digits and visible punctuation, set together with {}_FILE",
                login::MIN_LENGTH, login::MAX_LENGTH, variable("bootstrap.admin_password"),
            ),
            is_admin_login,
        ),
        Rule::checked(
            "bootstrap.admin_password",
            format!("a text, set together with {}", variable("bootstrap.admin_login")),
            |s| s.bootstrap.admin_password.is_some() || s.bootstrap.admin_login.is_none(),
        ),
        Rule::parsed(
            "cookies.path_prefix",
            "a path of at most 200 characters such as /auth, which begins with a slash, does not end with one, and encodes no dot or slash",
        ),
        Rule::checked(
            "cors.origins",
            format!("origins such as https://app.example.com, separated by commas, all with https or on localhost if {} has https", variable("tokens.issuer")),
            |s| !admits_forged_pages(s),
        ),
        Rule::checked(
            "database.listen_url",
            format!("a URL such as postgres://user@host/authapi, set only if {} is one too; {ENCODE}", variable("database.url")),
            |s| has_valid_listen_url(&s.database),
        ),
        Rule::checked(
            "database.max_clock_skew",
            format!("a duration such as 5s, from {} to {}", written(SECOND), written(HOUR)),
            |s| (SECOND..=HOUR).contains(&s.database.max_clock_skew),
        ),
        Rule::number("database.pool_size", 1..=1_000, |s| s.database.pool_size.get()),
        Rule::parsed(
            "database.url",
            format!("the path of a file such as sqlite://data/authapi.db, or a URL such as postgres://user@host/authapi; {ENCODE}"),
        ),
        Rule::boolean("docs.enabled"),
        Rule::boolean("keys.allow_rsa_2048"),
        Rule::parsed("keys.dir", "the path of a folder"),
        Rule::boolean("keys.generate_missing"),
        Rule::checked(
            "keys.jwks_max_age",
            format!("a duration such as 5m, from {} to {}, in whole seconds", written(SECOND), written(DAY)),
            |s| (SECOND..=DAY).contains(&s.keys.jwks_max_age) && s.keys.jwks_max_age.subsec_nanos() == 0,
        ),
        Rule::checked(
            "keys.rotate_every",
            format!("a duration such as 90d, from {} to {}, or never", written(SECOND), written(TEN_YEARS)),
            |s| s.keys.rotate_every.is_none_or(|every| (SECOND..=TEN_YEARS).contains(&every)),
        ),
        Rule::parsed("log.format", "auto, pretty or json"),
        Rule::parsed("log.level", "error, warn, info, debug, trace or off, or directives such as info,domain=debug"),
        own_address("metrics.host"),
        Rule::checked(
            "metrics.port",
            format!("{}, and differ from {} on the same address", a_port(), variable("server.port")),
            |s| !shares_listener(&s.server, &s.metrics),
        ),
        Rule::boolean("password.admin_chosen"),
        Rule::boolean("password.allow_weak_hashing"),
        Rule::parsed("password.breached_file", "the path of a file of SHA-1 hashes, one a line, sorted"),
        Rule::checked(
            "password.forbidden_words",
            format!("at most {MAX_WORDS} words of 3 to {MAX_WORD} characters, separated by commas"),
            |s| are_words(&s.password.forbidden_words),
        ),
        Rule::number("password.hash_queue", 1..=100_000, |s| s.password.hash_queue.get()),
        Rule::number("password.hash_threads", 1..=1_024, |s| s.password.hash_threads.get()),
        // Comes before the iterations, whose minimum depends on it.
        Rule::checked(
            "password.memory_kib",
            format!("a number of KiB from {MIN_MEMORY} to {MAX_MEMORY}"),
            |s| (min_memory(s)..=MAX_MEMORY).contains(&s.password.memory_kib),
        ),
        Rule::checked(
            "password.iterations",
            format!(
                "at least 2, or at least 1 if {}={MIN_MEMORY_FOR_ONE_PASS} or more, with memory times passes at most {MAX_WORK} KiB",
                variable("password.memory_kib"),
            ),
            is_enough_work,
        ),
        Rule::number("password.min_length", password::LOWEST_MIN_LENGTH as u64..=64, |s| s.password.min_length),
        Rule::number("password.min_score", 0..=4, |s| s.password.min_score),
        Rule::checked(
            "password.reset_code_ttl",
            format!("a duration such as 24h, from {} to {}", written(5 * MINUTE), written(30 * DAY)),
            |s| (5 * MINUTE..=30 * DAY).contains(&s.password.reset_code_ttl),
        ),
        Rule::checked(
            "redis.url",
            format!(
                "a URL such as redis://host:6379, several nodes of a cluster separated by commas, or redis+sentinel://host,host/service; {ENCODE}",
            ),
            |s| s.redis.url.as_ref().is_none_or(|url| RedisUrl::parse(url.expose_secret()).is_ok()),
        ),
        own_address("server.host"),
        Rule::number("server.max_connections", 1..=1_000_000, |s| s.server.max_connections),
        Rule::number("server.max_connections_per_address", 1..=1_000_000, |s| {
            s.server.max_connections_per_address
        }),
        Rule::parsed("server.port", a_port()),
        Rule::checked(
            "server.shutdown_timeout",
            format!("a duration of whole seconds such as 8s, at most {}", written(MINUTE)),
            |s| s.server.shutdown_timeout <= MINUTE && s.server.shutdown_timeout.subsec_nanos() == 0,
        ),
        Rule::parsed("server.trusted_proxies", "networks such as 10.0.0.0/8,192.0.2.7"),
        Rule::number("session_cache.max_count", 1..=10_000_000, |s| s.session_cache.max_count.get()),
        Rule::checked(
            "session_cache.max_mib",
            format!("a number of MiB from 1 to {MAX_CACHE}"),
            |s| s.session_cache.max_mib.get() <= MAX_CACHE,
        ),
        Rule::boolean("session_cache.memory"),
        Rule::number("throttle.account_burst", 1..=MAX_BURST, |s| s.throttle.account_burst.get()),
        Rule::number("throttle.account_per_hour", 1..=MAX_RATE, |s| s.throttle.account_per_hour.get()),
        Rule::number("throttle.changes_burst", 1..=MAX_BURST, |s| s.throttle.changes_burst.get()),
        Rule::number("throttle.changes_per_hour", 1..=MAX_RATE, |s| s.throttle.changes_per_hour.get()),
        Rule::number("throttle.client_burst", 1..=MAX_BURST, |s| s.throttle.client_burst.get()),
        Rule::number("throttle.client_per_minute", 1..=MAX_RATE, |s| s.throttle.client_per_minute.get()),
        Rule::boolean("throttle.enabled"),
        Rule::number("throttle.failures_burst", 1..=MAX_BURST, |s| s.throttle.failures_burst.get()),
        Rule::number("throttle.failures_per_hour", 1..=MAX_RATE, |s| s.throttle.failures_per_hour.get()),
        Rule::number("throttle.service_burst", 1..=MAX_RATE, |s| s.throttle.service_burst.get()),
        Rule::number("throttle.service_per_minute", 1..=MAX_RATE, |s| s.throttle.service_per_minute.get()),
        Rule::number("throttle.session_burst", 1..=MAX_BURST, |s| s.throttle.session_burst.get()),
        Rule::number("throttle.session_per_hour", 1..=MAX_RATE, |s| s.throttle.session_per_hour.get()),
        Rule::checked(
            "tokens.access_ttl",
            format!("a duration from {} to {}, and at most {}", written(SECOND), written(DAY), variable("tokens.refresh_idle_ttl")),
            |s| (SECOND..=DAY).contains(&s.tokens.access_ttl),
        ),
        Rule::boolean("tokens.allow_mixed_replicas"),
        Rule::checked("tokens.audience", "a name without spaces", |s| is_name(&s.tokens.audience)),
        Rule::checked("tokens.client_id", "a name without spaces", |s| is_name(&s.tokens.client_id)),
        Rule::checked(
            "tokens.issuer",
            "a URL such as https://auth.example.com, without query and fragment",
            |s| is_issuer(&s.tokens.issuer),
        ),
        Rule::number("tokens.max_sessions_per_user", 1..=10_000, |s| s.tokens.max_sessions_per_user),
        Rule::boolean("tokens.permissions"),
        Rule::duration("tokens.refresh_grace", "10s", MINUTE, |s| s.tokens.refresh_grace),
        Rule::checked(
            "tokens.refresh_idle_ttl",
            format!("a duration such as 30d, at most {}", variable("tokens.refresh_ttl")),
            |s| s.tokens.refresh_idle_ttl >= SECOND,
        ),
        Rule::duration("tokens.refresh_ttl", "90d", TEN_YEARS, |s| s.tokens.refresh_ttl),
        Rule::number("tokens.signature_cache", 0..=10_000_000, |s| s.tokens.signature_cache),
        Rule::checked(
            "tokens.step_up_max_age",
            format!("a duration of whole seconds from {} to {}", written(MINUTE), written(90 * DAY)),
            |s| {
                (MINUTE..=90 * DAY).contains(&s.tokens.step_up_max_age)
                    && s.tokens.step_up_max_age.subsec_nanos() == 0
            },
        ),
        Rule::parsed("traces.otlp_endpoint", "the base URL of a collector such as http://127.0.0.1:4318, without TLS"),
        Rule::parsed("traces.sample_ratio", "a number from 0 to 1, such as 0.1"),
        Rule::checked(
            "users.default_roles",
            "names of existing roles such as user,reader, without admin",
            |s| !s.users.default_roles.contains(&RoleName::ADMIN),
        ),
    ]
}

/// Returns whether the bus listens on Postgres if it has a URL of its own.
fn has_valid_listen_url(database: &DatabaseSettings) -> bool {
    let is_postgres = |url: &DatabaseUrl| matches!(url, DatabaseUrl::Postgres(_));
    let listen_url = database.listen_url.as_ref();
    listen_url.is_none_or(|url| is_postgres(url) && is_postgres(&database.url))
}

fn own_address(key: &'static str) -> Rule {
    Rule::parsed(
        key,
        "an IP address such as 127.0.0.1, or 0.0.0.0 for all interfaces",
    )
}

fn a_port() -> String {
    format!("a number from 0 to {} (0 selects a free port)", u16::MAX)
}

/// Returns whether the two listeners would use the same port of the same address.
fn shares_listener(server: &ServerSettings, metrics: &MetricsSettings) -> bool {
    // A listener on `::` also accepts connections over IPv4.
    let covers = |one: IpAddr, other: IpAddr| {
        one == other || (one.is_unspecified() && (one.is_ipv6() || other.is_ipv4()))
    };
    server.port != 0
        && metrics.port == Some(server.port)
        && (covers(server.host, metrics.host) || covers(metrics.host, server.host))
}

/// Returns whether the network could forge pages that may use cookies of a service with HTTPS.
fn admits_forged_pages(settings: &Settings) -> bool {
    let issuer = WebOrigin::of_url(&settings.tokens.issuer);
    issuer.is_some_and(|issuer| issuer.is_https())
        && settings.cors.origins.iter().any(WebOrigin::can_be_forged)
}

/// Returns whether login and password are both set or both unset; the missing one is reported.
fn is_admin_login(settings: &Settings) -> bool {
    match &settings.bootstrap.admin_login {
        Some(login) => Login::parse(login).is_ok(),
        None => settings.bootstrap.admin_password.is_none(),
    }
}

fn min_memory(settings: &Settings) -> u32 {
    if settings.password.allow_weak_hashing {
        MIN_WEAK_MEMORY
    } else {
        MIN_MEMORY
    }
}

fn is_enough_work(settings: &Settings) -> bool {
    let password = &settings.password;
    let one_pass_is_enough = password.allow_weak_hashing || password.memory_kib >= MIN_MEMORY_FOR_ONE_PASS;
    let min_passes = if one_pass_is_enough { 1 } else { 2 };
    let work = u64::from(password.memory_kib) * u64::from(password.iterations);
    password.iterations >= min_passes && work <= MAX_WORK
}

fn are_words(words: &[String]) -> bool {
    let is_word = |word: &String| (3..=MAX_WORD).contains(&word.chars().count());
    words.len() <= MAX_WORDS && words.iter().all(is_word)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// Returns whether `text` is an absolute URL without query and fragment (RFC 8414, section 2).
/// Plain HTTP is accepted because the default is the server's own URL.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else {
        return false;
    };
    matches!(url.scheme_str(), Some("http" | "https"))
        && url.host().is_some_and(|host| !host.is_empty())
        && url.query().is_none()
        && !text.contains(['#', '@'])
}
