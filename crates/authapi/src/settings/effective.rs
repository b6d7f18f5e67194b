//! The effective settings, as `authapi config check` prints them.

use super::{Loaded, layers::variable, leaves, tree_of};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// An effective setting. Secrets that are set are `***`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveSetting {
    /// The environment variable of the setting.
    pub name: String,
    /// The value; `null` if the setting is unset and has no default.
    pub value: Value,
    /// The source of the value: `default`, a file name or `environment`.
    pub source: String,
}

impl Loaded {
    /// Returns all settings; sections and settings are in alphabetical order.
    #[must_use]
    pub fn effective(&self) -> Vec<EffectiveSetting> {
        leaves(&tree_of(&self.settings))
            .into_iter()
            .map(|(key, value)| EffectiveSetting {
                name: variable(&key),
                source: self
                    .layers
                    .get(&key)
                    .map_or_else(|| "default".to_owned(), |written| written.source.clone()),
                value,
            })
            .collect()
    }
}

impl fmt::Display for EffectiveSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match &self.value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(","),
            other => other.to_string(),
        };
        write!(f, "{} = {value}", self.name)?;
        match self.source.as_str() {
            "default" => Ok(()),
            source => write!(f, "  # {source}"),
        }
    }
}
