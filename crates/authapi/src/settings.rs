//! Settings: defaults, overridden by `authapi.toml`, then `.env`, then the environment.
//!
//! The keys that [`Settings::default`] serialises to are the valid ones; any other key is an error.

mod accounts;
mod browsers;
pub mod dotenv;
mod effective;
mod error;
mod format;
mod kubernetes;
mod layers;
mod log_level;
mod observed;
mod rules;
mod sections;
#[cfg(test)]
mod tests;
mod tokens;
mod warnings;

pub use accounts::{AuditSettings, UsersSettings};
pub use browsers::{CookiesSettings, CorsSettings};
pub use effective::EffectiveSetting;
pub use error::SettingsError;
pub use format::DatabaseUrl;
pub use layers::{Sources, variable};
pub use log_level::LogLevel;
pub use observed::{CollectorUrl, MetricsSettings, SampleRatio, TracesSettings};
pub use sections::{
    BootstrapSettings, DatabaseSettings, DocsSettings, KeysSettings, LogFormat, LogSettings,
    PasswordSettings, RedisSettings, ServerSettings, SessionCacheSettings, ThrottleSettings, cores,
};
pub use tokens::TokensSettings;
pub use warnings::{SettingsWarning, warnings};

use config::{Value as RawValue, ValueKind};
use layers::{Layers, SourceValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Settings that can be read from a file (`..._FILE`) and are never printed.
const SECRETS: [&str; 4] = [
    "bootstrap.admin_password",
    "database.listen_url",
    "database.url",
    "redis.url",
];

/// All settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub server: ServerSettings,
    pub cors: CorsSettings,
    pub cookies: CookiesSettings,
    pub database: DatabaseSettings,
    pub redis: RedisSettings,
    pub session_cache: SessionCacheSettings,
    pub keys: KeysSettings,
    pub tokens: TokensSettings,
    pub password: PasswordSettings,
    pub throttle: ThrottleSettings,
    pub users: UsersSettings,
    pub audit: AuditSettings,
    pub docs: DocsSettings,
    pub bootstrap: BootstrapSettings,
    pub log: LogSettings,
    pub metrics: MetricsSettings,
    pub traces: TracesSettings,
}

/// Settings and their sources.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    layers: Layers,
}

/// Reads, parses and validates the settings.
///
/// # Errors
/// Every invalid setting.
pub fn load(sources: &Sources) -> Result<Loaded, Vec<SettingsError>> {
    let (layers, mut errors) = layers::read(sources);
    let is_complete = errors.is_empty();
    let Parsed {
        mut settings,
        malformed,
        unknown,
    } = parse(&layers);
    derive_defaults(&mut settings, &layers);
    errors.extend(unknown);
    errors.extend(malformed.iter().map(|key| rules::wrong(key, &layers)));
    errors.extend(rules::violations(&settings, &layers, &malformed, is_complete));
    if errors.is_empty() {
        Ok(Loaded { settings, layers })
    } else {
        Err(errors)
    }
}

/// The settings of all layers, parsed.
struct Parsed {
    /// Contain the defaults in place of malformed values.
    settings: Settings,
    /// The keys of malformed values.
    malformed: BTreeSet<String>,
    unknown: Vec<SettingsError>,
}

fn parse(layers: &Layers) -> Parsed {
    let defaults = tree_of(&Settings::default());
    let mut tree = defaults.clone();
    let (mut malformed, mut unknown) = (BTreeSet::new(), Vec::new());
    for (key, written) in layers {
        let pointer = format!("/{}", key.replace('.', "/"));
        let Some(slot) = tree.pointer_mut(&pointer).filter(|slot| !slot.is_object()) else {
            unknown.push(self::unknown(key, written));
            continue;
        };
        let value = convert(slot, &written.value).filter(|value| is_valid(&defaults, &pointer, value));
        match value {
            Some(value) => *slot = value,
            None => {
                malformed.insert(key.clone());
            }
        }
    }
    Parsed {
        settings: serde_json::from_value(tree).expect("each value was parsed alone"),
        malformed,
        unknown,
    }
}

/// Returns whether `value` at `pointer` can be parsed, with `defaults` in all other places.
fn is_valid(defaults: &Value, pointer: &str, value: &Value) -> bool {
    let mut tree = defaults.clone();
    if let Some(slot) = tree.pointer_mut(pointer) {
        *slot = value.clone();
    }
    serde_json::from_value::<Settings>(tree).is_ok()
}

fn tree_of(settings: &Settings) -> Value {
    serde_json::to_value(settings).expect("settings serialise to texts, numbers and lists")
}

/// Converts `written` to the type of `default`, since variables are always text. Does not coerce
/// other types: `true` is not a port, and 80.6 is not 81.
fn convert(default: &Value, written: &RawValue) -> Option<Value> {
    let text = match &written.kind {
        ValueKind::String(text) => text.trim().to_owned(),
        ValueKind::Boolean(_) | ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::Float(_) => {
            written.to_string()
        }
        ValueKind::Array(items) if default.is_array() => {
            let items = items.iter().map(|item| item.clone().into_string().ok());
            return items.collect::<Option<Vec<_>>>().map(Value::from);
        }
        _ => return None,
    };
    match default {
        Value::Bool(_) => text.parse::<bool>().ok().map(Value::from),
        Value::Number(_) => text.parse::<u64>().ok().map(Value::from),
        Value::Array(_) => Some(text.split(',').map(str::trim).map(Value::from).collect()),
        // Leading and trailing spaces may be part of a text, above all of a secret.
        _ => written.clone().into_string().ok().map(Value::from),
    }
}

/// Sets the defaults that depend on other settings.
fn derive_defaults(settings: &mut Settings, layers: &Layers) {
    if matches!(settings.database.url, DatabaseUrl::Postgres(_))
        && !layers.contains_key("keys.generate_missing")
    {
        settings.keys.generate_missing = false;
    }
    if settings.tokens.issuer.is_empty() {
        settings.tokens.issuer = settings.server.url(settings.server.port);
    }
}

fn unknown(key: &str, written: &SourceValue) -> SettingsError {
    let nearest = known_keys()
        .into_iter()
        .map(|known| {
            (
                strsim::jaro_winkler(&known.replace('.', "_"), &key.replace(['.', '_'], "_")),
                known,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.9)
        .max_by(|(one, _), (other, _)| one.total_cmp(other));
    SettingsError::Unknown {
        name: written.to_string(),
        suggestion: nearest
            .map(|(_, known)| format!(": did you mean {}?", layers::spelled_like(&written.name, &known)))
            .unwrap_or_default(),
    }
}

/// Returns all valid keys.
fn known_keys() -> Vec<String> {
    leaves(&tree_of(&Settings::default()))
        .into_iter()
        .map(|(key, _)| key)
        .collect()
}

/// Returns the leaves of a tree with their keys, in the order of the sections.
fn leaves(tree: &Value) -> Vec<(String, Value)> {
    let sections = tree.as_object().into_iter().flat_map(Map::iter);
    sections
        .flat_map(|(section, settings)| {
            let settings = settings.as_object().into_iter().flat_map(Map::iter);
            settings.map(move |(name, value)| (format!("{section}.{name}"), value.clone()))
        })
        .collect()
}
