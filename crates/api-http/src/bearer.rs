//! Tokens from the `Authorization` header, the only accepted place (RFC 6750, section 2.1).

use crate::{logged_principal::LoggedPrincipal, problem::Problem, state::Edge};
use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header, web::Data};
use domain::{
    caller::{Caller, UserCaller},
    use_cases::Authenticate,
};
use secrecy::SecretString;
use std::{future::Future, pin::Pin};

/// Returns the access or refresh token of `request` as the client sent it, if it has one.
pub fn bearer_token(request: &HttpRequest) -> Result<Option<SecretString>, Problem> {
    Ok(bearer_text(request)?.map(SecretString::from))
}

/// Returns the text of the token of `request`, if it has one.
fn bearer_text(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let Some(header) = headers.next() else {
        return Ok(None);
    };
    if headers.next().is_some() {
        return Err(Problem::malformed_request(
            "The request has more than one Authorization header.",
        ));
    }
    // `to_str` checks byte by byte, which is slow for tokens of hundreds of bytes on every request.
    let text = str::from_utf8(header.as_bytes())
        .ok()
        .filter(|text| text.is_ascii());
    let text = text.ok_or_else(Problem::token_malformed)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    let token = token.trim_matches(' ');
    match scheme.eq_ignore_ascii_case("bearer") {
        true if token.is_empty() => Err(Problem::token_malformed()),
        true => Ok(Some(token)),
        false => Ok(None),
    }
}

/// Returns the text of the token of `request`, or the problem `token_missing`.
fn required_text(request: &HttpRequest) -> Result<&str, Problem> {
    bearer_text(request)?.ok_or_else(Problem::token_missing)
}

/// An extractor for routes that require an accepted access token. All other requests get the same
/// problems as from the service's own routes.
///
/// Applications can use it in their own routes. Those are outside the scope of
/// [`configure`](crate::configure), so register the edge with the application:
/// `App::new().app_data(Data::new(edge.clone()))`. Without it, the extractor panics.
pub struct Authenticated(pub Caller);

impl FromRequest for Authenticated {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let token = required_text(&request)?;
            // A caller who must first change their password is refused, but logged.
            let caller = identify(&request, token).await?;
            Ok(Self(Authenticate::with_own_password(caller)?))
        })
    }
}

/// An extractor for routes that require an accepted access token of a user. A machine gets the
/// problem `user_required`; otherwise, it is like [`Authenticated`].
pub struct AuthenticatedUser(pub UserCaller);

impl FromRequest for AuthenticatedUser {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let authenticated = Authenticated::from_request(request, payload);
        Box::pin(async move {
            let Authenticated(caller) = authenticated.await?;
            Ok(Self(caller.try_into()?))
        })
    }
}

/// An extractor for the few routes that also accept a user who must first change their password.
pub struct EvenWithResetPassword(pub UserCaller);

impl FromRequest for EvenWithResetPassword {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let token = required_text(&request)?;
            Ok(Self(identify(&request, token).await?.try_into()?))
        })
    }
}

/// Returns the caller with `token`, and names them in the log line of `request`.
async fn identify(request: &HttpRequest, token: &str) -> Result<Caller, Problem> {
    let edge = request
        .app_data::<Data<Edge>>()
        .expect("configure() adds it to its scope, and the application to its other routes");
    let authenticate = &edge.use_cases.core.authenticate;
    let caller = authenticate.even_with_a_reset_password(token).await?;
    LoggedPrincipal(caller.principal().id()).attach(request);
    Ok(caller)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use secrecy::ExposeSecret;

    fn token_of(headers: &[&str]) -> Result<Option<String>, &'static str> {
        let mut request = TestRequest::default();
        for value in headers {
            request = request.append_header((header::AUTHORIZATION, *value));
        }
        bearer_token(&request.to_http_request())
            .map(|token| token.map(|token| token.expose_secret().to_owned()))
            .map_err(|problem| problem.code())
    }

    #[test]
    fn a_token_requires_the_scheme_bearer() {
        for (headers, expected) in [
            (&[][..], Ok(None)),
            (&["Bearer abc"], Ok(Some("abc"))),
            (&["bearer abc"], Ok(Some("abc"))),
            (&["BEARER  abc "], Ok(Some("abc"))),
            (&["Basic abc"], Ok(None)),
            (&["abc"], Ok(None)),
            (&["Bearer"], Err("token_malformed")),
            (&["Bearer "], Err("token_malformed")),
            (&["Bearer é"], Err("token_malformed")),
            (&["Bearer abc", "Bearer def"], Err("malformed_request")),
        ] {
            assert_eq!(
                token_of(headers),
                expected.map(|token| token.map(str::to_owned)),
                "{headers:?}"
            );
        }
    }
}
