//! What each setting must be.

mod table;

use super::{Layers, Settings, SettingsError, TokensSettings, format::span, layers::variable};
use std::{ops::RangeInclusive, time::Duration};
pub(super) use table::rules;

/// What one setting must be, as a text and as a check. A bound stands in the constructor's argument and is written into
/// the text from there.
pub(super) struct Rule {
    pub(super) key: &'static str,
    /// Goes on from "it must be".
    requirement: String,
    is_met: Box<dyn Fn(&Settings) -> bool>,
}

impl Rule {
    /// A rule that needs no check: only values that meet it can be parsed.
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

    /// A duration of at most `max`, with an example of one.
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
/// The first violation.
pub(super) fn check(settings: &Settings, layers: &Layers) -> Result<(), SettingsError> {
    let rules = rules();
    let violated = rules.iter().find(|rule| !(rule.is_met)(settings));
    let violated = violated
        .map(|rule| rule.key)
        .or_else(|| lifetime_out_of_order(&settings.tokens, layers));
    violated.map_or(Ok(()), |key| Err(wrong(key, layers)))
}

/// Returns the lifetime to blame when an access token may outlive a session: of two in the wrong order, the one that was
/// set.
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

/// Returns the error for `key`. It shows the value that was set, unless that may hold a secret.
pub(super) fn wrong(key: &str, layers: &Layers) -> SettingsError {
    let rule = requirement(key);
    let Some(written) = layers.get(key) else {
        return SettingsError::Wrong {
            name: variable(key),
            value: " (default)".to_owned(),
            rule,
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
        rule,
    }
}

fn requirement(key: &str) -> String {
    let rule = rules().into_iter().find(|rule| rule.key == key);
    rule.map_or_else(
        || "it cannot be understood".to_owned(),
        |rule| format!("it must be {}", rule.requirement),
    )
}
