//! The user or machine in the log line of a request.

use actix_web::{HttpMessage, HttpRequest, HttpResponse, dev::ServiceResponse};
use domain::principal::PrincipalId;

/// The user or machine whose token was accepted, or that received tokens.
///
/// The log line of the request names them whatever the status of the response, so that a 403 can be
/// traced to its caller. A token that was not accepted names neither: its claims are a statement of
/// the client about a session that no longer exists, or that never did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedPrincipal(pub PrincipalId);

impl LoggedPrincipal {
    /// Attaches the principal to `request`, from its acceptance of a token on.
    pub fn attach(self, request: &HttpRequest) {
        request.extensions_mut().insert(self);
    }

    /// Attaches the principal to the response of a route that does not extract a caller.
    pub fn of(self, mut response: HttpResponse) -> HttpResponse {
        response.extensions_mut().insert(self);
        response
    }

    /// Returns the principal of an answered request.
    pub fn find<B>(response: &ServiceResponse<B>) -> Option<Self> {
        let of_response = response.response().extensions().get().copied();
        of_response.or_else(|| response.request().extensions().get().copied())
    }
}
