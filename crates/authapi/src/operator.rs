//! What the command line can do to users, roles, sessions and the trail.

use crate::{
    Failure,
    operator_revocations::OperatorRevocations,
    replica,
    settings::Settings,
    storage::{Database, Storage},
    wiring::{PasswordPorts, password_policy},
};
use adapters_crypto::{ForeignHashForms, OsRandomness, Sha256Sealer, SystemClock};
use domain::{
    ports::{Clock, Randomness, Users},
    role::RoleNames,
    use_cases::{
        AcceptPassword, AssignRoles, CreateUser, DeleteRole, DeleteUser, FindUsers, ImportUsers, ListRoles,
        ReadAudit, ResetPassword, SetStatus, UserSessions, VerifyAudit, WriteRole,
    },
};
use std::{num::NonZeroUsize, sync::Arc};

/// The use cases of whoever holds the command line. It needs no keys, and no throttle: whoever holds it holds the database.
pub struct Operator {
    pub users: Arc<dyn Users>,
    pub default_roles: RoleNames,
    pub create_user: CreateUser,
    pub find_users: FindUsers,
    pub assign_roles: AssignRoles,
    pub set_status: SetStatus,
    pub reset_password: ResetPassword,
    pub delete_user: DeleteUser,
    pub import_users: ImportUsers,
    pub list_roles: ListRoles,
    pub write_role: WriteRole,
    pub delete_role: DeleteRole,
    pub user_sessions: UserSessions,
    pub read_audit: ReadAudit,
    pub verify_audit: VerifyAudit,
}

impl Operator {
    /// Opens the database, with its schema brought up to date: the first admin may be made before the first start.
    pub async fn open(settings: &Settings) -> Result<Self, Failure> {
        let database = Database::open(&settings.database).await?;
        database.migrate_up().await?;
        let passwords = PasswordPorts::new(&settings.password, NonZeroUsize::MIN)?;
        let storage = database.storage();
        let revocations = OperatorRevocations::new(Arc::clone(&storage.leases), settings.redis.clone());
        let storage = replica::invalidating(storage, Arc::new(revocations));
        Ok(Self::over(storage, passwords, settings))
    }

    fn over(storage: Storage, passwords: PasswordPorts, settings: &Settings) -> Self {
        let Storage {
            users,
            sessions,
            roles,
            audit,
            ..
        } = storage;
        let PasswordPorts { hasher, meter } = passwords;
        let default_roles = settings.users.default_roles.clone();
        let accept = Arc::new(AcceptPassword::new(meter, password_policy(&settings.password)));
        let users = || Arc::clone(&users);
        let clock = || Arc::new(SystemClock) as Arc<dyn Clock>;
        let randomness = || Arc::new(OsRandomness) as Arc<dyn Randomness>;
        Self {
            create_user: CreateUser::new(
                users(),
                Arc::clone(&accept),
                Arc::clone(&hasher),
                clock(),
                randomness(),
            ),
            find_users: FindUsers::new(users()),
            assign_roles: AssignRoles::new(users(), clock()),
            set_status: SetStatus::new(users(), clock()),
            reset_password: ResetPassword::new(users(), accept, hasher, clock()),
            delete_user: DeleteUser::new(users(), clock()),
            import_users: ImportUsers::new(
                users(),
                Arc::new(ForeignHashForms),
                default_roles.clone(),
                clock(),
                randomness(),
            ),
            list_roles: ListRoles::new(Arc::clone(&roles)),
            write_role: WriteRole::new(Arc::clone(&roles), clock()),
            delete_role: DeleteRole::new(roles, clock(), default_roles.clone()),
            user_sessions: UserSessions::new(users(), sessions, clock()),
            read_audit: ReadAudit::new(Arc::clone(&audit)),
            verify_audit: VerifyAudit::new(audit, Arc::new(Sha256Sealer)),
            users: users(),
            default_roles,
        }
    }
}
