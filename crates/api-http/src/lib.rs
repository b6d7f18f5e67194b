//! The HTTP interface: routes, their requests and responses, and problem details (RFC 9457). It
//! contains no business rules.
//!
//! [`configure`] mounts everything into an actix application.

mod bearer;
mod body;
mod chunked_body;
mod client;
mod configure;
mod connections;
mod cookie_origin;
mod cookie_path;
mod cookie_values;
mod cors;
mod declared;
mod device;
mod docs;
mod empty_stream;
mod endpoint;
mod etag;
mod field_errors;
pub mod forwarded_for;
mod home;
mod host;
mod if_match;
mod if_none_match;
mod logged_principal;
mod metrics;
mod mutations;
mod openapi;
mod page;
mod problem;
mod query;
mod refresh_cookie;
mod request;
mod request_ids;
mod routes;
mod session_bus;
mod state;
mod web_origin;

pub use bearer::{Authenticated, AuthenticatedUser};
pub use configure::configure;
pub use connections::{ConnectionLimits, Connections, GuardedStream, Timeouts};
pub use cookie_path::{CookiePathPrefix, CookiePathPrefixRefused};
pub use mutations::Mutations;
pub use openapi::{OrderedJson, openapi};
pub use session_bus::SessionBus;
pub use state::{Edge, HttpSettings, UseCases};
pub use web_origin::{WebOrigin, WebOriginRefused};

/// Compiles and runs the snippets of the embedding guide as doc tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
