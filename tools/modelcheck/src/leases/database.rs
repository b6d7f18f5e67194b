//! The modelled database: whether the session is revoked, and the leases.

use super::mutant::Mutant;
use session_cache::protocol::LeaseId;
use std::collections::BTreeMap;

/// Duration of a lease in ticks.
pub const LEASE: u8 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Database {
    pub revoked: bool,
    leases: BTreeMap<LeaseId, Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Row {
    expires_at: u8,
    evicted: bool,
}

impl Database {
    pub fn acquire(&mut self, lease: LeaseId, now: u8, mutant: Option<Mutant>) {
        let lease = stored(lease, mutant);
        self.leases.insert(lease, Row::from(now));
    }

    /// Returns whether the renewal is granted.
    pub fn renew(&mut self, lease: LeaseId, now: u8, mutant: Option<Mutant>) -> bool {
        let lease = stored(lease, mutant);
        let granted = match self.leases.get(&lease) {
            None => mutant == Some(Mutant::RenewalByUpsert),
            Some(row) => {
                let alive = now < row.expires_at || mutant == Some(Mutant::RenewalOfAnExpiredLease);
                let upsert = mutant == Some(Mutant::RenewalByUpsert);
                (alive && !row.evicted) || upsert
            }
        };
        if granted {
            self.leases.insert(lease, Row::from(now));
        }
        granted
    }

    pub fn evict(&mut self, leases: &[LeaseId], mutant: Option<Mutant>) {
        for lease in leases {
            if mutant == Some(Mutant::EvictionThatRemovesTheRow) {
                self.leases.remove(lease);
            } else if let Some(row) = self.leases.get_mut(lease) {
                row.evicted = true;
            }
        }
    }

    pub fn release(&mut self, lease: LeaseId) {
        self.leases.remove(&lease);
    }

    pub fn holders(&self, now: u8) -> Vec<LeaseId> {
        let live = self.leases.iter().filter(|(_, row)| now < row.expires_at);
        live.map(|(lease, _)| *lease).collect()
    }
}

impl From<u8> for Row {
    /// Creates a lease that was acquired or renewed at `now`.
    fn from(now: u8) -> Self {
        Self {
            expires_at: now + LEASE,
            evicted: false,
        }
    }
}

fn stored(lease: LeaseId, mutant: Option<Mutant>) -> LeaseId {
    match mutant {
        Some(Mutant::ReusedLeaseNumbers) => LeaseId { number: 1, ..lease },
        _ => lease,
    }
}
