//! Use cases of the command line for users, roles, sessions and the audit log.

use crate::{
    Failure,
    composition::administration_rules,
    operator_revocations::OperatorRevocations,
    settings::Settings,
    storage::{Database, DatabasePorts},
    wiring::PasswordPorts,
};
use adapters_crypto::{ForeignHashForms, OsRandomness, Sha256Sealer, SystemClock};
use domain::{
    core::{Administration, AdministrationPorts},
    ports::UserDirectory,
    role::RoleNames,
};
use std::{num::NonZeroUsize, ops::Deref, sync::Arc};

/// The use cases of the command line. It needs neither keys nor a throttle, because its user can
/// read the database anyway.
pub struct Operator {
    /// The users, for exports, which have no use case.
    pub users: Arc<dyn UserDirectory>,
    pub default_roles: RoleNames,
    administration: Administration,
}

impl Operator {
    /// Opens the database and migrates its schema, so that an admin can be created before the first
    /// start of the service.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        Self::migrated(Database::open(&settings.database).await?, settings).await
    }

    /// Opens a database that a start of the service, or a command that may do so, has created, and
    /// migrates its schema.
    ///
    /// # Errors
    /// If there is no database, or the database has no tables of this program.
    pub async fn open_existing(settings: &Settings) -> Result<Self, Failure> {
        let database = Database::open_existing(&settings.database).await?;
        database.check_schema().await?;
        Self::migrated(database, settings).await
    }

    async fn migrated(database: Database, settings: &Settings) -> Result<Self, Failure> {
        database.migrate_up().await?;
        let passwords = PasswordPorts::new(&settings.password, NonZeroUsize::MIN)?;
        Ok(Self::over(database.ports(), passwords, settings))
    }

    fn over(
        DatabasePorts { storage, leases, .. }: DatabasePorts,
        passwords: PasswordPorts,
        settings: &Settings,
    ) -> Self {
        let revocations = OperatorRevocations::new(leases, settings.redis.clone());
        let ports = AdministrationPorts {
            accounts: storage.accounts,
            users: Arc::clone(&storage.users),
            sessions: storage.session_directory,
            roles: storage.roles,
            audit_log: storage.audit_log,
            sealer: Arc::new(Sha256Sealer),
            revocations: Arc::new(revocations),
            hasher: passwords.hasher,
            meter: passwords.meter,
            breached: passwords.breached,
            foreign_hashes: Arc::new(ForeignHashForms),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(OsRandomness),
        };
        let rules = administration_rules(settings);
        Self {
            users: storage.users,
            default_roles: rules.default_roles.clone(),
            administration: Administration::new(ports, rules),
        }
    }
}

impl Deref for Operator {
    type Target = Administration;

    fn deref(&self) -> &Administration {
        &self.administration
    }
}
