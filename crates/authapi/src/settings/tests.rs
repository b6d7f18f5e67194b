use super::*;
use secrecy::ExposeSecret;
use std::{fs, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// A directory and an environment to load settings from.
struct Start {
    folder: TempDir,
    sources: Sources,
}

fn start() -> Start {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let sources = Sources {
        directory: folder.path().to_owned(),
        ..Sources::default()
    };
    Start { folder, sources }
}

impl Start {
    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.folder.path().join(name), text).expect("the file can be written");
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self) -> Settings {
        load(&self.sources).expect("the settings are valid").settings
    }

    /// Returns the error as the program prints it: one line.
    fn refused(&self) -> String {
        let [line] = &self.all_refused()[..] else {
            panic!("several lines: {:#?}", self.all_refused());
        };
        line.clone()
    }

    /// Returns all errors as the program prints them.
    fn all_refused(&self) -> Vec<String> {
        let lines = crate::Failure::from(load(&self.sources).expect_err("the settings are invalid")).lines();
        assert!(lines.iter().all(|line| !line.contains('\n')), "{lines:#?}");
        lines
    }
}

#[test]
fn defaults_are_valid() {
    let settings = start().load();
    assert_eq!(settings.server.address().to_string(), "127.0.0.1:8000");
    assert_eq!(settings.database.url.to_string(), "sqlite://data/authapi.db");
    assert_eq!(settings.tokens.issuer, "http://127.0.0.1:8000");
    assert_eq!(settings.tokens.access_ttl, Duration::from_mins(15));
    assert_eq!(settings.tokens.step_up_max_age, Duration::from_mins(15));
}

#[test]
fn the_environment_overrides_dotenv_which_overrides_the_file() {
    let file =
        "[server]\nport = 1001\nmax_connections = 11\n[tokens]\naudience = 'file'\naccess_ttl = '1m'\n";
    let dotenv = "AUTHAPI_SERVER__PORT=1002\nAUTHAPI_TOKENS__AUDIENCE=dotenv\nOTHER=1\n";
    let settings = start()
        .file("authapi.toml", file)
        .file(".env", dotenv)
        .env("AUTHAPI_SERVER__PORT", "1003")
        .env("PATH", "/bin")
        .load();
    assert_eq!(settings.server.port, 1003);
    assert_eq!(settings.tokens.audience, "dotenv");
    assert_eq!(settings.server.max_connections, 11);
    assert_eq!(settings.tokens.access_ttl, Duration::from_mins(1));
    assert_eq!(settings.tokens.client_id, "authapi");
}

#[test]
fn dotenv_does_not_leak_into_the_process_environment() {
    start().file(".env", "AUTHAPI_SERVER__PORT=4711").load();
    assert!(std::env::var("AUTHAPI_SERVER__PORT").is_err());
}

#[test]
fn a_given_file_replaces_the_default_file_and_must_exist() {
    let mut start = start()
        .file("authapi.toml", "[server]\nport = 1")
        .file("other.toml", "[server]\nport = 2");
    start.sources.config = Some(start.path("other.toml"));
    assert_eq!(start.load().server.port, 2);

    start.sources.config = Some(start.path("absent.toml"));
    assert!(
        start.refused().contains("absent.toml cannot be read: "),
        "{}",
        start.refused()
    );
}

/// Each variable with a value that is refused.
const INVALID: &[(&str, &str)] = &[
    ("AUTHAPI_SERVER__HOST", "example.com"),
    ("AUTHAPI_SERVER__PORT", "65536"),
    ("AUTHAPI_SERVER__PORT", "-1"),
    ("AUTHAPI_SERVER__PORT", "80.6"),
    ("AUTHAPI_SERVER__PORT", "true"),
    ("AUTHAPI_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,nonsense"),
    ("AUTHAPI_SERVER__TRUSTED_PROXIES", "10.0.0.0/33"),
    ("AUTHAPI_SERVER__SHUTDOWN_TIMEOUT", "61s"),
    ("AUTHAPI_SERVER__SHUTDOWN_TIMEOUT", "1500ms"),
    ("AUTHAPI_SERVER__MAX_CONNECTIONS", "0"),
    ("AUTHAPI_CORS__ORIGINS", "*"),
    ("AUTHAPI_CORS__ORIGINS", "null"),
    ("AUTHAPI_CORS__ORIGINS", "app.example.com"),
    ("AUTHAPI_CORS__ORIGINS", "https://app.example.com/"),
    ("AUTHAPI_CORS__ORIGINS", "https://app.example.com,"),
    ("AUTHAPI_COOKIES__PATH_PREFIX", "auth"),
    ("AUTHAPI_COOKIES__PATH_PREFIX", "/auth/"),
    ("AUTHAPI_COOKIES__PATH_PREFIX", "/a%2fb"),
    ("AUTHAPI_DATABASE__URL", "mysql://me:hunter2@db/authapi"),
    // The database is a file.
    ("AUTHAPI_DATABASE__LISTEN_URL", "postgres://me@db/authapi"),
    ("AUTHAPI_DATABASE__POOL_SIZE", "0"),
    ("AUTHAPI_DATABASE__POOL_SIZE", "1001"),
    ("AUTHAPI_DATABASE__MAX_CLOCK_SKEW", "999ms"),
    ("AUTHAPI_DATABASE__MAX_CLOCK_SKEW", "61m"),
    ("AUTHAPI_REDIS__URL", "http://:hunter2@cache"),
    ("AUTHAPI_DATABASE__URL", "sqlite://:memory:"),
    ("AUTHAPI_DATABASE__URL", "sqlite://"),
    ("AUTHAPI_DATABASE__URL", "data/authapi.db"),
    ("AUTHAPI_KEYS__GENERATE_MISSING", "maybe"),
    ("AUTHAPI_KEYS__ALLOW_RSA_2048", "2"),
    ("AUTHAPI_KEYS__JWKS_MAX_AGE", "999ms"),
    ("AUTHAPI_KEYS__JWKS_MAX_AGE", "1500ms"),
    ("AUTHAPI_KEYS__JWKS_MAX_AGE", "25h"),
    ("AUTHAPI_KEYS__ROTATE_EVERY", "0s"),
    ("AUTHAPI_KEYS__ROTATE_EVERY", "3651d"),
    ("AUTHAPI_KEYS__ROTATE_EVERY", "forever"),
    ("AUTHAPI_TOKENS__ISSUER", "auth.example.com"),
    ("AUTHAPI_TOKENS__ISSUER", "https://auth.example.com/?tenant=1"),
    ("AUTHAPI_TOKENS__ISSUER", "https://"),
    ("AUTHAPI_TOKENS__AUDIENCE", "two words"),
    ("AUTHAPI_TOKENS__CLIENT_ID", " "),
    ("AUTHAPI_TOKENS__ACCESS_TTL", "15"),
    ("AUTHAPI_TOKENS__ACCESS_TTL", "0s"),
    ("AUTHAPI_TOKENS__ACCESS_TTL", "25h"),
    ("AUTHAPI_TOKENS__REFRESH_IDLE_TTL", "0s"),
    ("AUTHAPI_TOKENS__REFRESH_IDLE_TTL", "10m"),
    ("AUTHAPI_TOKENS__REFRESH_IDLE_TTL", "91d"),
    ("AUTHAPI_TOKENS__REFRESH_TTL", "29d"),
    ("AUTHAPI_TOKENS__REFRESH_TTL", "20y"),
    ("AUTHAPI_TOKENS__REFRESH_GRACE", "61s"),
    ("AUTHAPI_TOKENS__STEP_UP_MAX_AGE", "59s"),
    ("AUTHAPI_TOKENS__STEP_UP_MAX_AGE", "91d"),
    ("AUTHAPI_TOKENS__STEP_UP_MAX_AGE", "90s500ms"),
    ("AUTHAPI_TOKENS__MAX_SESSIONS_PER_USER", "0"),
    ("AUTHAPI_TOKENS__MAX_SESSIONS_PER_USER", "10001"),
    ("AUTHAPI_SESSION_CACHE__MAX_COUNT", "0"),
    ("AUTHAPI_SESSION_CACHE__MAX_COUNT", "10000001"),
    ("AUTHAPI_SESSION_CACHE__MAX_MIB", "0"),
    ("AUTHAPI_SESSION_CACHE__MAX_MIB", "65537"),
    ("AUTHAPI_TOKENS__SIGNATURE_CACHE", "-1"),
    ("AUTHAPI_TOKENS__SIGNATURE_CACHE", "10000001"),
    ("AUTHAPI_PASSWORD__MEMORY_KIB", "19455"),
    ("AUTHAPI_PASSWORD__MEMORY_KIB", "262145"),
    ("AUTHAPI_PASSWORD__ITERATIONS", "1"),
    ("AUTHAPI_PASSWORD__ITERATIONS", "54"),
    ("AUTHAPI_PASSWORD__MIN_LENGTH", "7"),
    ("AUTHAPI_PASSWORD__MIN_LENGTH", "65"),
    ("AUTHAPI_PASSWORD__MIN_SCORE", "5"),
    ("AUTHAPI_PASSWORD__HASH_THREADS", "0"),
    ("AUTHAPI_PASSWORD__HASH_QUEUE", "0"),
    ("AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING", "yes please"),
    ("AUTHAPI_PASSWORD__RESET_CODE_TTL", "299s"),
    ("AUTHAPI_PASSWORD__RESET_CODE_TTL", "31d"),
    ("AUTHAPI_PASSWORD__ADMIN_CHOSEN", "always"),
    ("AUTHAPI_THROTTLE__ENABLED", "on"),
    ("AUTHAPI_THROTTLE__CLIENT_BURST", "0"),
    ("AUTHAPI_THROTTLE__CLIENT_BURST", "1001"),
    ("AUTHAPI_THROTTLE__CLIENT_PER_MINUTE", "0"),
    ("AUTHAPI_THROTTLE__ACCOUNT_BURST", "0"),
    ("AUTHAPI_THROTTLE__ACCOUNT_PER_HOUR", "1000001"),
    ("AUTHAPI_THROTTLE__FAILURES_BURST", "1001"),
    ("AUTHAPI_THROTTLE__FAILURES_PER_HOUR", "0"),
    ("AUTHAPI_THROTTLE__SERVICE_BURST", "1000001"),
    ("AUTHAPI_THROTTLE__SERVICE_PER_MINUTE", "0"),
    ("AUTHAPI_THROTTLE__SESSION_BURST", "0"),
    ("AUTHAPI_THROTTLE__SESSION_PER_HOUR", "1000001"),
    ("AUTHAPI_THROTTLE__CHANGES_BURST", "1001"),
    ("AUTHAPI_THROTTLE__CHANGES_PER_HOUR", "0"),
    ("AUTHAPI_DOCS__ENABLED", "1"),
    ("AUTHAPI_BOOTSTRAP__ADMIN_LOGIN", "admin"),
    ("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD", "hunter2"),
    ("AUTHAPI_DATABASE__URL", "postgres://me:hunter2@/@db/authapi"),
    ("AUTHAPI_LOG__LEVEL", "in=fo=1"),
    ("AUTHAPI_LOG__LEVEL", "warnings"),
    ("AUTHAPI_LOG__LEVEL", "info,domian=debug"),
    ("AUTHAPI_METRICS__PORT", "8000"),
    ("AUTHAPI_METRICS__HOST", "metrics.example.com"),
    ("AUTHAPI_METRICS__PORT", "65536"),
    ("AUTHAPI_METRICS__PORT", "on"),
    ("AUTHAPI_TRACES__OTLP_ENDPOINT", "127.0.0.1:4318"),
    ("AUTHAPI_TRACES__OTLP_ENDPOINT", "https://collector.example.com"),
    (
        "AUTHAPI_TRACES__OTLP_ENDPOINT",
        "http://me:hunter2@127.0.0.1:4318",
    ),
    ("AUTHAPI_TRACES__OTLP_ENDPOINT", "http://127.0.0.1:4318/?tenant=1"),
    ("AUTHAPI_TRACES__SAMPLE_RATIO", "1.1"),
    ("AUTHAPI_TRACES__SAMPLE_RATIO", "-0.1"),
    ("AUTHAPI_TRACES__SAMPLE_RATIO", "NaN"),
    ("AUTHAPI_LOG__FORMAT", "xml"),
    ("AUTHAPI_TOKENS__PERMISSIONS", "1"),
    ("AUTHAPI_TOKENS__ALLOW_MIXED_REPLICAS", "maybe"),
    ("AUTHAPI_USERS__DEFAULT_ROLES", "user,admin"),
    ("AUTHAPI_USERS__DEFAULT_ROLES", "user,,reader"),
    ("AUTHAPI_USERS__DEFAULT_ROLES", "User"),
    ("AUTHAPI_AUDIT__RETENTION", "400"),
    ("AUTHAPI_AUDIT__RETENTION", "23h"),
    ("AUTHAPI_AUDIT__RETENTION", "3651d"),
    ("AUTHAPI_AUDIT__RETENTION", "never"),
    ("AUTHAPI_AUDIT__WARN_EVENTS", "0"),
    ("AUTHAPI_AUDIT__FAILURES_PER_MINUTE", "-1"),
    ("AUTHAPI_AUDIT__FAILURES_PER_MINUTE", "100001"),
];

#[test]
fn an_invalid_value_is_reported_in_one_line_with_its_variable_and_requirement() {
    for (variable, value) in INVALID {
        let line = start().env(variable, value).refused();
        assert!(line.contains(variable), "{line}");
        assert!(line.contains(": it must be "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn valid_values_are_accepted() {
    for (variable, value) in [
        ("AUTHAPI_SERVER__HOST", "::1"),
        ("AUTHAPI_SERVER__PORT", "0"),
        ("AUTHAPI_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7"),
        (
            "AUTHAPI_CORS__ORIGINS",
            "https://app.example.com, http://localhost:5173",
        ),
        ("AUTHAPI_COOKIES__PATH_PREFIX", "/auth"),
        ("AUTHAPI_DATABASE__URL", "sqlite:///var/lib/authapi.db"),
        ("AUTHAPI_TOKENS__ISSUER", "https://auth.example.com/tenant"),
        ("AUTHAPI_TOKENS__ACCESS_TTL", "1d"),
        ("AUTHAPI_TOKENS__REFRESH_GRACE", "0s"),
        ("AUTHAPI_TOKENS__STEP_UP_MAX_AGE", "1m"),
        ("AUTHAPI_TOKENS__STEP_UP_MAX_AGE", "90d"),
        ("AUTHAPI_PASSWORD__MEMORY_KIB", "65536"),
        ("AUTHAPI_PASSWORD__MIN_SCORE", "0"),
        ("AUTHAPI_PASSWORD__RESET_CODE_TTL", "5m"),
        ("AUTHAPI_PASSWORD__RESET_CODE_TTL", "30d"),
        ("AUTHAPI_PASSWORD__ADMIN_CHOSEN", "true"),
        ("AUTHAPI_THROTTLE__ENABLED", "false"),
        ("AUTHAPI_LOG__LEVEL", "warn,domain=debug"),
        ("AUTHAPI_LOG__LEVEL", "warning"),
        ("AUTHAPI_SERVER__SHUTDOWN_TIMEOUT", "2000ms"),
        ("AUTHAPI_METRICS__PORT", "8001"),
        ("AUTHAPI_LOG__FORMAT", "json"),
        ("AUTHAPI_TOKENS__PERMISSIONS", "true"),
        ("AUTHAPI_USERS__DEFAULT_ROLES", "user, reader"),
        ("AUTHAPI_AUDIT__RETENTION", "400d"),
        ("AUTHAPI_AUDIT__RETENTION", "forever"),
        ("AUTHAPI_KEYS__JWKS_MAX_AGE", "1s"),
        ("AUTHAPI_KEYS__ROTATE_EVERY", "90d"),
        ("AUTHAPI_KEYS__ROTATE_EVERY", "never"),
        ("AUTHAPI_AUDIT__WARN_EVENTS", "1000"),
        ("AUTHAPI_AUDIT__FAILURES_PER_MINUTE", "0"),
    ] {
        start().env(variable, value).load();
    }
}

#[test]
fn every_setting_has_exactly_one_rule() {
    let mut ruled: Vec<&str> = rules::rules().iter().map(|rule| rule.key).collect();
    let mut known = known_keys();
    ruled.sort_unstable();
    known.sort_unstable();
    assert_eq!(known, ruled);
}

#[test]
fn a_file_may_contain_lists_and_numbers_and_errors_use_its_key_names() {
    let good =
        "[server]\ntrusted_proxies = ['10.0.0.0/8', '192.0.2.7']\nport = 81\n[docs]\nenabled = false\n";
    let settings = start().file("authapi.toml", good).load();
    let proxies: Vec<String> = settings
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.0.2.7/32"]);
    assert!(!settings.docs.enabled);

    for (text, name) in [
        ("[server]\nport = true", "server.port"),
        ("[server]\nport = 70000", "server.port"),
        ("[server]\ntrusted_proxies = [1, 'x']", "server.trusted_proxies"),
        ("[tokens]\nacces_ttl = '1m'", "tokens.acces_ttl"),
        ("[tokens.access_ttl]\nmillis = 1", "tokens.access_ttl.millis"),
        ("server = 1", "server"),
        (
            "[bootstrap]\nadmin_password = ['hunter2']",
            "bootstrap.admin_password",
        ),
    ] {
        let line = start().file("authapi.toml", text).refused();
        assert!(line.starts_with(&format!("{name} (")), "{line}");
        assert!(line.contains("authapi.toml)"), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn parse_errors_name_the_file_and_contain_no_secret() {
    let line = start()
        .file("authapi.toml", "[bootstrap]\nadmin_password = hunter2")
        .refused();
    assert!(
        line.contains("authapi.toml is invalid: ") && line.contains("line 2"),
        "{line}"
    );
    assert!(!line.contains("hunter2"), "{line}");

    let line = start()
        .file(".env", "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD='hunter2")
        .refused();
    assert!(
        line.contains(".env is invalid: line 1 (AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD): "),
        "{line}"
    );
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn all_invalid_settings_are_reported_at_once() {
    let dotenv = "AUTHAPI_TOKENS__AUDIENCE=two words\nAUTHAPI_LOG__LEVEL=loud\n\nhunter2\n";
    let lines = start()
        .file("authapi.toml", "[server]\nprot = 1\nport = 'http'\n")
        .file(".env", dotenv)
        .env("AUTHAPI_PASSWORD__MIN_SCORE", "5")
        .env("AUTHAPI_REDIS__PROT", "6379")
        .env("AUTHAPI_DATABASE__URL_FILE", "/nowhere/url")
        .all_refused();
    let expected = [
        ".env is invalid: line 1 (AUTHAPI_TOKENS__AUDIENCE): ",
        ".env is invalid: line 4: ",
        "AUTHAPI_DATABASE__URL_FILE (environment): the file /nowhere/url cannot be read",
        "AUTHAPI_REDIS__PROT (environment) is not a setting",
        "server.prot (",
        "AUTHAPI_LOG__LEVEL (.env) is invalid: \"loud\": ",
        "server.port (",
        "AUTHAPI_PASSWORD__MIN_SCORE (environment) is invalid: \"5\": ",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "no {expected:?} in {line:?}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn a_setting_that_may_be_invalid_only_because_of_another_is_not_reported() {
    for (invalid, value, consequence, of_it) in [
        (
            "PASSWORD__ALLOW_WEAK_HASHING",
            "yes",
            "PASSWORD__MEMORY_KIB",
            "64",
        ),
        ("PASSWORD__MEMORY_KIB", "64", "PASSWORD__ITERATIONS", "1"),
        ("SERVER__PORT", "http", "METRICS__PORT", "8000"),
        (
            "DATABASE__URL",
            "mysql://db/authapi",
            "DATABASE__LISTEN_URL",
            "postgres://db/authapi",
        ),
        ("TOKENS__REFRESH_TTL", "120", "TOKENS__REFRESH_IDLE_TTL", "100d"),
        ("TOKENS__REFRESH_IDLE_TTL", "0s", "TOKENS__ACCESS_TTL", "10m"),
    ] {
        let line = start()
            .env(&format!("AUTHAPI_{invalid}"), value)
            .env(&format!("AUTHAPI_{consequence}"), of_it)
            .refused();
        assert!(line.starts_with(&format!("AUTHAPI_{invalid} ")), "{line}");
    }
    let line = start()
        .file(".env", "AUTHAPI_BOOTSTRAP__ADMIN_LOGIN='root")
        .env("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD", "hunter2")
        .refused();
    assert!(line.contains(".env is invalid"), "{line}");
}

#[test]
fn dotenv_values_are_literal() {
    let dotenv = "AUTHAPI_BOOTSTRAP__ADMIN_LOGIN=root\nAUTHAPI_BOOTSTRAP__ADMIN_PASSWORD=Xk9$Treasure-77\n";
    let settings = start().file(".env", dotenv).load();
    let password = settings.bootstrap.admin_password.expect("a password");
    assert_eq!(password.expose_secret(), "Xk9$Treasure-77");
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_file() {
    let start = start()
        .file("authapi.toml", "\u{feff}[server]\nport = 81\n")
        .file(".env", "\u{feff}AUTHAPI_BOOTSTRAP__ADMIN_LOGIN=root\n")
        .file("secret", "\u{feff}hunter2\n");
    let secret = start.path("secret");
    let settings = start
        .env(
            "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE",
            secret.to_str().expect("a path"),
        )
        .load();
    assert_eq!(settings.server.port, 81);
    assert_eq!(settings.bootstrap.admin_login.as_deref(), Some("root"));
    let password = settings.bootstrap.admin_password.expect("a password");
    assert_eq!(password.expose_secret(), "hunter2");
}

#[test]
fn an_unknown_target_of_the_log_is_named() {
    let line = start().env("AUTHAPI_LOG__LEVEL", "info,domian=debug").refused();
    assert!(
        line.ends_with("; \"domian\" is not a crate of this program: did you mean domain?"),
        "{line}"
    );
}

#[test]
fn a_raw_delimiter_in_a_database_password_is_answered_with_the_encoding() {
    let start = start().env("AUTHAPI_DATABASE__URL", "postgres://me:hunter@2@db/authapi");
    let line = start.refused();
    assert!(
        line.contains("write @ : / ? # % as %40 %3A %2F %3F %23 %25"),
        "{line}"
    );
    assert!(!line.contains("hunter"), "{line}");
}

#[test]
fn two_listeners_on_one_port_are_refused_before_they_listen() {
    for (server, metrics, is_refused) in [
        ("127.0.0.1", "127.0.0.1", true),
        ("0.0.0.0", "127.0.0.1", true),
        ("127.0.0.1", "0.0.0.0", true),
        ("::", "127.0.0.1", true),
        ("0.0.0.0", "::1", false),
        ("192.0.2.1", "127.0.0.1", false),
    ] {
        let start = start()
            .env("AUTHAPI_SERVER__HOST", server)
            .env("AUTHAPI_METRICS__HOST", metrics)
            .env("AUTHAPI_METRICS__PORT", "8000");
        if is_refused {
            let line = start.refused();
            assert!(
                line.starts_with("AUTHAPI_METRICS__PORT ")
                    && line.contains("differ from AUTHAPI_SERVER__PORT"),
                "{line}"
            );
        } else {
            start.load();
        }
    }
    start()
        .env("AUTHAPI_SERVER__PORT", "0")
        .env("AUTHAPI_METRICS__PORT", "0")
        .load();
}

#[test]
fn an_unknown_name_is_refused_with_a_suggestion() {
    for (variable, known) in [
        ("AUTHAPI_TOKENS__ACCES_TTL", "AUTHAPI_TOKENS__ACCESS_TTL"),
        ("AUTHAPI_SERVER_PORT", "AUTHAPI_SERVER__PORT"),
        ("AUTHAPI_PASSWORD__MEMORY_KB", "AUTHAPI_PASSWORD__MEMORY_KIB"),
    ] {
        let line = start().env(variable, "1").refused();
        assert!(
            line.starts_with(&format!("{variable} (environment) is not a setting")),
            "{line}"
        );
        assert!(line.contains(&format!("did you mean {known}?")), "{line}");
    }
    let line = start().file(".env", "AUTHAPI_XYZZY=1").refused();
    assert_eq!(line, "AUTHAPI_XYZZY (.env) is not a setting; remove it");
}

#[test]
fn on_postgres_keys_are_not_generated_by_default_and_urls_are_not_printed() {
    let start = start()
        .env("AUTHAPI_DATABASE__URL", "postgres://me:hunter2@db/authapi")
        .env(
            "AUTHAPI_DATABASE__LISTEN_URL",
            "postgres://me:hunter2@primary/authapi",
        )
        .env("AUTHAPI_REDIS__URL", "redis://me:hunter2@cache");
    let loaded = load(&start.sources).expect("the settings are valid");
    assert!(!loaded.settings.keys.generate_missing);
    let DatabaseUrl::Postgres(url) = &loaded.settings.database.url else {
        panic!("{:?}", loaded.settings.database);
    };
    assert_eq!(url.expose_secret(), "postgres://me:hunter2@db/authapi");
    let shown = format!("{:?}{:?}", loaded.effective(), loaded.settings);
    assert!(!shown.contains("hunter2"), "{shown}");

    let enabled = start.env("AUTHAPI_KEYS__GENERATE_MISSING", "true").load();
    assert!(enabled.keys.generate_missing);
}

#[test]
fn a_url_to_listen_on_may_be_in_a_file_and_must_be_one_of_postgres() {
    let folder = start().file("url", "postgres://me:hunter2@primary/authapi\n");
    let file = folder.path("url");
    let file = file.to_str().expect("the path is UTF-8");
    let settings = start()
        .env("AUTHAPI_DATABASE__URL", "postgres://pooler/authapi")
        .env("AUTHAPI_DATABASE__LISTEN_URL_FILE", file)
        .load();
    let Some(DatabaseUrl::Postgres(url)) = &settings.database.listen_url else {
        panic!("{:?}", settings.database);
    };
    assert_eq!(url.expose_secret(), "postgres://me:hunter2@primary/authapi");
    for wrong in [
        "sqlite://data/authapi.db",
        "redis://me:hunter2@cache",
        "postgres://a@b@c/d",
    ] {
        let line = start()
            .env("AUTHAPI_DATABASE__URL", "postgres://pooler/authapi")
            .env("AUTHAPI_DATABASE__LISTEN_URL", wrong)
            .refused();
        assert!(line.starts_with("AUTHAPI_DATABASE__LISTEN_URL "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn variables_of_tests_and_of_kubernetes_are_ignored() {
    start()
        .env("AUTHAPI_TEST_DATABASE", "x")
        .env("AUTHAPI_SERVICE_HOST", "10.0.0.1")
        .env("AUTHAPI_PORT", "tcp://10.0.0.1:8000")
        .env("AUTHAPI_PORT_8000_TCP_ADDR", "10.0.0.1")
        .env("AUTHAPI_REDIS_PORT", "tcp://10.0.0.2:6379")
        .env("AUTHAPI_DB_SERVICE_HOST", "10.0.0.3")
        .env("AUTHAPI_DB_SERVICE_PORT_POSTGRES", "5432")
        .env("AUTHAPI_DB_PORT_5432_TCP_ADDR", "10.0.0.3")
        .load();
    for (name, value) in [
        ("AUTHAPI_PORT", "8000"),
        ("AUTHAPI_REDIS__PROT", "6379"),
        ("AUTHAPI_REDIS_PORT", "6379"),
        ("AUTHAPI_SERVER__PORT", "tcp://10.0.0.2:6379"),
        ("AUTHAPI_SERVICE_HOST", "auth.example.com"),
    ] {
        let line = start().env(name, value).refused();
        assert!(line.starts_with(name), "{line}");
    }
}

#[test]
fn an_empty_variable_is_unset() {
    let settings = start()
        .env("AUTHAPI_SERVER__PORT", "")
        .env("AUTHAPI_REDIS__URL", "")
        .load();
    assert_eq!(settings.server.port, 8000);
}

#[test]
fn a_secret_read_from_a_file_loses_one_newline() {
    for (content, secret) in [
        ("hunter2 ", "hunter2 "),
        ("hunter2\n", "hunter2"),
        ("a\n\r\n", "a\n"),
    ] {
        let start = start().file("secret", content);
        let path = start.path("secret");
        let start = start.env("AUTHAPI_BOOTSTRAP__ADMIN_LOGIN", "root").env(
            "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE",
            path.to_str().expect("the path is UTF-8"),
        );
        let password = start
            .load()
            .bootstrap
            .admin_password
            .expect("the password is set");
        assert_eq!(password.expose_secret(), secret);
    }
}

#[test]
fn a_secret_set_twice_or_with_a_missing_file_is_refused() {
    let line = start()
        .file(".env", "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD=hunter2")
        .env("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE", "secret")
        .refused();
    assert_eq!(
        line,
        "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD (.env) and AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE (environment) are both \
         set; keep one of them"
    );
    let line = start()
        .env("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD_FILE", "/nowhere/secret")
        .refused();
    assert!(
        line.contains("ADMIN_PASSWORD_FILE (environment): the file /nowhere/secret cannot be read: "),
        "{line}"
    );
}

#[test]
fn only_secrets_can_be_read_from_files() {
    let line = start().env("AUTHAPI_SERVER__PORT_FILE", "port").refused();
    assert!(line.contains("is not a setting"), "{line}");
}

#[test]
fn weak_hashing_must_be_allowed_explicitly() {
    let weak = || {
        start()
            .env("AUTHAPI_PASSWORD__MEMORY_KIB", "64")
            .env("AUTHAPI_PASSWORD__ITERATIONS", "1")
    };
    assert!(weak().refused().contains("AUTHAPI_PASSWORD__MEMORY_KIB"));
    weak().env("AUTHAPI_PASSWORD__ALLOW_WEAK_HASHING", "true").load();
    let one_pass = start()
        .env("AUTHAPI_PASSWORD__MEMORY_KIB", "47104")
        .env("AUTHAPI_PASSWORD__ITERATIONS", "1");
    one_pass.load();
}

#[test]
fn the_default_issuer_is_the_url_of_the_server() {
    for (host, issuer) in [
        ("127.0.0.1", "http://127.0.0.1:90"),
        ("::1", "http://[::1]:90"),
        ("0.0.0.0", "http://localhost:90"),
    ] {
        let start = start()
            .env("AUTHAPI_SERVER__HOST", host)
            .env("AUTHAPI_SERVER__PORT", "90");
        assert_eq!(start.load().tokens.issuer, issuer);
    }
}

#[test]
fn metrics_and_traces_are_disabled_by_default() {
    let settings = start().load();
    assert_eq!(settings.metrics.port, None);
    assert_eq!(settings.traces.otlp_endpoint, None);
    let file = "[metrics]\nport = 9464\n[traces]\nsample_ratio = 0.25\n";
    let settings = start()
        .file("authapi.toml", file)
        .env("AUTHAPI_TRACES__OTLP_ENDPOINT", "http://127.0.0.1:4318/")
        .load();
    assert_eq!(settings.metrics.port, Some(9464));
    assert!((settings.traces.sample_ratio.get() - 0.25).abs() < f64::EPSILON);
    let collector = settings.traces.otlp_endpoint.expect("the collector is set");
    assert_eq!(collector.traces(), "http://127.0.0.1:4318/v1/traces");
    let settings = start().env("AUTHAPI_METRICS__PORT", " 0 ").load();
    assert_eq!(settings.metrics.port, Some(0));
}

#[test]
fn effective_settings_include_every_setting_and_no_secret() {
    let start = start()
        .file(".env", "AUTHAPI_TOKENS__REFRESH_TTL=120d")
        .env("AUTHAPI_BOOTSTRAP__ADMIN_LOGIN", "root")
        .env("AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD", "hunter2")
        .env("AUTHAPI_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,::1")
        .env("AUTHAPI_USERS__DEFAULT_ROLES", "user,reader")
        .env("AUTHAPI_AUDIT__RETENTION", "400d");
    let loaded = load(&start.sources).expect("the settings are valid");
    let lines: Vec<String> = loaded.effective().iter().map(ToString::to_string).collect();
    for line in [
        "AUTHAPI_SERVER__PORT = 8000",
        "AUTHAPI_DATABASE__URL = sqlite://data/authapi.db",
        "AUTHAPI_TOKENS__REFRESH_TTL = 120d  # .env",
        "AUTHAPI_TOKENS__REFRESH_IDLE_TTL = 30d",
        "AUTHAPI_BOOTSTRAP__ADMIN_PASSWORD = ***  # environment",
        "AUTHAPI_SERVER__TRUSTED_PROXIES = 10.0.0.0/8,::1/128  # environment",
        "AUTHAPI_USERS__DEFAULT_ROLES = reader,user  # environment",
        "AUTHAPI_AUDIT__RETENTION = 400d  # environment",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line} in {lines:#?}");
    }
    assert_eq!(lines.len(), known_keys().len());
    assert!(!format!("{lines:?}{loaded:?}").contains("hunter2"));
}

#[test]
fn events_are_kept_for_a_year_unless_the_setting_says_otherwise() {
    let year = Duration::from_hours(365 * 24);
    assert_eq!(start().load().audit.retention, Some(year));
    let start = start().env("AUTHAPI_AUDIT__RETENTION", "forever");
    let forever = load(&start.sources).expect("the settings are valid");
    assert_eq!(forever.settings.audit.retention, None);
    let expected = "AUTHAPI_AUDIT__RETENTION = forever  # environment";
    let mut shown = forever.effective().into_iter();
    assert!(shown.any(|setting| setting.to_string() == expected));
}

#[test]
fn pages_of_other_origins_are_not_admitted_by_default() {
    let settings = start().load();
    assert!(settings.cors.origins.is_empty());
    assert_eq!(String::from(settings.cookies.path_prefix), "");
}

#[test]
fn each_wrong_origin_is_named_with_the_form_that_browsers_send() {
    let origins = [
        "https://App.example:443",
        "*",
        "https://b.example/x",
        "https://c.example",
    ];
    let line = start().env("AUTHAPI_CORS__ORIGINS", &origins.join(",")).refused();
    let file = format!("[cors]\norigins = {origins:?}\n");
    let in_file = start().file("authapi.toml", &file).refused();
    for line in [line, in_file] {
        for part in [
            r#"; "https://App.example:443" has capital letters"#,
            "; browsers send https://app.example;",
            r#"; "*" would admit every page"#,
            r#"; "https://b.example/x" has a path; browsers send https://b.example"#,
        ] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        let (_, details) = line.split_once("separated by commas").expect("the requirement");
        assert!(!details.contains("c.example"), "{line}");
    }
}

#[test]
fn pages_that_the_network_can_forge_are_refused_if_the_issuer_has_https() {
    let local = "http://localhost:5173,http://app.localhost,http://127.0.0.1:3000,http://[::1]";
    let listing = |issuer: &str, origins: &str| {
        let start = start().env("AUTHAPI_TOKENS__ISSUER", issuer);
        start.env("AUTHAPI_CORS__ORIGINS", origins)
    };
    listing("https://auth.example.com", local).load();
    listing("http://auth.example.com", "http://app.example.com").load();

    let mixed = format!("https://b.example,http://app.example.com,{local}");
    let line = listing("https://auth.example.com", &mixed).refused();
    assert!(line.contains("AUTHAPI_CORS__ORIGINS"), "{line}");
    assert!(
        line.contains("on localhost if AUTHAPI_TOKENS__ISSUER has https"),
        "{line}"
    );
    let (_, details) = line.split_once("; ").expect("the cause");
    let expected = r#""http://app.example.com" has plain http, so the network can forge its pages"#;
    assert_eq!(details, expected);
}

/// Settings whose default is unset or depends on the machine.
const COMMENTED_OUT: [&str; 10] = [
    "bootstrap.admin_login",
    "bootstrap.admin_password",
    "database.listen_url",
    "metrics.port",
    "password.breached_file",
    "password.forbidden_words",
    "password.hash_threads",
    "redis.url",
    "tokens.issuer",
    "traces.otlp_endpoint",
];

#[test]
fn the_example_contains_every_setting_with_its_default() {
    let example = include_str!("../../../../.env.example");
    for key in known_keys() {
        let line = format!(
            "\n{}{}",
            if COMMENTED_OUT.contains(&key.as_str()) {
                "# "
            } else {
                ""
            },
            variable(&key)
        );
        assert!(
            example.contains(&format!("{line}=")) || example.contains(&format!("{line}_FILE=")),
            "{key}"
        );
    }
    let copied = start().file(".env", example);
    assert_eq!(tree_of(&copied.load()), tree_of(&start().load()));
    let (written, errors) = layers::read(&copied.sources);
    assert!(errors.is_empty(), "{errors:?}");
    // `cookies.path_prefix`, `cors.origins` and `server.trusted_proxies` are empty.
    let unset = COMMENTED_OUT.len() + 3;
    assert_eq!(written.len(), known_keys().len() - unset);
}
