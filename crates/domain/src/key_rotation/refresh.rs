use super::{StepRefused, not_before};
use crate::replica::ReplicaSettings;
use chrono::{DateTime, TimeDelta, Utc};

/// A refresh key of the key folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatingRefreshKey {
    pub fingerprint: String,
    /// When its file was written.
    pub since: DateTime<Utc>,
    /// Until when a replica may have made tokens with it, if the database knows.
    pub used_until: Option<DateTime<Utc>>,
}

/// The refresh keys of a folder, and the replicas that run.
///
/// The newest key makes tokens as soon as every running replica has loaded it. An older one is
/// accepted until every session with a token of it has been refreshed or has ended.
#[derive(Clone, Debug)]
pub struct RefreshKeyRotation {
    /// The newest first.
    pub keys: Vec<RotatingRefreshKey>,
    pub replicas: Vec<ReplicaSettings>,
    /// How long a session lives without a refresh, according to this process.
    pub idle_ttl: TimeDelta,
    /// The maximum difference between the clocks of two replicas.
    pub clock_skew: TimeDelta,
}

/// A step of a service that rotates by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshStep {
    /// Creates a key that is newer than the others.
    Publish,
    /// Deletes the key with this fingerprint.
    Remove(String),
}

impl RefreshKeyRotation {
    /// Checks that no live session has a token of the key with this fingerprint.
    ///
    /// # Errors
    /// Returns why the key cannot be removed now.
    pub fn check_remove(&self, fingerprint: &str, now: DateTime<Utc>) -> Result<(), StepRefused> {
        let mut keys = self.keys.iter();
        let place = keys.position(|key| key.fingerprint == fingerprint);
        let place = place.ok_or(StepRefused::UnknownKey)?;
        let successor = place.checked_sub(1).and_then(|place| self.keys.get(place));
        let successor = successor.ok_or(StepRefused::Newest)?;
        let makes_tokens = |replica: &&ReplicaSettings| replica.refresh_key == fingerprint;
        let users = self.replicas.iter().filter(makes_tokens).count();
        if users > 0 {
            return Err(StepRefused::InUse(users));
        }
        let key = self.keys.get(place).ok_or(StepRefused::UnknownKey)?;
        // A key that the database does not know was used until it had a successor.
        let last = key.used_until.unwrap_or(successor.since.max(key.since));
        not_before(last + self.idle_ttl() + self.clock_skew, now)
    }

    /// Returns the step with which a service that rotates by itself, with a new key `every` so
    /// often, continues now.
    #[must_use]
    pub fn due(&self, every: TimeDelta, now: DateTime<Utc>) -> Option<RefreshStep> {
        let mut fingerprints = self.keys.iter().map(|key| &key.fingerprint);
        let removed = fingerprints.find(|fingerprint| self.check_remove(fingerprint, now).is_ok());
        if let Some(fingerprint) = removed {
            return Some(RefreshStep::Remove(fingerprint.clone()));
        }
        let newest = self.keys.first()?;
        (newest.since + every <= now).then_some(RefreshStep::Publish)
    }

    /// Returns the longest time that a session lives without a refresh.
    fn idle_ttl(&self) -> TimeDelta {
        let others = self.replicas.iter();
        let others = others.map(|replica| TimeDelta::milliseconds(replica.lifetimes.refresh_idle));
        others.fold(self.idle_ttl, TimeDelta::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::replica_settings;
    use StepRefused::{InUse, Newest, NotBefore, UnknownKey};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("chrono represents the second")
    }

    fn key(fingerprint: &str, since: i64, used_until: Option<i64>) -> RotatingRefreshKey {
        RotatingRefreshKey {
            fingerprint: fingerprint.to_owned(),
            since: at(since),
            used_until: used_until.map(at),
        }
    }

    /// A replica that makes tokens with the key `refresh_key`, and whose sessions live for 2,000
    /// seconds without a refresh.
    fn replica(refresh_key: &str) -> ReplicaSettings {
        ReplicaSettings {
            refresh_key: refresh_key.to_owned(),
            ..replica_settings()
        }
    }

    fn rotation(replicas: Vec<ReplicaSettings>) -> RefreshKeyRotation {
        RefreshKeyRotation {
            keys: vec![key("new", 5_000, Some(9_000)), key("old", 0, Some(6_000))],
            replicas,
            idle_ttl: TimeDelta::seconds(1_000),
            clock_skew: TimeDelta::seconds(5),
        }
    }

    #[test]
    fn an_old_key_is_removed_once_no_live_session_has_a_token_of_it() {
        for (replicas, fingerprint, now, expected) in [
            (vec![], "old", 7_004, Err(NotBefore(at(7_005)))),
            (vec![], "old", 7_005, Ok(())),
            (vec![replica("new")], "old", 8_004, Err(NotBefore(at(8_005)))),
            (vec![replica("new")], "old", 8_005, Ok(())),
            (vec![replica("old")], "old", 99_000, Err(InUse(1))),
            (vec![], "new", 99_000, Err(Newest)),
            (vec![], "none", 99_000, Err(UnknownKey)),
        ] {
            let checked = rotation(replicas).check_remove(fingerprint, at(now));
            assert_eq!(checked, expected, "{fingerprint} at {now}");
        }
    }

    #[test]
    fn a_key_that_the_database_does_not_know_counts_as_used_until_it_had_a_successor() {
        let rotation = RefreshKeyRotation {
            keys: vec![key("new", 5_000, None), key("old", 0, None)],
            ..rotation(vec![])
        };
        let check = |now| rotation.check_remove("old", at(now));
        assert_eq!(check(6_004), Err(NotBefore(at(6_005))));
        assert_eq!(check(6_005), Ok(()));
    }

    #[test]
    fn a_service_removes_old_keys_and_creates_one_when_the_newest_is_old() {
        let every = TimeDelta::seconds(10_000);
        for (now, expected) in [
            (8_004, None),
            (8_005, Some(RefreshStep::Remove("old".to_owned()))),
        ] {
            assert_eq!(
                rotation(vec![replica("new")]).due(every, at(now)),
                expected,
                "{now}"
            );
        }
        let alone = RefreshKeyRotation {
            keys: vec![key("new", 5_000, None)],
            ..rotation(vec![])
        };
        for (now, expected) in [(14_999, None), (15_000, Some(RefreshStep::Publish))] {
            assert_eq!(alone.due(every, at(now)), expected, "{now}");
        }
    }
}
