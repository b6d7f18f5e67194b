//! Refusals of requests that only browsers send.

use super::super::{Code, Problem};
use actix_cors::CorsError;
use actix_web::http::StatusCode;

impl From<&CorsError> for Problem {
    fn from(error: &CorsError) -> Self {
        match error {
            CorsError::OriginNotAllowed => refused_preflight(
                Code::CorsOriginRefused,
                "Pages of this origin may not call the service. The setting cors.origins lists those that may.",
            ),
            CorsError::MethodNotAllowed => refused_preflight(
                Code::CorsMethodRefused,
                "The method in Access-Control-Request-Method is not one that pages may send here.",
            ),
            CorsError::HeadersNotAllowed => refused_preflight(
                Code::CorsHeadersRefused,
                "Access-Control-Request-Headers names a header that pages may not send here.",
            ),
            // The layer reports all others for malformed preflights. The type is not exhaustive.
            _ => Self::malformed_request("The CORS preflight is malformed."),
        }
    }
}

fn refused_preflight(code: Code, detail: &'static str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, "CORS preflight refused", detail)
}

impl Problem {
    /// Returns the 403 for a request that contains or asks for a cookie, and does not prove that a
    /// permitted page sent it. The challenge offers the alternative: a token in the header.
    pub fn cookie_origin_refused() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            Code::CookieOriginRefused,
            "Forbidden",
            "Cookies are only for pages of this service's own origin or of one in the setting cors.origins.",
        )
        .challenge("Bearer")
    }
}
