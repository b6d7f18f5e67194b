//! The service over HTTP: routes, what they take and answer, and how refusals look (RFC 9457). No rules live here.
//!
//! [`configure`] mounts everything into an actix application, the binary's or one's own.

mod bearer;
mod body;
mod client;
mod mutations;
mod openapi;
mod problem;
mod request;
mod routes;
mod state;

pub use mutations::Mutations;
pub use openapi::openapi;
pub use routes::configure;
pub use state::{Edge, HttpSettings, UseCases};
