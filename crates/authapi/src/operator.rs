//! Use cases of the command line for users, roles, sessions and the audit log.

use crate::{
    Failure,
    audit_keys::{AuditKeys, KeyUser},
    bus::BusSettings,
    composition::administration_rules,
    operator_revocations::OperatorRevocations,
    replica_entry::check_audit_key,
    settings::Settings,
    storage::{Database, DatabasePorts},
    wiring::PasswordPorts,
};
use adapters_crypto::{CheckpointPublicKey, ForeignHashForms, OsRandomness, SystemClock};
use domain::{
    core::{Administration, AdministrationPorts},
    ports::{AuditLog, Replicas, UserDirectory},
    role::RoleNames,
};
use std::{num::NonZeroUsize, ops::Deref, sync::Arc};

/// The use cases of the command line. Of the keys, it needs only the audit key. It needs no
/// throttle, because its user can read the database anyway.
pub struct Operator {
    /// The users, for exports, which have no use case.
    pub users: Arc<dyn UserDirectory>,
    pub default_roles: RoleNames,
    /// Present if the database may have several servers.
    pub replicas: Option<Arc<dyn Replicas>>,
    audit_log: Arc<dyn AuditLog>,
    administration: Administration,
}

impl Operator {
    /// Opens the database and migrates its schema, so that an admin can be created before the first
    /// start of the service.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        Self::to_change(Database::open(&settings.database).await?, settings).await
    }

    /// Opens a database that a start of the service, or a command that may do so, has created, and
    /// migrates its schema.
    ///
    /// # Errors
    /// If there is no database, or the database has no tables of this program.
    pub async fn open_existing(settings: &Settings) -> Result<Self, Failure> {
        Self::to_change(Self::existing(settings).await?, settings).await
    }

    /// Opens a database as [`open_existing`](Self::open_existing) does, to accept its audit log.
    /// The log may have another audit key, and the key is never generated.
    pub async fn open_to_accept(settings: &Settings) -> Result<Self, Failure> {
        let database = Self::existing(settings).await?;
        let audit_keys = AuditKeys::load(&settings.keys)?;
        database.migrate_up(&settings.keys).await?;
        Self::over(&database, &audit_keys, settings).await
    }

    /// Opens a database as [`open_existing`](Self::open_existing) does, to verify its audit log.
    /// The audit key is never generated.
    pub async fn open_to_verify(settings: &Settings) -> Result<Self, Failure> {
        let database = Self::existing(settings).await?;
        let audit_keys = AuditKeys::load(&settings.keys)?;
        database.migrate_up(&settings.keys).await?;
        audit_keys.check(&settings.keys, &database.key_trace().await?)?;
        Self::over(&database, &audit_keys, settings).await
    }

    /// Opens a database without the audit key, to verify the checkpoints that `key` signed. Does
    /// not migrate it. The caller MUST NOT make changes.
    pub async fn open_to_verify_with(settings: &Settings, key: CheckpointPublicKey) -> Result<Self, Failure> {
        let database = Self::existing(settings).await?;
        database.check_migrated().await?;
        let audit_keys = AuditKeys::to_verify(key, &settings.keys);
        Self::over(&database, &audit_keys, settings).await
    }

    async fn existing(settings: &Settings) -> Result<Database, Failure> {
        let database = Database::open_existing(&settings.database).await?;
        database.check_schema().await?;
        Ok(database)
    }

    /// Migrates the schema, and generates the audit key only afterwards: not for a database that
    /// cannot be used, or that was used with another key. A key that must exist is loaded before:
    /// the previous version cannot use a database that was migrated.
    async fn to_change(database: Database, settings: &Settings) -> Result<Self, Failure> {
        AuditKeys::check_present(&settings.keys)?;
        database.migrate_up(&settings.keys).await?;
        let trace = database.key_trace().await?;
        let audit_keys = AuditKeys::of_database(&settings.keys, &trace, KeyUser::Command)?;
        Self::over(&database, &audit_keys, settings).await
    }

    /// Seals the events of the command, whatever its result: no server may be running. If this
    /// fails, which the adapter logs, they stay pending.
    pub async fn finish(&self) {
        self.audit_log.seal().await;
    }

    /// Builds the use cases, after comparing the audit key with those of running replicas.
    async fn over(database: &Database, audit_keys: &AuditKeys, settings: &Settings) -> Result<Self, Failure> {
        let DatabasePorts {
            storage,
            leases,
            replicas,
            has_one_server,
            ..
        } = database.ports(audit_keys);
        let replicas = (!has_one_server).then_some(replicas);
        if let Some(replicas) = replicas.as_deref().filter(|_| !audit_keys.only_verifies()) {
            check_audit_key(replicas, &audit_keys.key_id()).await?;
        }
        let passwords = PasswordPorts::new(&settings.password, NonZeroUsize::MIN)?;
        let audit = audit_keys.ports(&storage);
        let audit_log = Arc::clone(&audit.log);
        let revocations = OperatorRevocations::new(leases, BusSettings::new(settings, database));
        let ports = AdministrationPorts {
            accounts: storage.accounts,
            users: Arc::clone(&storage.users),
            sessions: storage.session_directory,
            roles: storage.roles,
            audit,
            revocations: Arc::new(revocations),
            hasher: passwords.hasher,
            meter: passwords.meter,
            breached: passwords.breached,
            foreign_hashes: Arc::new(ForeignHashForms),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(OsRandomness),
        };
        let rules = administration_rules(settings);
        Ok(Self {
            users: storage.users,
            default_roles: rules.default_roles.clone(),
            replicas,
            audit_log,
            administration: Administration::new(ports, rules),
        })
    }
}

impl Deref for Operator {
    type Target = Administration;

    fn deref(&self) -> &Administration {
        &self.administration
    }
}
