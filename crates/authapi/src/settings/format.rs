//! Formats of settings that serde does not support.

use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, net::IpAddr, path::PathBuf};

/// Durations such as `15m` or `30d`.
pub mod span {
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    const UNITS: [(u128, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        humantime_serde::deserialize(deserializer)
    }

    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&written(*span))
    }

    /// Formats `span` in the largest unit that divides it. humantime would format 90 days as months
    /// and days.
    pub fn written(span: Duration) -> String {
        let millis = span.as_millis();
        if millis == 0 {
            return "0s".to_owned();
        }
        UNITS
            .into_iter()
            .find(|(unit, _)| millis.is_multiple_of(*unit))
            .map_or_else(
                || format!("{millis}ms"),
                |(unit, name)| format!("{}{name}", millis / unit),
            )
    }
}

/// Durations, or `forever`, which is `None`.
pub mod span_or_forever {
    use super::span_or;
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    const FOREVER: &str = "forever";

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        span_or::deserialize(FOREVER, deserializer)
    }

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span_or::serialize(*span, FOREVER, serializer)
    }
}

/// Durations, or `never`, which is `None`.
pub mod span_or_never {
    use super::span_or;
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    const NEVER: &str = "never";

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        span_or::deserialize(NEVER, deserializer)
    }

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub fn serialize<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        span_or::serialize(*span, NEVER, serializer)
    }
}

/// Durations, or a word that stands for none.
mod span_or {
    use super::span::written;
    use humantime_serde::re::humantime::parse_duration;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::time::Duration;

    pub fn deserialize<'de, D: Deserializer<'de>>(
        none: &str,
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == none {
            return Ok(None);
        }
        parse_duration(&text).map(Some).map_err(D::Error::custom)
    }

    pub fn serialize<S: Serializer>(
        span: Option<Duration>,
        none: &str,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.serialize_str(&written(span)),
            None => serializer.serialize_str(none),
        }
    }
}

/// Parses networks in CIDR notation; an address without a prefix length is a network of one.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(|text| {
            text.parse()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                .map_err(D::Error::custom)
        })
        .collect()
}

/// Serialises a secret that is set as `***`.
#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
pub fn hidden<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(_) => serializer.serialize_some("***"),
        None => serializer.serialize_none(),
    }
}

/// A database: `sqlite://` and a file path, or a Postgres URL.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// A Postgres URL, which may contain a password.
    Postgres(SecretString),
}

impl Default for DatabaseUrl {
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("data/authapi.db"))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://***"),
        }
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let url = String::deserialize(deserializer)?;
        if let Some((_, rest)) = url.split_once("://").filter(|(scheme, _)| is_postgres(scheme)) {
            return if is_encoded(rest) {
                Ok(Self::Postgres(SecretString::from(url)))
            } else {
                Err(D::Error::custom("the user or the password is not encoded"))
            };
        }
        match url.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && path != ":memory:" && !path.contains('?') => {
                Ok(Self::Sqlite(PathBuf::from(path)))
            }
            _ => Err(D::Error::custom("neither a database file nor a Postgres URL")),
        }
    }
}

fn is_postgres(scheme: &str) -> bool {
    matches!(scheme, "postgres" | "postgresql")
}

/// Returns whether the delimiters of a URL, of which `rest` follows the scheme, are where they
/// belong. A user or password that contains one unencoded moves the others.
fn is_encoded(rest: &str) -> bool {
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    let (_, hosts) = authority.split_once('@').unwrap_or(("", authority));
    let is_misplaced = rest.contains('#')
        || hosts.contains('@')
        || path.contains('@')
        || (query.contains('@') && !hosts.split(',').all(has_valid_port));
    let mut names = query
        .split('&')
        .filter_map(|parameter| parameter.split('=').next());
    !is_misplaced && names.all(|name| !name.contains('@'))
}

/// Returns whether `host`, which may be an IPv6 address in brackets, has a port or none.
fn has_valid_port(host: &str) -> bool {
    let after_address = host.rsplit(']').next().unwrap_or(host);
    let port = after_address.rsplit_once(':').map(|(_, port)| port);
    port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_accepted(url: &str) -> bool {
        serde_json::from_value::<DatabaseUrl>(url.into()).is_ok()
    }

    #[test]
    fn a_raw_delimiter_in_a_user_or_password_is_refused() {
        for part in [
            "a@b", "a/b", "a?b", "a#b", "@", "/", "1/2", "1?2", "1?a=b", "a:b/c", "a?b=c",
        ] {
            for url in [
                format!("postgres://me:{part}@db:5432/authapi"),
                format!("postgresql://me:{part}@db/authapi?sslmode=require"),
            ] {
                let is_ambiguous = part == "1?a=b";
                assert_eq!(is_accepted(&url), is_ambiguous, "{url}");
            }
        }
        assert!(!is_accepted("postgres://a@b:secret@db/authapi"));
    }

    #[test]
    fn valid_database_urls_are_accepted() {
        for url in [
            "postgres://db/authapi",
            "postgres://me@db:5432/authapi",
            "postgres://me:p%40%2F%3F%23%3A@db/authapi",
            "postgres://me:a:b@db/authapi",
            "postgres://me@[fd00::1]:5432,[fd00::2]/authapi?sslmode=verify-full&sslrootcert=/a@b.pem",
            "postgres://db1:5432,db2:5433/authapi?user=me@example.com",
            "postgres:///authapi?host=/run/postgresql",
            "postgres://%2Frun%2Fpostgresql/authapi",
            "sqlite://data/a#b@c.db",
        ] {
            assert!(is_accepted(url), "{url}");
        }
    }
}
