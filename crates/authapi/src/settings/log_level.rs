//! The level of the log.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};
use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// The packages that this program is built from; their names are the targets of log lines.
const PACKAGES: &str = include_str!("../../../../Cargo.lock");

/// What is logged: a level, directives such as `info,domain=debug`, or both. In the syntax of
/// [`EnvFilter`], except that a single word is a level and never a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevel(String);

/// Why a text is not a [`LogLevel`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LogLevelRefused {
    #[error("{0:?} is not a level")]
    Level(String),
    #[error("{0:?} is not a directive such as domain=debug")]
    Directive(String),
    #[error("{target:?} is not a crate of this program{suggestion}")]
    Target { target: String, suggestion: String },
}

impl LogLevel {
    /// Returns the level of warnings and errors.
    #[must_use]
    pub fn warnings() -> Self {
        Self("warn".to_owned())
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LogLevel {
    type Err = LogLevelRefused;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let directives = text.split(',').map(|part| directive(part.trim()));
        let directives = directives.collect::<Result<Vec<_>, _>>()?.join(",");
        match EnvFilter::try_new(&directives) {
            Ok(_) => Ok(Self(directives)),
            Err(_) => Err(LogLevelRefused::Directive(text.to_owned())),
        }
    }
}

/// Parses a level, `target=level`, `target[span]`, or `target[span]=level`; the target of the last
/// two may be missing.
fn directive(text: &str) -> Result<String, LogLevelRefused> {
    let Some(end) = text.find(['=', '[']) else {
        return level(text).map(str::to_owned);
    };
    let (target, rest) = text.split_at(end);
    let (span, rest) = rest.split_at(rest.rfind(']').map_or(0, |last| last + 1));
    if !target.is_empty() {
        check_target(target)?;
    }
    match rest.strip_prefix('=') {
        Some(word) if !(target.is_empty() && span.is_empty()) => {
            Ok(format!("{target}{span}={}", level(word)?))
        }
        None if rest.is_empty() => Ok(text.to_owned()),
        _ => Err(LogLevelRefused::Directive(text.to_owned())),
    }
}

fn level(word: &str) -> Result<&'static str, LogLevelRefused> {
    match word.to_ascii_lowercase().as_str() {
        "off" => Ok("off"),
        "error" => Ok("error"),
        "warn" | "warning" => Ok("warn"),
        "info" => Ok("info"),
        "debug" => Ok("debug"),
        "trace" => Ok("trace"),
        _ => Err(LogLevelRefused::Level(word.to_owned())),
    }
}

/// Checks that log lines can have `target`: a crate, the beginning of its name, or one of its
/// modules.
fn check_target(target: &str) -> Result<(), LogLevelRefused> {
    let exists = match target.split_once("::") {
        Some((target, _)) => crates().any(|name| name == target),
        None => crates().any(|name| name.starts_with(target)),
    };
    if exists {
        return Ok(());
    }
    let nearest = crates()
        .map(|name| (strsim::jaro_winkler(&name, target), name))
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    Err(LogLevelRefused::Target {
        target: target.to_owned(),
        suggestion: nearest
            .map(|(_, name)| format!(": did you mean {name}?"))
            .unwrap_or_default(),
    })
}

/// Returns the names of all crates of this program, as they are in log lines: OpenTelemetry uses
/// the names of its packages.
fn crates() -> impl Iterator<Item = String> {
    let names = PACKAGES.lines().filter_map(|line| line.strip_prefix("name = \""));
    names.map(|name| match name.trim_end_matches('"') {
        name if name.starts_with("opentelemetry") => name.to_owned(),
        name => name.replace('-', "_"),
    })
}

impl Serialize for LogLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LogLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter;

    #[test]
    fn levels_and_directives_are_accepted() {
        for (text, level) in [
            ("info", "info"),
            ("warning", "warn"),
            (" WARNING ", "warn"),
            ("Debug", "debug"),
            ("off", "off"),
            ("info, domain=debug", "info,domain=debug"),
            ("warning,api_http=warning", "warn,api_http=warn"),
            ("warn,adapters_sqlite=trace", "warn,adapters_sqlite=trace"),
            ("opentelemetry-otlp=debug", "opentelemetry-otlp=debug"),
            ("actix=info", "actix=info"),
            ("authapi::app=debug", "authapi::app=debug"),
            ("[request]=debug", "[request]=debug"),
            ("info,[request]", "info,[request]"),
            (
                "domain[request{id=\"a=b\"}]=warning",
                "domain[request{id=\"a=b\"}]=warn",
            ),
        ] {
            assert_eq!(text.parse(), Ok(LogLevel(level.to_owned())), "{text}");
        }
    }

    #[test]
    fn words_that_are_not_levels_and_unknown_targets_are_refused() {
        for (text, refused) in [
            ("", "\"\" is not a level"),
            ("loud", "\"loud\" is not a level"),
            ("3", "\"3\" is not a level"),
            ("domain", "\"domain\" is not a level"),
            ("info,,warn", "\"\" is not a level"),
            ("info,domain=loud", "\"loud\" is not a level"),
            ("domain=", "\"\" is not a level"),
            ("=info", "\"=info\" is not a directive such as domain=debug"),
            (
                "domain[request]x",
                "\"domain[request]x\" is not a directive such as domain=debug",
            ),
            ("xyzzy=debug", "\"xyzzy\" is not a crate of this program"),
            (
                "domian=debug",
                "\"domian\" is not a crate of this program: did you mean domain?",
            ),
            (
                "adapters-sqlite=debug",
                "\"adapters-sqlite\" is not a crate of this program: did you mean adapters_sqlite?",
            ),
            (
                "doma::login=debug",
                "\"doma::login\" is not a crate of this program",
            ),
        ] {
            let message = text.parse::<LogLevel>().expect_err("a refusal").to_string();
            assert!(message.starts_with(refused), "{text}: {message}");
        }
    }

    #[test]
    fn the_word_warning_keeps_warnings() {
        let level: LogLevel = "warning".parse().expect("a level");
        let filter = EnvFilter::try_new(level.to_string()).expect("a filter");
        assert_eq!(filter.max_level_hint(), Some(LevelFilter::WARN));
    }
}
