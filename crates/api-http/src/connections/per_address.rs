use crate::metrics;
use domain::throttle::Network;
use ipnet::IpNet;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The minimum time between two log lines about closed connections.
const LOG_INTERVAL: Duration = Duration::from_mins(1);

/// The maximum number of connections of one address, for all workers together.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// Maximum number of open connections of an IPv4 address or an IPv6 /64.
    pub per_address: usize,
    /// The networks whose connections are not limited: those of trusted proxies, because each of
    /// them connects on behalf of many clients.
    pub unlimited: Vec<IpNet>,
}

/// Counts the open connections of each address.
#[derive(Debug)]
pub struct PerAddress {
    limits: ConnectionLimits,
    open: Arc<Counts>,
    reports: Mutex<Reports>,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub struct Slot {
    /// `None` for a connection that is not limited.
    counted: Option<(Network, Arc<Counts>)>,
}

/// The number of open connections of each network that has any.
#[derive(Debug, Default)]
struct Counts(Mutex<HashMap<Network, usize>>);

/// When closed connections were last logged, and how many were closed since.
#[derive(Debug, Default)]
struct Reports {
    last: Option<Instant>,
    closed: u64,
}

impl PerAddress {
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            open: Arc::default(),
            reports: Mutex::default(),
        }
    }

    /// Counts a new connection of `peer`. Returns `None` if it must be closed, which is recorded.
    pub fn admit(&self, peer: IpAddr) -> Option<Slot> {
        let peer = peer.to_canonical();
        if self
            .limits
            .unlimited
            .iter()
            .any(|network| network.contains(&peer))
        {
            return Some(Slot { counted: None });
        }
        let network = Network::client(peer);
        if self.open.add(network, self.limits.per_address) {
            let counted = Some((network, Arc::clone(&self.open)));
            return Some(Slot { counted });
        }
        metrics::record_refused_connection();
        if let Some(closed) = self.reports().next(Instant::now()) {
            tracing::warn!(
                %network,
                limit = self.limits.per_address,
                closed,
                "closed connections of a network that has too many; if it is your proxy, add it to the \
                 setting server.trusted_proxies, otherwise see server.max_connections_per_address"
            );
        }
        None
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Returns whether a connection was added, which it is if there are fewer than `limit`.
    fn add(&self, network: Network, limit: usize) -> bool {
        let mut counts = self.lock();
        let count = counts.entry(network).or_default();
        let is_added = *count < limit;
        if is_added {
            *count += 1;
        }
        is_added
    }

    fn remove(&self, network: Network) {
        let mut counts = self.lock();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some((network, open)) = &self.counted {
            open.remove(*network);
        }
    }
}

impl Reports {
    /// Counts a closed connection. Returns the number of those that were not logged yet, if it is
    /// time for a line.
    fn next(&mut self, now: Instant) -> Option<u64> {
        self.closed += 1;
        let is_due = |last: Instant| now.saturating_duration_since(last) >= LOG_INTERVAL;
        if !self.last.is_none_or(is_due) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.closed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_address(per_address: usize) -> PerAddress {
        PerAddress::new(ConnectionLimits {
            per_address,
            unlimited: vec!["10.0.0.0/8".parse().expect("a network")],
        })
    }

    fn admit(connections: &PerAddress, peer: &str) -> Option<Slot> {
        connections.admit(peer.parse().expect("an address"))
    }

    #[test]
    fn an_address_has_a_limited_number_of_connections_and_others_are_unaffected() {
        let connections = per_address(2);
        let held = ["192.0.2.1", "192.0.2.1"].map(|peer| admit(&connections, peer).expect("below the limit"));
        assert!(admit(&connections, "192.0.2.1").is_none());
        assert!(admit(&connections, "::ffff:192.0.2.1").is_none());
        assert!(admit(&connections, "192.0.2.2").is_some());
        drop(held);
        assert!(admit(&connections, "192.0.2.1").is_some());
    }

    #[test]
    fn an_ipv6_network_has_one_limit() {
        let connections = per_address(1);
        let _held = admit(&connections, "2001:db8::1").expect("below the limit");
        assert!(admit(&connections, "2001:db8::ffff:0:0:2").is_none());
        assert!(admit(&connections, "2001:db8:0:1::1").is_some());
    }

    #[test]
    fn trusted_proxies_have_no_limit() {
        let connections = per_address(1);
        let held: Vec<_> = ["10.0.0.1", "10.0.0.1", "::ffff:10.0.0.1"]
            .into_iter()
            .map(|peer| admit(&connections, peer))
            .collect();
        assert!(held.iter().all(Option::is_some));
    }

    #[test]
    fn networks_without_a_connection_take_no_memory() {
        let connections = per_address(1);
        for last in 0..=255 {
            drop(connections.admit([192, 0, 2, last].into()));
        }
        assert!(connections.open.lock().is_empty());
    }

    #[test]
    fn closed_connections_are_logged_once_a_minute_with_their_number() {
        let (mut reports, start) = (Reports::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        assert_eq!(reports.next(at(0)), Some(1));
        assert_eq!(reports.next(at(1)), None);
        assert_eq!(reports.next(at(59)), None);
        assert_eq!(reports.next(at(60)), Some(3));
        assert_eq!(reports.next(at(61)), None);
    }
}
