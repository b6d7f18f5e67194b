use crate::mutations::Mutations;
use domain::{
    ports::{Clock, PublicKeys, Randomness, SessionMemory, StorageHealth},
    use_cases::{
        AssignRoles, Authenticate, ChangeOwnPassword, DeleteOwnAccount, DeleteRole, DeleteUser, EndSession,
        ExportOwnData, FindUsers, ListRoles, ListSessions, LogIn, LogOut, ReadAudit, Refresh, Register,
        ResetPassword, SetStatus, UserSessions, WriteRole,
    },
};
use ipnet::IpNet;
use std::sync::Arc;

/// What the routes can ask the core to do; made once by whoever wires the service. A bag, not a layer: it has no methods.
#[derive(Clone)]
pub struct UseCases {
    pub authenticate: Arc<Authenticate>,
    pub register: Arc<Register>,
    pub log_in: Arc<LogIn>,
    pub log_out: Arc<LogOut>,
    pub refresh: Arc<Refresh>,
    pub assign_roles: Arc<AssignRoles>,
    pub change_own_password: Arc<ChangeOwnPassword>,
    pub list_sessions: Arc<ListSessions>,
    pub end_session: Arc<EndSession>,
    pub delete_own_account: Arc<DeleteOwnAccount>,
    pub export_own_data: Arc<ExportOwnData>,
    pub find_users: Arc<FindUsers>,
    pub set_status: Arc<SetStatus>,
    pub delete_user: Arc<DeleteUser>,
    pub reset_password: Arc<ResetPassword>,
    pub user_sessions: Arc<UserSessions>,
    pub list_roles: Arc<ListRoles>,
    pub write_role: Arc<WriteRole>,
    pub delete_role: Arc<DeleteRole>,
    pub read_audit: Arc<ReadAudit>,
    pub public_keys: Arc<dyn PublicKeys>,
    pub storage_health: Arc<dyn StorageHealth>,
    /// Of the Redis that replicas share, where there is one: the service does its work without it.
    pub redis_health: Option<Arc<dyn StorageHealth>>,
    /// Where sessions are looked up in memory; elsewhere the database is read for each request.
    pub session_memory: Option<Arc<dyn SessionMemory>>,
}

/// What can be set about the edge itself.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Networks of the proxies whose `X-Forwarded-For` is believed. Empty: nobody's.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether `/docs` and `/openapi.json` are there.
    pub docs: bool,
    /// The `iss` of tokens, a URL at which clients reach this edge. Without one there is no RFC 8414 metadata.
    pub issuer: Option<String>,
}

/// Everything that [`configure`](crate::configure) needs.
#[derive(Clone)]
pub struct Edge {
    pub use_cases: UseCases,
    pub settings: HttpSettings,
    /// For request ids.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub randomness: Arc<dyn Randomness>,
    /// Drain it on shutdown, after the server has stopped.
    pub mutations: Mutations,
}
