use crate::{
    CountingRandomness, FixedClock, MemoryStorage, OpenThrottle, PlainHasher, PlainMeter, PlainTokens,
    Storage, Tokens, ToyMac, ToySealer,
    fixtures::{at, token_rules},
};
use domain::{
    core::{AdministrationPorts, AdministrationRules, AuditPorts, Ports, Rules},
    password::{PasswordHash, PasswordPolicy},
    ports::{
        BreachedPasswords, ForeignHashRefused, ForeignHashes, NoBreachedPasswords, NothingCached,
        NothingKept, Throttle,
    },
    role::{RoleName, RoleNames},
    session::SessionRules,
    use_cases::ResetRules,
};
use std::sync::Arc;

/// A fake for every port, ready for [`Core::new`](domain::core::Core::new) and
/// [`Administration::new`](domain::core::Administration::new). A test replaces the fakes that it is
/// about.
#[derive(Clone)]
pub struct Fakes {
    pub storage: MemoryStorage,
    pub clock: Arc<FixedClock>,
    pub hasher: Arc<PlainHasher>,
    pub meter: Arc<PlainMeter>,
    pub breached: Arc<dyn BreachedPasswords>,
    pub randomness: Arc<CountingRandomness>,
    pub throttle: Arc<dyn Throttle>,
    pub tokens: Tokens,
}

/// Rejects every hash.
struct NoForeignHashes;

impl ForeignHashes for NoForeignHashes {
    fn accept(&self, _: &str) -> Result<PasswordHash, ForeignHashRefused> {
        Err(ForeignHashRefused::UnknownForm)
    }
}

impl Default for Fakes {
    fn default() -> Self {
        Self {
            storage: MemoryStorage::default(),
            clock: Arc::new(FixedClock::new(at(0))),
            hasher: Arc::new(PlainHasher::default()),
            meter: Arc::new(PlainMeter::default()),
            breached: Arc::new(NoBreachedPasswords),
            randomness: Arc::new(CountingRandomness::default()),
            throttle: Arc::new(OpenThrottle),
            tokens: PlainTokens::new(1).tokens(),
        }
    }
}

impl Fakes {
    /// Returns the ports behind the six main endpoints.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports_over(self.storage.storage())
    }

    /// Returns the ports behind the six main endpoints, over `storage`.
    #[must_use]
    pub fn ports_over(&self, storage: Storage) -> Ports {
        Ports {
            accounts: storage.accounts,
            sessions: storage.sessions,
            snapshots: storage.snapshots,
            audit_events: storage.audit_events,
            revocations: Arc::new(NothingCached),
            hasher: self.hasher.clone(),
            meter: self.meter.clone(),
            breached: self.breached.clone(),
            throttle: self.throttle.clone(),
            signer: self.tokens.signer.clone(),
            verifier: self.tokens.verifier.clone(),
            mac: Arc::new(ToyMac::new(2)),
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
        }
    }

    /// Returns the ports of administration, over the storage of these fakes.
    #[must_use]
    pub fn administration_ports(&self) -> AdministrationPorts {
        self.administration_ports_over(self.storage.storage())
    }

    /// Returns the ports of administration, over `storage`.
    #[must_use]
    pub fn administration_ports_over(&self, storage: Storage) -> AdministrationPorts {
        AdministrationPorts {
            accounts: storage.accounts,
            users: storage.users,
            sessions: storage.session_directory,
            roles: storage.roles,
            audit: AuditPorts {
                log: storage.audit_log,
                checkpoints: storage.audit_checkpoints,
                kept: Arc::new(NothingKept),
                sealer: Arc::new(ToySealer),
                signer: Arc::new(ToySealer),
                verifier: Arc::new(ToySealer),
            },
            revocations: Arc::new(NothingCached),
            hasher: self.hasher.clone(),
            meter: self.meter.clone(),
            breached: self.breached.clone(),
            foreign_hashes: Arc::new(NoForeignHashes),
            clock: self.clock.clone(),
            randomness: self.randomness.clone(),
        }
    }

    /// Returns the default rules, with the token rules of [`token_rules`].
    #[must_use]
    pub fn rules() -> Rules {
        Rules {
            tokens: token_rules(),
            sessions: SessionRules::default(),
            passwords: PasswordPolicy::default(),
            default_roles: RoleNames::from([RoleName::USER]),
            failures_per_minute: 100,
        }
    }

    /// Returns the default rules of administration.
    #[must_use]
    pub fn administration_rules() -> AdministrationRules {
        AdministrationRules {
            passwords: PasswordPolicy::default(),
            resets: ResetRules::default(),
            default_roles: RoleNames::from([RoleName::USER]),
        }
    }
}
