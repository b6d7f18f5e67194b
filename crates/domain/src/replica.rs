//! Settings that the replicas of one database must share, so that each accepts the tokens of the
//! others and receives their invalidations.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A replica that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningReplica {
    /// New with each start.
    pub id: Uuid,
    pub settings: ReplicaSettings,
}

/// How a replica issues, verifies and revokes tokens. Contains no secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSettings {
    pub issuer: String,
    pub audience: String,
    pub client_id: String,
    /// The id of the key that signs, or is about to.
    pub signing_key: String,
    /// The ids of all keys whose tokens are accepted.
    pub accepted_keys: BTreeSet<String>,
    /// Since when each accepted key is in the replica's JWKS, in milliseconds since 1970; empty for
    /// a replica of a version that does not store it.
    #[serde(default)]
    pub loaded_keys: BTreeMap<String, i64>,
    /// A fingerprint of the key that authenticates new refresh tokens.
    pub refresh_key: String,
    /// The fingerprints of all keys whose refresh tokens are accepted; empty for a replica of a
    /// version that accepts only those of `refresh_key`.
    #[serde(default)]
    pub accepted_refresh_keys: BTreeSet<String>,
    /// The id of the audit key; `None` for a replica of a version that has none.
    #[serde(default)]
    pub audit_key: Option<String>,
    /// The kind of the invalidation bus, such as `redis`; `None` for a replica of a version that
    /// does not store it.
    #[serde(default)]
    pub bus: Option<String>,
    pub lifetimes: TokenLifetimes,
}

/// The lifetimes of tokens and sessions, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLifetimes {
    pub access: i64,
    pub refresh_idle: i64,
    pub refresh: i64,
    pub refresh_grace: i64,
    /// How long a check of the password suffices; `None` for a replica of a version that has no
    /// such rule.
    #[serde(default)]
    pub step_up: Option<i64>,
}

/// A setting because of which two replicas reject each other's tokens or audit events, or miss each
/// other's invalidations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedSetting {
    Issuer,
    Audience,
    ClientId,
    SigningKeys,
    RefreshKey,
    AuditKey,
    Bus,
}

/// A shared setting that two replicas do not share. For keys, the values are their ids or
/// fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub setting: SharedSetting,
    pub here: String,
    pub there: String,
}

/// A lifetime. Replicas with different ones accept each other's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifetimeSetting {
    Access,
    RefreshIdle,
    Refresh,
    RefreshGrace,
    StepUp,
}

impl ReplicaSettings {
    /// Returns the settings as stored.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "texts and numbers are JSON")]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON")
    }

    /// Parses stored settings. Ignores what a newer version added.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Returns the first setting because of which this replica or `other` rejects tokens or audit
    /// events of the other one, or misses its invalidations.
    ///
    /// Key sets may differ as long as each contains the other's signing key: during a rotation,
    /// replicas with a newly published or a retired key run next to those without it.
    #[must_use]
    pub fn mismatch(&self, other: &Self) -> Option<Mismatch> {
        let texts = [
            (SharedSetting::Issuer, &self.issuer, &other.issuer),
            (SharedSetting::Audience, &self.audience, &other.audience),
            (SharedSetting::ClientId, &self.client_id, &other.client_id),
        ];
        let different = texts.into_iter().find(|(_, here, there)| here != there);
        let refresh = (SharedSetting::RefreshKey, &self.refresh_key, &other.refresh_key);
        let refresh_differs =
            !(self.accepts_refresh_key(&other.refresh_key) && other.accepts_refresh_key(&self.refresh_key));
        let accepted = self.accepted_keys.contains(&other.signing_key)
            && other.accepted_keys.contains(&self.signing_key);
        let keys = (SharedSetting::SigningKeys, &self.signing_key, &other.signing_key);
        let different = different
            .or(refresh_differs.then_some(refresh))
            .or((!accepted).then_some(keys));
        let Some((setting, here, there)) = different else {
            return self
                .audit_key_mismatch(other)
                .or_else(|| self.bus_mismatch(other));
        };
        Some(Mismatch {
            setting,
            here: here.clone(),
            there: there.clone(),
        })
    }

    /// Returns whether the replica accepts refresh tokens of the key with this fingerprint.
    #[must_use]
    pub fn accepts_refresh_key(&self, fingerprint: &str) -> bool {
        self.refresh_key == fingerprint || self.accepted_refresh_keys.contains(fingerprint)
    }

    /// Returns the audit keys of both if they differ. Each replica would then seal the events of
    /// the other as forged, so they must not run together.
    #[must_use]
    pub fn audit_key_mismatch(&self, other: &Self) -> Option<Mismatch> {
        mismatch_if_both(
            SharedSetting::AuditKey,
            self.audit_key.as_ref(),
            other.audit_key.as_ref(),
        )
    }

    /// Returns the buses of both if they differ. Each replica would then wait for the leases of the
    /// other with every revocation.
    fn bus_mismatch(&self, other: &Self) -> Option<Mismatch> {
        mismatch_if_both(SharedSetting::Bus, self.bus.as_ref(), other.bus.as_ref())
    }

    /// Returns the lifetimes that differ from those of `other`.
    #[must_use]
    pub fn other_lifetimes(&self, other: &Self) -> Vec<LifetimeSetting> {
        let (here, there) = (self.lifetimes, other.lifetimes);
        [
            (LifetimeSetting::Access, here.access == there.access),
            (
                LifetimeSetting::RefreshIdle,
                here.refresh_idle == there.refresh_idle,
            ),
            (LifetimeSetting::Refresh, here.refresh == there.refresh),
            (
                LifetimeSetting::RefreshGrace,
                here.refresh_grace == there.refresh_grace,
            ),
            (
                LifetimeSetting::StepUp,
                here.step_up
                    .zip(there.step_up)
                    .is_none_or(|(here, there)| here == there),
            ),
        ]
        .into_iter()
        .filter_map(|(lifetime, same)| (!same).then_some(lifetime))
        .collect()
    }
}

/// Returns the mismatch if both replicas have the setting and it differs.
fn mismatch_if_both(
    setting: SharedSetting,
    here: Option<&String>,
    there: Option<&String>,
) -> Option<Mismatch> {
    let (here, there) = here.zip(there)?;
    (here != there).then(|| Mismatch {
        setting,
        here: here.clone(),
        there: there.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::replica_settings as settings;

    fn with_keys(signing: &str, accepted: &[&str]) -> ReplicaSettings {
        ReplicaSettings {
            signing_key: signing.to_owned(),
            accepted_keys: accepted.iter().map(|key| (*key).to_owned()).collect(),
            ..settings()
        }
    }

    type Change = fn(&mut ReplicaSettings);

    #[test]
    fn the_first_setting_that_replicas_must_share_and_do_not_is_a_mismatch() {
        let changes: [(Change, SharedSetting, [&str; 2]); 6] = [
            (
                |it| it.issuer = "https://other.example".to_owned(),
                SharedSetting::Issuer,
                ["https://auth.example", "https://other.example"],
            ),
            (
                |it| it.audience = "API".to_owned(),
                SharedSetting::Audience,
                ["api", "API"],
            ),
            (
                |it| it.client_id = "x".to_owned(),
                SharedSetting::ClientId,
                ["authapi", "x"],
            ),
            (
                |it| it.refresh_key = "s".to_owned(),
                SharedSetting::RefreshKey,
                ["r", "s"],
            ),
            (
                |it| it.audit_key = Some("b".to_owned()),
                SharedSetting::AuditKey,
                ["a", "b"],
            ),
            (
                |it| it.bus = Some("postgres".to_owned()),
                SharedSetting::Bus,
                ["redis", "postgres"],
            ),
        ];
        assert_eq!(settings().mismatch(&settings()), None);
        for (change, setting, [here, there]) in changes {
            let mut other = settings();
            change(&mut other);
            let expected = Mismatch {
                setting,
                here: here.to_owned(),
                there: there.to_owned(),
            };
            assert_eq!(settings().mismatch(&other), Some(expected));
        }
    }

    #[test]
    fn replicas_run_side_by_side_in_each_step_of_a_key_rotation() {
        let steps = [
            with_keys("one", &["one"]),
            with_keys("one", &["one", "two"]),
            with_keys("two", &["one", "two"]),
            with_keys("two", &["two"]),
        ];
        for pair in steps.windows(2) {
            assert_eq!(pair[0].mismatch(&pair[1]), None);
            assert_eq!(pair[1].mismatch(&pair[0]), None);
        }
        for (one, other) in [(0, 2), (0, 3), (1, 3)] {
            for (here, there) in [(&steps[one], &steps[other]), (&steps[other], &steps[one])] {
                let mismatch = here.mismatch(there).map(|it| it.setting);
                assert_eq!(mismatch, Some(SharedSetting::SigningKeys), "{here:?} {there:?}");
            }
        }
    }

    #[test]
    fn replicas_run_side_by_side_while_each_accepts_the_refresh_tokens_of_the_other() {
        let with = |newest: &str, accepted: &[&str]| ReplicaSettings {
            refresh_key: newest.to_owned(),
            accepted_refresh_keys: accepted.iter().map(|key| (*key).to_owned()).collect(),
            ..settings()
        };
        for (one, other, agree) in [
            (with("r", &[]), with("r", &["r", "s"]), true),
            (with("r", &["r", "s"]), with("s", &["r", "s"]), true),
            (with("s", &["r", "s"]), with("s", &["s"]), true),
            (with("r", &[]), with("s", &["r", "s"]), false),
            (with("r", &["r", "s"]), with("s", &["s"]), false),
        ] {
            let expected = (!agree).then_some(SharedSetting::RefreshKey);
            for (here, there) in [(&one, &other), (&other, &one)] {
                assert_eq!(
                    here.mismatch(there).map(|it| it.setting),
                    expected,
                    "{here:?} {there:?}"
                );
            }
        }
    }

    #[test]
    fn other_lifetimes_are_no_mismatch() {
        let mut other = settings();
        assert_eq!(settings().other_lifetimes(&other), []);
        other.lifetimes.access = 1;
        other.lifetimes.refresh_grace = 0;
        other.lifetimes.step_up = Some(1);
        assert_eq!(settings().mismatch(&other), None);
        let expected = [
            LifetimeSetting::Access,
            LifetimeSetting::RefreshGrace,
            LifetimeSetting::StepUp,
        ];
        assert_eq!(settings().other_lifetimes(&other), expected);
    }

    #[test]
    fn a_replica_of_a_version_without_an_audit_key_or_a_bus_does_not_differ_in_it() {
        for member in ["audit_key", "bus"] {
            let mut text: serde_json::Value =
                serde_json::from_str(&settings().to_text()).expect("the settings are JSON");
            let members = text.as_object_mut().expect("the settings are a JSON object");
            assert!(members.remove(member).is_some());
            let old = ReplicaSettings::parse(&text.to_string()).expect("the settings parse");
            assert_ne!(old, settings());
            assert_eq!(old.mismatch(&settings()), None, "{member}");
            assert_eq!(settings().mismatch(&old), None, "{member}");
        }
    }

    #[test]
    fn a_replica_of_a_version_without_step_up_does_not_differ_in_it() {
        let mut text: serde_json::Value =
            serde_json::from_str(&settings().to_text()).expect("the settings are JSON");
        text["lifetimes"]
            .as_object_mut()
            .expect("the lifetimes are a JSON object")
            .remove("step_up");
        let previous = ReplicaSettings::parse(&text.to_string()).expect("the setting is optional");
        assert_eq!(previous.lifetimes.step_up, None);
        assert_eq!(settings().other_lifetimes(&previous), []);
        assert_eq!(previous.other_lifetimes(&settings()), []);
    }

    #[test]
    fn stored_settings_are_read_back_even_if_a_newer_version_added_some() {
        let text = settings().to_text();
        assert_eq!(ReplicaSettings::parse(&text), Some(settings()));
        let newer = text.replacen('{', "{\"machine\": [1],", 1);
        assert_eq!(ReplicaSettings::parse(&newer), Some(settings()));
        assert_eq!(ReplicaSettings::parse("{}"), None);
    }
}
