use crate::{
    invalidating::{InvalidatingAccounts, InvalidatingRoles},
    password::PasswordPolicy,
    ports::{
        Accounts, AuditCheckpoints, AuditLog, AuditSealer, BreachedPasswords, CheckpointSigner,
        CheckpointVerifier, Clock, ForeignHashes, KeptCheckpoint, PasswordHasher, PasswordMeter, Randomness,
        Revocations, Roles, SessionDirectory, UserDirectory,
    },
    role::RoleNames,
    steps::AcceptPassword,
    use_cases::{
        AcceptAuditLog, AssignRoles, BootstrapAdmin, CreateUser, DeleteRole, DeleteUser, ExportOwnData,
        FindUsers, FollowAudit, ImportUsers, ListRoles, ListSessions, ReadAudit, ResetPassword, ResetRules,
        ResumeAuditLog, SetStatus, ShowCheckpoint, SignCheckpoint, UserSessions, VerifyAudit, WriteRole,
    },
};
use std::sync::{Arc, Mutex};

/// The ports of administration and reporting. Of the keys, they include only the audit key.
#[derive(Clone)]
pub struct AdministrationPorts {
    /// Undecorated storage: [`Administration`] adds the decorator that publishes invalidations.
    pub accounts: Arc<dyn Accounts>,
    pub users: Arc<dyn UserDirectory>,
    pub sessions: Arc<dyn SessionDirectory>,
    /// Undecorated storage.
    pub roles: Arc<dyn Roles>,
    pub audit: AuditPorts,
    /// The receiver of invalidations.
    pub revocations: Arc<dyn Revocations>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub meter: Arc<dyn PasswordMeter>,
    /// Use [`NoBreachedPasswords`](crate::ports::NoBreachedPasswords) if there is no list.
    pub breached: Arc<dyn BreachedPasswords>,
    pub foreign_hashes: Arc<dyn ForeignHashes>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

/// The ports of the audit log.
#[derive(Clone)]
pub struct AuditPorts {
    pub log: Arc<dyn AuditLog>,
    pub checkpoints: Arc<dyn AuditCheckpoints>,
    /// Use [`NothingKept`](crate::ports::NothingKept) if there is no place outside the database.
    pub kept: Arc<dyn KeptCheckpoint>,
    /// MUST be the sealer that storage uses for the audit log.
    pub sealer: Arc<dyn AuditSealer>,
    pub signer: Arc<dyn CheckpointSigner>,
    pub verifier: Arc<dyn CheckpointVerifier>,
}

/// Rules of administration set by the operator.
#[derive(Clone, Debug)]
pub struct AdministrationRules {
    pub passwords: PasswordPolicy,
    pub resets: ResetRules,
    /// The roles of imported users without roles in the import file. They cannot be deleted.
    pub default_roles: RoleNames,
}

/// The use cases of administration and reporting.
#[derive(Clone)]
pub struct Administration {
    pub create_user: Arc<CreateUser>,
    pub bootstrap_admin: Arc<BootstrapAdmin>,
    pub import_users: Arc<ImportUsers>,
    pub find_users: Arc<FindUsers>,
    pub assign_roles: Arc<AssignRoles>,
    pub set_status: Arc<SetStatus>,
    pub reset_password: Arc<ResetPassword>,
    pub delete_user: Arc<DeleteUser>,
    pub list_sessions: Arc<ListSessions>,
    pub user_sessions: Arc<UserSessions>,
    pub list_roles: Arc<ListRoles>,
    pub write_role: Arc<WriteRole>,
    pub delete_role: Arc<DeleteRole>,
    pub export_own_data: Arc<ExportOwnData>,
    pub read_audit: Arc<ReadAudit>,
    pub follow_audit: Arc<FollowAudit>,
    pub verify_audit: Arc<VerifyAudit>,
    pub resume_audit_log: Arc<ResumeAuditLog>,
    /// Shared by all callers, because it keeps its last checkpoint.
    pub sign_checkpoint: Arc<SignCheckpoint>,
    pub accept_audit_log: Arc<AcceptAuditLog>,
    pub show_checkpoint: Arc<ShowCheckpoint>,
}

impl Administration {
    /// Builds the use cases.
    #[must_use]
    pub fn new(mut ports: AdministrationPorts, rules: AdministrationRules) -> Self {
        ports.accounts = Arc::new(InvalidatingAccounts::new(
            ports.accounts,
            Arc::clone(&ports.revocations),
        ));
        ports.roles = Arc::new(InvalidatingRoles::new(
            ports.roles,
            Arc::clone(&ports.revocations),
        ));
        let accept_password = Arc::new(AcceptPassword {
            meter: ports.meter,
            breached: ports.breached,
            hasher: ports.hasher.clone(),
            clock: ports.clock.clone(),
            policy: rules.passwords,
        });
        let create_user = Arc::new(CreateUser {
            accounts: ports.accounts.clone(),
            accept_password: accept_password.clone(),
            clock: ports.clock.clone(),
            randomness: ports.randomness.clone(),
        });
        Self {
            bootstrap_admin: Arc::new(BootstrapAdmin {
                users: ports.users.clone(),
                create_user: create_user.clone(),
            }),
            create_user,
            import_users: Arc::new(ImportUsers {
                accounts: ports.accounts.clone(),
                users: ports.users.clone(),
                hashes: ports.foreign_hashes,
                default_roles: rules.default_roles.clone(),
                clock: ports.clock.clone(),
                randomness: ports.randomness.clone(),
            }),
            find_users: Arc::new(FindUsers {
                accounts: ports.accounts.clone(),
                users: ports.users,
            }),
            assign_roles: Arc::new(AssignRoles {
                accounts: ports.accounts.clone(),
                throttle: None,
                clock: ports.clock.clone(),
            }),
            set_status: Arc::new(SetStatus {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            reset_password: Arc::new(ResetPassword {
                accounts: ports.accounts.clone(),
                accept_password,
                hasher: ports.hasher,
                clock: ports.clock.clone(),
                randomness: ports.randomness,
                rules: rules.resets,
            }),
            delete_user: Arc::new(DeleteUser {
                accounts: ports.accounts.clone(),
                clock: ports.clock.clone(),
            }),
            list_sessions: Arc::new(ListSessions {
                sessions: ports.sessions.clone(),
                clock: ports.clock.clone(),
            }),
            user_sessions: Arc::new(UserSessions {
                accounts: ports.accounts,
                sessions: ports.sessions.clone(),
                clock: ports.clock.clone(),
            }),
            list_roles: Arc::new(ListRoles {
                roles: ports.roles.clone(),
            }),
            write_role: Arc::new(WriteRole {
                roles: ports.roles.clone(),
                clock: ports.clock.clone(),
            }),
            delete_role: Arc::new(DeleteRole {
                roles: ports.roles,
                clock: ports.clock.clone(),
                default_roles: rules.default_roles,
            }),
            export_own_data: Arc::new(ExportOwnData {
                sessions: ports.sessions,
                audit_log: ports.audit.log.clone(),
                clock: ports.clock.clone(),
            }),
            read_audit: Arc::new(ReadAudit {
                audit_log: ports.audit.log.clone(),
            }),
            follow_audit: Arc::new(FollowAudit {
                audit_log: ports.audit.log.clone(),
            }),
            verify_audit: Arc::new(ports.audit.verify_audit()),
            resume_audit_log: Arc::new(ports.audit.resume_audit_log()),
            show_checkpoint: Arc::new(ports.audit.show_checkpoint(ports.clock.clone())),
            sign_checkpoint: Arc::new(ports.audit.sign_checkpoint(ports.clock)),
            accept_audit_log: Arc::new(ports.audit.accept_audit_log()),
        }
    }
}

impl AuditPorts {
    fn verify_audit(&self) -> VerifyAudit {
        VerifyAudit {
            audit_log: self.log.clone(),
            checkpoints: self.checkpoints.clone(),
            kept: self.kept.clone(),
            sealer: self.sealer.clone(),
            verifier: self.verifier.clone(),
        }
    }

    fn resume_audit_log(&self) -> ResumeAuditLog {
        ResumeAuditLog {
            audit_log: self.log.clone(),
            checkpoints: self.checkpoints.clone(),
            kept: self.kept.clone(),
            sealer: self.sealer.clone(),
            verifier: self.verifier.clone(),
        }
    }

    fn sign_checkpoint(&self, clock: Arc<dyn Clock>) -> SignCheckpoint {
        SignCheckpoint {
            audit_log: self.log.clone(),
            checkpoints: self.checkpoints.clone(),
            kept: self.kept.clone(),
            sealer: self.sealer.clone(),
            signer: self.signer.clone(),
            verifier: self.verifier.clone(),
            clock,
            last: Mutex::default(),
        }
    }

    fn show_checkpoint(&self, clock: Arc<dyn Clock>) -> ShowCheckpoint {
        ShowCheckpoint {
            checkpoints: self.checkpoints.clone(),
            verifier: self.verifier.clone(),
            clock,
            reads: Mutex::default(),
        }
    }

    fn accept_audit_log(&self) -> AcceptAuditLog {
        AcceptAuditLog {
            audit_log: self.log.clone(),
            checkpoints: self.checkpoints.clone(),
            kept: self.kept.clone(),
            sealer: self.sealer.clone(),
            signer: self.signer.clone(),
            verifier: self.verifier.clone(),
        }
    }
}
