use super::token_pair::{TokenPairResponse, token_pair};
use crate::{
    bearer::bearer_token,
    body::OptionalJsonBody,
    cookie_origin::CookieOrigins,
    metrics,
    problem::{
        Problem, ProblemBody,
        documented::{BodyRefused, CookieOriginRefused},
    },
    query::QueryParameters,
    refresh_cookie::{RefreshCookies, cookie_token},
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpRequest, HttpResponse, web::Data};
use domain::{refresh_token::RefreshToken, steps::TokenPair};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The refresh token, for clients that cannot set the header.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    #[schema(value_type = String, format = Password, example = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA")]
    refresh_token: SecretString,
}

#[derive(Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RefreshQuery {
    /// Whether to return the next refresh token as the cookie `__Secure-authapi-refresh` instead of
    /// the field `refresh_token`. Always the case if the cookie was used.
    #[param(default = false, required = false)]
    refresh_cookie: bool,
}

/// Exchanges a refresh token for new tokens.
///
/// Send the token in the header or in the body. The cookie is used only without such a token, and
/// only if a page of this service's own origin or of a listed one sent the request. The previous
/// token, and those that the latest burst of refreshes replaced, return the current one again, for
/// the grace window at most, so that a lost response or another tab does not log the user out. Any
/// other used token ends the session, because it must have been copied.
#[utoipa::path(
    post,
    path = "/refresh",
    tag = "main",
    params(RefreshQuery),
    request_body(content = Option<RefreshRequest>),
    security(("refreshToken" = []), ("refreshCookie" = []), ()),
    responses(
        (status = 200, description = "The new tokens of the session.", body = TokenPairResponse, headers(("Set-Cookie" = String))),
        BodyRefused, CookieOriginRefused,
        (status = 400, description = "`malformed_request`, also if both header and body contain a token; `precondition_unsupported`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`token_missing`, `refresh_token_invalid`, `refresh_token_reused`, `session_revoked`, `session_expired`", body = ProblemBody, content_type = "application/problem+json", headers(("Set-Cookie" = String))),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After; the token is still valid", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn refresh(
    edge: Data<Edge>,
    origin: RequestOrigin,
    request: HttpRequest,
    query: QueryParameters<RefreshQuery>,
    body: OptionalJsonBody<RefreshRequest>,
) -> Result<HttpResponse, Problem> {
    let Some(token) = explicit_token(&request, body.0)? else {
        return refresh_cookie(&edge, &request, origin).await;
    };
    let in_cookie = query.0.refresh_cookie;
    if in_cookie {
        CookieOrigins::of(&edge.settings).check_to_set(request.headers())?;
    }
    let pair = exchange(&edge, token, origin).await?;
    let cookies = RefreshCookies::of(&edge.settings);
    Ok(token_pair(&pair, in_cookie.then_some(cookies)))
}

/// Exchanges the token of the cookie. The page must not be able to obtain it, so the next one is in
/// a cookie, too.
async fn refresh_cookie(
    edge: &Edge,
    request: &HttpRequest,
    origin: RequestOrigin,
) -> Result<HttpResponse, Problem> {
    let token = cookie_token(request, &edge.settings)?;
    let cookies = RefreshCookies::of(&edge.settings);
    Ok(match exchange(edge, token, origin).await {
        Ok(pair) => token_pair(&pair, Some(cookies)),
        Err(problem) => cookies.refused(&problem),
    })
}

async fn exchange(edge: &Edge, token: SecretString, origin: RequestOrigin) -> Result<TokenPair, Problem> {
    let refresh = Arc::clone(&edge.use_cases.core.refresh);
    let token = RefreshToken::new(token.expose_secret().to_owned());
    let exchanging = async move {
        let outcome = refresh.execute(&token, origin.0).await;
        metrics::record_refresh(outcome.map_err(Problem::from))
    };
    edge.mutations.run(exchanging).await
}

/// Returns the token from the header or from the body, if there is one. A client must use only one
/// of these methods (RFC 6750, section 2).
fn explicit_token(
    request: &HttpRequest,
    body: Option<RefreshRequest>,
) -> Result<Option<SecretString>, Problem> {
    match (bearer_token(request)?, body) {
        (Some(token), None) => Ok(Some(token)),
        (None, body) => Ok(body.map(|body| body.refresh_token)),
        (Some(_), Some(_)) => Err(Problem::malformed_request(
            "Send the refresh token in the header or in the body, not in both.",
        )),
    }
}
