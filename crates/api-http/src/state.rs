use crate::{
    cookie_path::CookiePathPrefix, mutations::Mutations, session_bus::SessionBus, web_origin::WebOrigin,
};
use domain::{
    core::{Administration, Core},
    ports::{Clock, ClockComparison, PublicKeys, Randomness, SessionMemory, StorageHealth},
};
use ipnet::IpNet;
use std::{sync::Arc, time::Duration};

/// The use cases that the routes call, and the health of optional dependencies.
#[derive(Clone)]
pub struct UseCases {
    pub core: Core,
    pub administration: Administration,
    pub public_keys: Arc<dyn PublicKeys>,
    pub storage_health: Arc<dyn StorageHealth>,
    /// The health of Redis, if it is configured. The service works without it.
    pub redis_health: Option<Arc<dyn StorageHealth>>,
    /// The health of an invalidation bus in the database. Without it, sessions are not cached.
    pub bus_health: Option<Arc<dyn StorageHealth>>,
    /// What carries invalidations between replicas; `None` not to report it.
    pub session_bus: Option<SessionBus>,
    /// The state of the session cache; `None` if the database is read for each request.
    pub session_memory: Option<Arc<dyn SessionMemory>>,
    /// Whether this machine's clock agrees with the database's; `None` if there is no other clock.
    pub clock_comparison: Option<Arc<dyn ClockComparison>>,
}

/// Settings of the HTTP edge.
#[derive(Clone, Debug, Default)]
pub struct HttpSettings {
    /// Networks of the proxies whose `X-Forwarded-For` is trusted. Empty to trust none.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether to serve `/docs` and `/openapi.json`.
    pub docs: bool,
    /// The `iss` of tokens: the URL at which clients reach this edge. Without it, the RFC 8414
    /// metadata is not served.
    pub issuer: Option<String>,
    /// Origins of the pages that may call this edge and use its cookies, besides its own. Without
    /// any, CORS is disabled, except for the public documents below `/.well-known`.
    pub cors_origins: Vec<WebOrigin>,
    /// The path below which clients reach this edge.
    pub cookie_path_prefix: CookiePathPrefix,
    /// How long other services may cache the JWKS; `None` for 5 minutes.
    pub jwks_max_age: Option<Duration>,
}

/// Everything that [`configure`](crate::configure) needs.
#[derive(Clone)]
pub struct Edge {
    pub use_cases: UseCases,
    pub settings: HttpSettings,
    /// The source of the times in request ids.
    pub clock: Arc<dyn Clock>,
    /// The source of the random bits in request ids.
    pub randomness: Arc<dyn Randomness>,
    /// Runs mutations. Drain it on shutdown, after the server has stopped.
    pub mutations: Mutations,
}
