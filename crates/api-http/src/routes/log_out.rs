use crate::{
    bearer::bearer_token,
    logged_principal::LoggedPrincipal,
    problem::{Problem, ProblemBody, documented::CookieOriginOrMachineRefused},
    query::QueryParameters,
    refresh_cookie::{RefreshCookies, cookie_token},
    request::RequestOrigin,
    state::Edge,
};
use actix_web::{HttpRequest, HttpResponse, ResponseError, http::StatusCode, web::Data};
use domain::user::UserId;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogoutQuery {
    /// End all sessions of the user instead of this one.
    #[serde(default)]
    #[param(default = false, required = false)]
    everywhere: bool,
}

/// Logs out.
///
/// Ends the session of the access or refresh token in the header, and that of the refresh token in
/// the cookie. Their tokens are invalid on every replica once the response is sent. The cookie is
/// used only if a page of this service's own origin or of a listed one sent the request, and not if
/// the token in the header is refused.
#[utoipa::path(
    post,
    path = "/logout",
    tag = "main",
    params(LogoutQuery),
    security(("accessToken" = []), ("refreshToken" = []), ("refreshCookie" = [])),
    responses(
        (status = 204, description = "The session was ended.", headers(("Set-Cookie" = String))),
        CookieOriginOrMachineRefused,
        (status = 401, description = "`token_missing`, `token_malformed`, `token_invalid`, `token_expired`, `token_revoked`, `token_outdated`; with a refresh token `refresh_token_invalid`, `refresh_token_reused`, `session_revoked`, `session_expired`", body = ProblemBody, content_type = "application/problem+json", headers(("Set-Cookie" = String))),
        (status = 503, description = "`unavailable` or `overloaded`, with Retry-After; the session may or may not have ended", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub async fn log_out(
    edge: Data<Edge>,
    origin: RequestOrigin,
    request: HttpRequest,
    QueryParameters(query): QueryParameters<LogoutQuery>,
) -> Result<HttpResponse, Problem> {
    let cookies = RefreshCookies::of(&edge.settings);
    let cookie = cookie_token(&request, &edge.settings);
    let (user, clears) = match bearer_token(&request)? {
        Some(token) => {
            // A cookie that is cleared while its session lives is lost to the user only.
            let cookie = cookie.ok();
            let clears = cookie.is_some();
            (end(&edge, token, cookie, query.everywhere, origin).await?, clears)
        }
        None => match end(&edge, cookie?, None, query.everywhere, origin).await {
            Ok(user) => (user, true),
            Err(problem) => return Ok(cookies.refused(&problem)),
        },
    };
    let mut response = HttpResponse::NoContent().finish();
    if clears {
        cookies.clear(&mut response);
    }
    Ok(LoggedPrincipal(user.into()).of(response))
}

/// Ends the session of `token`, or all of its user, and then the session of `cookie`, which may be
/// the same or have ended before. Returns the user of `token`.
async fn end(
    edge: &Edge,
    token: SecretString,
    cookie: Option<SecretString>,
    everywhere: bool,
    origin: RequestOrigin,
) -> Result<UserId, Problem> {
    let log_out = Arc::clone(&edge.use_cases.core.log_out);
    let ending = async move {
        let RequestOrigin(origin) = origin;
        let token = token.expose_secret();
        let user = log_out.execute(token, everywhere, origin.clone()).await?;
        if let Some(cookie) = cookie {
            let ended = log_out.execute(cookie.expose_secret(), false, origin).await;
            if let Err(problem) = ended.map_err(Problem::from)
                && problem.status_code() != StatusCode::UNAUTHORIZED
            {
                return Err(problem);
            }
        }
        Ok(user)
    };
    edge.mutations.run(ending).await
}
