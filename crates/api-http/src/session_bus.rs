use serde::Serialize;
use utoipa::ToSchema;

/// What carries the invalidations of sessions: `process` if there is only one server, `postgres`
/// for LISTEN and NOTIFY, or `redis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionBus {
    /// There is only one server.
    Process,
    /// LISTEN and NOTIFY.
    Postgres,
    /// Redis.
    Redis,
}
