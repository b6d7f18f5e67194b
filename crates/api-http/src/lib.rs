//! The service over HTTP: routes, what they take and answer, and how refusals look (RFC 9457). No rules live here.
//!
//! [`configure`] mounts everything into an actix application, the binary's or one's own.

mod bearer;
mod body;
mod chunked_body;
mod client;
mod configure;
mod connections;
mod docs;
mod endpoint;
mod if_match;
mod metrics;
mod mutations;
mod openapi;
mod page;
mod problem;
mod request;
mod request_ids;
mod routes;
mod state;

pub use bearer::Authenticated;
pub use configure::configure;
pub use connections::Connections;
pub use mutations::Mutations;
pub use openapi::openapi;
pub use state::{Edge, HttpSettings, UseCases};

/// The snippets of the page for teams that embed: they compile, and those that can run do.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
