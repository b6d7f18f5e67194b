//! Which failed attempts are recorded individually, and the counts of the others.

use crate::{
    audit::{AuditAction, AuditContext, AuditEvent},
    throttle::Network,
    user::UserId,
};
use chrono::{DateTime, Duration, SecondsFormat, Utc};
use std::collections::HashMap;

/// The limits of attempts at known users. By default the throttle admits fewer from unknown places.
const OF_USERS: Limits = Limits {
    recorded: 2_000,
    keys: 2_000,
};
/// The limits of all other attempts: at unknown logins, and those that the throttle refused.
const OF_NETWORKS: Limits = Limits {
    recorded: 500,
    keys: 500,
};

/// Counts the failed attempts of each minute by [key](FailureKey). Attempts with one key do not use
/// up the quota of another, and attempts at no known user use up nothing of those at users.
pub(super) struct FailureCounts {
    began: DateTime<Utc>,
    of_users: Counts,
    of_networks: Counts,
}

/// The limits of a minute, which bound the memory and what a flood writes.
#[derive(Clone, Copy)]
struct Limits {
    /// The number of attempts that are recorded individually.
    recorded: u32,
    /// The number of keys with a count of their own.
    keys: usize,
}

/// The cause of a failed attempt, and its target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FailureKey {
    action: AuditAction,
    /// The detail `cause` of the event.
    cause: Option<String>,
    target: Target,
}

/// Networks are the client's site: an IPv4 /24 or an IPv6 /56.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Target {
    User(UserId, Option<Network>),
    Network(Option<Network>),
    /// The users beyond the limit of keys.
    OtherUsers,
    /// The networks beyond the limit of keys.
    OtherNetworks,
}

/// The attempts with one key that were not recorded individually.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Omitted {
    count: u64,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

struct Counts {
    limits: Limits,
    /// The number of attempts that were recorded in this minute.
    recorded: u32,
    by_key: HashMap<FailureKey, Count>,
}

#[derive(Default)]
struct Count {
    /// The number of attempts that were recorded in this minute.
    recorded: u32,
    omitted: Option<Omitted>,
}

impl FailureCounts {
    pub(super) fn new() -> Self {
        Self {
            began: DateTime::UNIX_EPOCH,
            of_users: Counts::new(OF_USERS),
            of_networks: Counts::new(OF_NETWORKS),
        }
    }

    /// Counts an attempt at `now`. Returns whether to record it individually: whether it is one of
    /// the first `quota` attempts with this key in this minute.
    pub(super) fn count(&mut self, key: FailureKey, quota: u32, now: DateTime<Utc>) -> bool {
        // A minute also begins if the clock was set back.
        if now < self.began || now >= self.began + Duration::minutes(1) {
            self.began = now;
            self.of_users.begin_minute();
            self.of_networks.begin_minute();
        }
        self.counts_of(&key).count(key, quota, now)
    }

    /// Counts an attempt that could not be recorded.
    pub(super) fn omit(&mut self, key: FailureKey, at: DateTime<Utc>) {
        self.put_back(key, Omitted::one(at));
    }

    /// Returns the keys of attempts that were not recorded individually.
    pub(super) fn omitted(&self) -> Vec<FailureKey> {
        let all = self.of_users.by_key.iter().chain(&self.of_networks.by_key);
        let omitted = all.filter(|(_, count)| count.omitted.is_some());
        omitted.map(|(key, _)| key.clone()).collect()
    }

    /// Takes the attempts with this key that were not recorded individually.
    pub(super) fn take(&mut self, key: &FailureKey) -> Option<Omitted> {
        self.counts_of(key).by_key.get_mut(key)?.omitted.take()
    }

    /// Puts back what [`take`](Self::take) returned.
    pub(super) fn put_back(&mut self, key: FailureKey, omitted: Omitted) {
        self.counts_of(&key).of_key(key).add(omitted);
    }

    fn counts_of(&mut self, key: &FailureKey) -> &mut Counts {
        match key.target {
            Target::User(..) | Target::OtherUsers => &mut self.of_users,
            Target::Network(_) | Target::OtherNetworks => &mut self.of_networks,
        }
    }
}

impl Counts {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            recorded: 0,
            by_key: HashMap::new(),
        }
    }

    /// Restores the quotas. Counts of attempts that were not recorded stay until they are taken.
    fn begin_minute(&mut self) {
        self.recorded = 0;
        self.by_key.retain(|_, count| {
            count.recorded = 0;
            count.omitted.is_some()
        });
    }

    fn count(&mut self, key: FailureKey, quota: u32, now: DateTime<Utc>) -> bool {
        let is_any_left = self.recorded < self.limits.recorded;
        let count = self.of_key(key);
        let is_recorded = is_any_left && count.recorded < quota;
        if is_recorded {
            count.recorded += 1;
            self.recorded += 1;
        } else {
            count.add(Omitted::one(now));
        }
        is_recorded
    }

    /// Returns the count of `key`, or the one that all further keys share.
    fn of_key(&mut self, key: FailureKey) -> &mut Count {
        let is_full = self.by_key.len() >= self.limits.keys && !self.by_key.contains_key(&key);
        let key = if is_full { key.among_others() } else { key };
        self.by_key.entry(key).or_default()
    }
}

impl Omitted {
    fn one(at: DateTime<Utc>) -> Self {
        Self {
            count: 1,
            first: at,
            last: at,
        }
    }
}

impl Count {
    fn add(&mut self, more: Omitted) {
        self.omitted = Some(match self.omitted {
            None => more,
            Some(known) => Omitted {
                count: known.count.saturating_add(more.count),
                first: known.first.min(more.first),
                last: known.last.max(more.last),
            },
        });
    }
}

impl FailureKey {
    /// Returns the key of `event`, which records an attempt that `context` describes.
    pub(super) fn of(event: &AuditEvent, context: &AuditContext) -> Self {
        let network = context.origin.address.map(Network::site);
        Self {
            action: event.action,
            cause: event.details.get("cause").cloned(),
            target: match event.user {
                Some(user) => Target::User(user, network),
                None => Target::Network(network),
            },
        }
    }

    /// Returns the key that stands for all keys beyond the limit with the same action and cause.
    fn among_others(self) -> Self {
        let target = match self.target {
            Target::User(..) | Target::OtherUsers => Target::OtherUsers,
            Target::Network(_) | Target::OtherNetworks => Target::OtherNetworks,
        };
        Self { target, ..self }
    }

    /// Returns the event that records the attempts with this key as a number.
    pub(super) fn event(&self, omitted: Omitted) -> AuditEvent {
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let mut event = AuditEvent::new(AuditAction::FailuresOmitted)
            .with("action", self.action.as_str())
            .with("count", omitted.count)
            .with("from", instant(omitted.first))
            .with("to", instant(omitted.last));
        if let Some(cause) = &self.cause {
            event = event.with("cause", cause);
        }
        let network = match self.target {
            Target::User(user, network) => {
                event.user = Some(user);
                network
            }
            Target::Network(network) => network,
            Target::OtherUsers | Target::OtherNetworks => return event.with("others", true),
        };
        match network {
            Some(network) => event.with("network", network),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{Actor, Origin},
        fixtures::{USER, now},
    };
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};

    /// The key of a failed login at `user` from the network of this number.
    fn key(user: Option<UserId>, network: u32) -> FailureKey {
        let address = IpAddr::V4(Ipv4Addr::from_bits(network << 8));
        let event = AuditEvent {
            user,
            ..AuditEvent::new(AuditAction::LoginFailed).with("cause", "invalid_credentials")
        };
        let origin = Origin {
            address: Some(address),
            ..Origin::default()
        };
        FailureKey::of(&event, &AuditContext::new(now(), Actor::Anonymous, origin))
    }

    fn at(second: i64) -> DateTime<Utc> {
        now() + Duration::seconds(second)
    }

    #[test]
    fn each_cause_and_target_has_a_quota_of_its_own() {
        let mut counts = FailureCounts::new();
        let refused = FailureKey {
            cause: Some("too_many_attempts".to_owned()),
            ..key(None, 1)
        };
        let registration = FailureKey {
            action: AuditAction::RegistrationRefused,
            ..key(None, 1)
        };
        let other_user = UserId(uuid::Uuid::from_u128(9));
        for key in [
            key(None, 1),
            key(None, 2),
            key(Some(USER), 1),
            key(Some(USER), 2),
            key(Some(other_user), 1),
            refused,
            registration,
        ] {
            let recorded: Vec<bool> = (0..4).map(|_| counts.count(key.clone(), 2, at(0))).collect();
            assert_eq!(recorded, [true, true, false, false], "{key:?}");
        }
    }

    #[test]
    fn a_flood_from_many_networks_hides_no_guess_at_a_user() {
        let mut counts = FailureCounts::new();
        for network in 0..100_000 {
            counts.count(key(None, network), 10, at(0));
        }
        assert!(counts.count(key(Some(USER), 1), 10, at(0)));
    }

    #[test]
    fn memory_and_recorded_attempts_are_bounded_and_every_attempt_is_counted() {
        let mut counts = FailureCounts::new();
        let mut recorded = 0;
        for network in 0..2_000 {
            for user in [None, Some(USER)] {
                for _ in 0..3 {
                    recorded += u64::from(counts.count(key(user, network), 2, at(0)));
                }
            }
        }
        let keys = counts.omitted();
        // Each kind has a key more for all others.
        assert!(keys.len() <= 2_502, "{}", keys.len());
        let omitted = keys.iter().filter_map(|key| counts.take(key));
        assert_eq!(recorded, 2_500);
        assert_eq!(omitted.map(|it| it.count).sum::<u64>(), 12_000 - recorded);
    }

    #[test]
    fn a_new_minute_restores_the_quotas_and_keeps_the_counts() {
        for later in [60, -1] {
            let mut counts = FailureCounts::new();
            let recorded = [0, 59, later].map(|second| counts.count(key(None, 1), 1, at(second)));
            assert_eq!(recorded, [true, false, true], "{later}");
            let expected = Omitted {
                count: 1,
                first: at(59),
                last: at(59),
            };
            assert_eq!(counts.take(&key(None, 1)), Some(expected));
            assert_eq!((counts.take(&key(None, 1)), counts.omitted()), (None, vec![]));
        }
    }

    #[test]
    fn the_event_of_a_count_names_what_failed_and_where() {
        let omitted = Omitted {
            count: 7,
            first: at(1),
            last: at(9),
        };
        let event = key(Some(USER), 0xc0_00_02).event(omitted);
        assert_eq!(
            (event.action, event.user),
            (AuditAction::FailuresOmitted, Some(USER))
        );
        let details: Vec<_> = event
            .details
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let (from, to) = (details[3].1, details[5].1);
        let expected = [
            ("action", "login_failed"),
            ("cause", "invalid_credentials"),
            ("count", "7"),
            ("from", from),
            ("network", "192.0.2.0/24"),
            ("to", to),
        ];
        assert_eq!(details, expected);
        let instants = [from, to].map(|text| DateTime::parse_from_rfc3339(text).map(|it| it.to_utc()));
        assert_eq!(instants, [Ok(at(1)), Ok(at(9))]);

        let others = key(Some(USER), 1).among_others().event(omitted);
        assert_eq!((others.user, others.details["others"].as_str()), (None, "true"));
        assert!(!others.details.contains_key("network"));
    }

    proptest! {
        /// What is put back is counted again, whatever was counted meanwhile.
        #[test]
        fn no_attempt_is_lost_or_counted_twice(
            attempts in prop::collection::vec((any::<bool>(), 0u32..3, 0i64..200), 0..40),
            quota in 0u32..3,
        ) {
            let mut counts = FailureCounts::new();
            let mut recorded = 0;
            for (of_user, network, second) in &attempts {
                let key = key(of_user.then_some(USER), *network);
                recorded += u64::from(counts.count(key.clone(), quota, at(*second)));
                if let Some(omitted) = counts.take(&key) {
                    counts.put_back(key, omitted);
                }
            }
            let keys = counts.omitted();
            let omitted: u64 = keys.iter().filter_map(|key| counts.take(key)).map(|it| it.count).sum();
            prop_assert_eq!(recorded + omitted, attempts.len() as u64);
        }
    }
}
