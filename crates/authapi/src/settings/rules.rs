//! Rules that settings must meet.

mod table;

use super::{Layers, Settings, SettingsError, TokensSettings, format::span, layers::variable};
use std::{ops::RangeInclusive, time::Duration};
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

/// Checks `settings` against every rule.
///
/// # Errors
/// [`SettingsError`] for the first rule that is violated.
pub(super) fn check(settings: &Settings, layers: &Layers) -> Result<(), SettingsError> {
    let rules = rules();
    let violated = rules.iter().find(|rule| !(rule.is_met)(settings));
    let violated = violated
        .map(|rule| rule.key)
        .or_else(|| lifetime_out_of_order(&settings.tokens, layers));
    violated.map_or(Ok(()), |key| Err(wrong(key, layers)))
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

/// Returns the error for `key`. It includes the value, unless that may contain a secret.
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
        rule,
    }
}

fn requirement(key: &str) -> String {
    let rule = rules().into_iter().find(|rule| rule.key == key);
    rule.map_or_else(
        || "it cannot be parsed".to_owned(),
        |rule| format!("it must be {}", rule.requirement),
    )
}
