//! Rules that settings must meet.

mod table;

use super::{
    Layers, LogLevel, Settings, SettingsError, SourceValue, TokensSettings, convert, format::span,
    layers::variable,
};
use api_http::WebOrigin;
use serde_json::Value;
use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};
pub(super) use table::rules;

/// The rule of one setting: a requirement in words and a check. Constructors format the bounds into
/// the requirement.
pub(super) struct Rule {
    pub(super) key: &'static str,
    /// The requirement, which completes the sentence "it must be ...".
    requirement: String,
    is_met: Box<dyn Fn(&Settings) -> bool>,
}

impl Rule {
    /// Creates a rule without a check, for settings whose type accepts only valid values.
    fn parsed(key: &'static str, requirement: impl Into<String>) -> Self {
        Self::checked(key, requirement, |_| true)
    }

    fn boolean(key: &'static str) -> Self {
        Self::parsed(key, "true or false")
    }

    fn checked(
        key: &'static str,
        requirement: impl Into<String>,
        is_met: impl Fn(&Settings) -> bool + 'static,
    ) -> Self {
        Self {
            key,
            requirement: requirement.into(),
            is_met: Box::new(is_met),
        }
    }

    fn number<N: TryInto<u64>>(
        key: &'static str,
        range: RangeInclusive<u64>,
        value: impl Fn(&Settings) -> N + 'static,
    ) -> Self {
        let requirement = format!("a number from {} to {}", range.start(), range.end());
        Self::checked(key, requirement, move |settings| {
            value(settings)
                .try_into()
                .is_ok_and(|value| range.contains(&value))
        })
    }

    /// Creates a rule for a duration of at most `max`; `example` is shown in the requirement.
    fn duration(
        key: &'static str,
        example: &str,
        max: Duration,
        value: impl Fn(&Settings) -> Duration + 'static,
    ) -> Self {
        let requirement = format!("a duration such as {example}, at most {}", span::written(max));
        Self::checked(key, requirement, move |settings| value(settings) <= max)
    }
}

/// Settings whose rules depend on each other. Only the first invalid one of a group is reported,
/// because the others may be valid once it is corrected.
const LINKED: [&[&str]; 6] = [
    &["bootstrap.admin_login", "bootstrap.admin_password"],
    &["cors.origins", "tokens.issuer"],
    &["database.listen_url", "database.url"],
    &["metrics.host", "metrics.port", "server.host", "server.port"],
    &[
        "password.allow_weak_hashing",
        "password.iterations",
        "password.memory_kib",
    ],
    &[
        "tokens.access_ttl",
        "tokens.refresh_idle_ttl",
        "tokens.refresh_ttl",
    ],
];

/// Checks `settings` against every rule, and returns the errors.
///
/// `settings` contain defaults in place of `malformed` ones and, unless the sources were read
/// completely (`is_complete`), possibly of others.
pub(super) fn violations(
    settings: &Settings,
    layers: &Layers,
    malformed: &BTreeSet<String>,
    is_complete: bool,
) -> Vec<SettingsError> {
    let rules = rules();
    let violated = rules.iter().filter(|rule| !(rule.is_met)(settings));
    let violated = violated.map(|rule| rule.key);
    let mut reported: Vec<&str> = Vec::new();
    for key in violated.chain(lifetime_out_of_order(&settings.tokens, layers)) {
        let linked = linked(key);
        let may_be_a_consequence = !(linked.is_empty() || is_complete)
            || linked
                .iter()
                .any(|linked| malformed.contains(*linked) || reported.contains(linked));
        if !may_be_a_consequence {
            reported.push(key);
        }
    }
    let errors = reported.into_iter().map(|key| wrong(key, layers));
    errors.collect()
}

fn linked(key: &str) -> &'static [&'static str] {
    let group = LINKED.into_iter().find(|group| group.contains(&key));
    group.unwrap_or_default()
}

/// Returns the lifetime to report if an access token may outlive its session: of two lifetimes in
/// the wrong order, the one that is set explicitly.
fn lifetime_out_of_order(tokens: &TokensSettings, layers: &Layers) -> Option<&'static str> {
    let lifetimes = [
        ("tokens.access_ttl", tokens.access_ttl),
        ("tokens.refresh_idle_ttl", tokens.refresh_idle_ttl),
        ("tokens.refresh_ttl", tokens.refresh_ttl),
    ];
    let mut pairs = lifetimes.iter().zip(lifetimes.iter().skip(1));
    let ((shorter, _), (longer, _)) = pairs.find(|((_, short), (_, long))| short > long)?;
    Some(if layers.contains_key(*shorter) {
        shorter
    } else {
        longer
    })
}

/// Returns the error for `key`. It includes the value, unless that may be a secret.
pub(super) fn wrong(key: &str, layers: &Layers) -> SettingsError {
    let rule = requirement(key);
    let Some(written) = layers.get(key) else {
        return SettingsError::Wrong {
            name: variable(key),
            value: " (default)".to_owned(),
            rule,
        };
    };
    // The URL of a collector is invalid if it contains a password, and must not be printed then.
    let may_hold_a_secret = super::SECRETS.contains(&key) || key == "traces.otlp_endpoint";
    let value = match written.value.clone().into_string() {
        Ok(text) if !may_hold_a_secret => format!(": {:?}", text.chars().take(60).collect::<String>()),
        _ => String::new(),
    };
    SettingsError::Wrong {
        name: written.to_string(),
        value,
        rule: format!("{rule}{}", detail(key, written)),
    }
}

/// Returns what is wrong with the part of a value that the requirement alone does not identify.
fn detail(key: &str, written: &SourceValue) -> String {
    let refused = match (key, written.value.clone().into_string()) {
        ("cors.origins", _) => return refused_origins(written),
        ("log.level", Ok(text)) => text.parse::<LogLevel>().err(),
        _ => None,
    };
    refused.map(|refused| format!("; {refused}")).unwrap_or_default()
}

/// Returns what is wrong with each origin of a list.
fn refused_origins(written: &SourceValue) -> String {
    let list = convert(&Value::Array(Vec::new()), &written.value);
    let texts = list
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str);
    let origins: Vec<_> = texts.map(|text| (text, WebOrigin::parse(text))).collect();
    let refused = origins.iter().filter_map(|(text, origin)| {
        let refused = origin.as_ref().err()?;
        Some(format!("; {text:?} {refused}"))
    });
    let refused: String = refused.collect();
    if !refused.is_empty() {
        return refused;
    }
    let forged = origins.iter().filter_map(|(text, origin)| {
        let can_be_forged = origin.as_ref().is_ok_and(WebOrigin::can_be_forged);
        can_be_forged.then(|| format!("; {text:?} has plain http, so the network can forge its pages"))
    });
    forged.collect()
}

fn requirement(key: &str) -> String {
    let rule = rules().into_iter().find(|rule| rule.key == key);
    rule.map_or_else(
        || "it cannot be parsed".to_owned(),
        |rule| format!("it must be {}", rule.requirement),
    )
}
