//! Selects the adapters of the ports.

use crate::{
    Failure,
    audit_keys::{AuditKeys, KeyUser},
    bus::{self, Bus, BusKind, BusSettings},
    clock_watch::ClockWatch,
    key_agreement::KeyAgreement,
    key_folder,
    key_renewal::KeyRenewal,
    key_stages::KeyStages,
    metered_audit_log::{MeteredAuditEvents, MeteredAuditLog},
    metered_throttle::MeteredThrottle,
    metrics, replica,
    replica_entry::{ReplicaEntry, replica_settings},
    sealing::Sealing,
    settings::{PasswordSettings, Settings, ThrottleSettings, TokensSettings, variable},
    storage::Database,
    throttles::{self, throttle},
};
use actix_web::http::Uri;
use adapters_crypto::{
    Argon2Hasher, Argon2Params, BreachedFile, CachedTokenVerifier, HashPool, HashPoolSettings, JwtTokens,
    OsRandomness, SystemClock, ZxcvbnMeter,
};
use adapters_redis::{RedisClient, RedisHealth, RedisUse};
use chrono::TimeDelta;
use domain::{
    audit::KeyTrace,
    password::{ContextWords, PasswordPolicy},
    ports::{
        BreachedPasswords, Clock, NoBreachedPasswords, PasswordHasher, PasswordMeter, PublicKeys, Randomness,
        RefreshTokenMac, Revocations, SessionMemory, Storage, StorageHealth, Throttle, TokenSigner,
        TokenVerifier,
    },
    session::SessionRules,
    token::TokenRules,
    use_cases::ResetRules,
};
use session_cache::{LeasedRevocations, SessionCoherence};
use std::{num::NonZeroUsize, sync::Arc, time::Duration};

/// Returns the check of what this service uses in Redis.
fn redis_health(redis: RedisClient, throttle: &ThrottleSettings) -> Arc<dyn StorageHealth> {
    let used = RedisUse {
        throttle_prefix: throttle.enabled.then(|| throttles::PREFIX.to_owned()),
        channel: bus::CHANNEL.to_owned(),
    };
    Arc::new(RedisHealth::start(redis, used))
}

/// All ports, with the adapters that the settings select.
pub struct Ports {
    pub storage: Storage,
    pub audit_keys: AuditKeys,
    /// Invalidates the session snapshots that a change makes stale, on all replicas.
    pub revocations: Arc<dyn Revocations>,
    pub coherence: Arc<SessionCoherence>,
    /// The state of the session cache; `None` if session snapshots are not cached.
    pub session_memory: Option<Arc<dyn SessionMemory>>,
    pub key_agreement: Arc<KeyAgreement>,
    /// Present if the service rotates its keys by itself.
    pub key_renewal: Option<Arc<KeyRenewal>>,
    /// Present if audit events are sealed after their changes.
    pub sealing: Option<Sealing>,
    /// Present if the database has a clock of its own.
    pub clock_watch: Option<Arc<ClockWatch>>,
    /// The kind of the invalidation bus.
    pub bus: BusKind,
    /// The health of a bus in Postgres; `None` if there is none, or sessions are not cached.
    pub bus_health: Option<Arc<dyn StorageHealth>>,
    /// The health of Redis; `None` if Redis is not configured.
    pub redis_health: Option<Arc<dyn StorageHealth>>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub meter: Arc<dyn PasswordMeter>,
    pub breached: Arc<dyn BreachedPasswords>,
    pub throttle: Arc<dyn Throttle>,
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub public_keys: Arc<dyn PublicKeys>,
    pub mac: Arc<dyn RefreshTokenMac>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

impl Ports {
    /// Loads the keys, generating missing ones if allowed, and starts the hash threads.
    ///
    /// # Errors
    /// If the database with `trace` was used with another audit key, or the settings are unusable.
    pub fn new(settings: &Settings, database: &Database, trace: &KeyTrace) -> Result<Self, Failure> {
        let clock = Arc::new(SystemClock);
        let keys = Arc::new(key_folder::load(&settings.keys, clock.clone())?);
        let audit_keys = AuditKeys::of_database(&settings.keys, trace, KeyUser::Server)?;
        let bus_kind = BusKind::of(settings);
        metrics::invalidation_bus(bus_kind);
        let Bus {
            port: bus,
            health: bus_health,
            redis,
        } = BusSettings::new(settings, database).open()?;
        let database = database.ports(&audit_keys);
        let key_renewal = settings.keys.rotate_every.map(|every| {
            let stages = KeyStages::new(settings, &database);
            let folder = settings.keys.dir.clone();
            Arc::new(KeyRenewal::new(stages, folder, clock.clone(), delta(every)))
        });
        let PasswordPorts {
            hasher,
            meter,
            breached,
        } = PasswordPorts::new(&settings.password, settings.password.hash_threads)?;
        let randomness = Arc::new(OsRandomness);
        let coherence = replica::coherence(
            database.leases,
            bus,
            clock.clone(),
            &*randomness,
            replica::cache_limits(&settings.session_cache),
        );
        let id = (&*randomness as &dyn Randomness).uuid(clock.now());
        let key_agreement = KeyAgreement::new(
            Arc::clone(&keys),
            ReplicaEntry::new(database.replicas, id, database.has_one_server),
            database.key_uses,
            replica_settings(&settings.tokens, audit_keys.key_id(), bus_kind),
            settings.tokens.allow_mixed_replicas,
        );
        let clock_watch = database.clock.map(|database| {
            let limit = delta(settings.database.max_clock_skew);
            Arc::new(ClockWatch::new(Arc::clone(&clock) as _, database, limit))
        });
        let caches_sessions = settings.session_cache.memory;
        let storage = metered(replica::coherent(database.storage, &coherence, caches_sessions));
        Ok(Self {
            storage,
            audit_keys,
            revocations: Arc::new(LeasedRevocations::new(Arc::clone(&coherence))),
            session_memory: caches_sessions.then(|| Arc::clone(&coherence) as _),
            coherence,
            sealing: database.sealing,
            clock_watch,
            key_agreement: Arc::new(key_agreement),
            key_renewal,
            hasher,
            meter,
            breached,
            throttle: Arc::new(MeteredThrottle::new(throttle(
                &settings.throttle,
                redis.as_ref(),
            )?)),
            bus: bus_kind,
            bus_health: bus_health.filter(|_| caches_sessions),
            redis_health: redis.map(|redis| redis_health(redis, &settings.throttle)),
            signer: keys.signer(),
            verifier: verifier(&keys.jwt, &settings.tokens),
            public_keys: Arc::clone(&keys.jwt) as _,
            mac: Arc::clone(&keys.mac) as _,
            clock,
            randomness,
        })
    }
}

/// Wraps the audit ports of `storage` in metrics.
fn metered(storage: Storage) -> Storage {
    Storage {
        audit_events: Arc::new(MeteredAuditEvents::new(storage.audit_events)),
        audit_log: Arc::new(MeteredAuditLog::new(storage.audit_log)),
        ..storage
    }
}

/// Returns the verifier of `jwt`, behind the signature cache if it is enabled.
fn verifier(jwt: &Arc<JwtTokens>, settings: &TokensSettings) -> Arc<dyn TokenVerifier> {
    let jwt: Arc<dyn TokenVerifier> = Arc::clone(jwt) as _;
    match NonZeroUsize::new(settings.signature_cache) {
        Some(most) => Arc::new(CachedTokenVerifier::new(jwt, Arc::new(SystemClock), most)),
        None => jwt,
    }
}

/// The ports that work on passwords. They share one pool and its limits.
pub struct PasswordPorts {
    pub hasher: Arc<dyn PasswordHasher>,
    pub meter: Arc<dyn PasswordMeter>,
    pub breached: Arc<dyn BreachedPasswords>,
}

impl PasswordPorts {
    /// Starts the hash threads and opens the file of breached passwords, if there is one.
    pub fn new(settings: &PasswordSettings, threads: NonZeroUsize) -> Result<Self, Failure> {
        let cannot_hash = "passwords cannot be hashed";
        let params = Argon2Params {
            memory_kib: settings.memory_kib,
            iterations: settings.iterations,
            ..Argon2Params::default()
        };
        let pool = HashPoolSettings {
            threads,
            queue: settings.hash_queue,
            ..HashPoolSettings::default()
        };
        let pool = HashPool::start(pool).map_err(|error| Failure::because(cannot_hash, error))?;
        let pool = Arc::new(pool);
        let hasher = Argon2Hasher::new(params, Arc::clone(&pool))
            .map_err(|error| Failure::because(cannot_hash, error))?;
        Ok(Self {
            hasher: Arc::new(hasher),
            breached: breached_passwords(settings, &pool)?,
            meter: Arc::new(ZxcvbnMeter::new(pool)),
        })
    }
}

fn breached_passwords(
    settings: &PasswordSettings,
    pool: &Arc<HashPool>,
) -> Result<Arc<dyn BreachedPasswords>, Failure> {
    let Some(path) = &settings.breached_file else {
        return Ok(Arc::new(NoBreachedPasswords));
    };
    let file = BreachedFile::open(path.clone(), Arc::clone(pool))
        .map_err(|error| Failure::because(variable("password.breached_file"), error))?;
    Ok(Arc::new(file))
}

/// Returns the requirements for new passwords. The host of the issuer and the forbidden words count
/// as predictable.
pub fn password_policy(settings: &Settings) -> PasswordPolicy {
    let issuer = settings.tokens.issuer.parse::<Uri>().ok();
    let host = issuer.as_ref().and_then(Uri::host);
    let forbidden = settings.password.forbidden_words.iter().map(String::as_str);
    PasswordPolicy {
        min_length: settings.password.min_length,
        min_score: settings.password.min_score,
        words: ContextWords::new(forbidden.chain(host)),
    }
}

/// Returns the rules of password resets.
pub fn reset_rules(settings: &PasswordSettings) -> ResetRules {
    ResetRules {
        ttl: delta(settings.reset_code_ttl),
        admin_chosen: settings.admin_chosen,
    }
}

/// Returns the claims and lifetime of access tokens, and how long they suffice for changes.
pub fn token_rules(settings: &TokensSettings) -> TokenRules {
    TokenRules {
        issuer: settings.issuer.clone(),
        audience: settings.audience.clone(),
        client_id: settings.client_id.clone(),
        access_ttl: delta(settings.access_ttl),
        step_up_max_age: delta(settings.step_up_max_age),
    }
}

/// Returns the lifetimes and limits of sessions.
pub fn session_rules(settings: &TokensSettings) -> SessionRules {
    SessionRules {
        idle_ttl: delta(settings.refresh_idle_ttl),
        ttl: delta(settings.refresh_ttl),
        grace: delta(settings.refresh_grace),
        max_per_user: settings.max_sessions_per_user,
    }
}

/// Converts a duration of the settings.
pub fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).expect("validated durations are at most ten years")
}
