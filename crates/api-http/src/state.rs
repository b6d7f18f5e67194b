use crate::mutations::Mutations;
use domain::{
    core::{Administration, Core},
    ports::{Clock, PublicKeys, Randomness, SessionMemory, StorageHealth},
};
use ipnet::IpNet;
use std::sync::Arc;

/// What the routes can ask the core to do, composed once. A bag, not a layer: it has no methods.
#[derive(Clone)]
pub struct UseCases {
    pub core: Core,
    pub administration: Administration,
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
