//! The flow with the client that progenitor generates from the OpenAPI 3.0 document.
//!
//! Arguments: URL of the service; login of a new user; login of an administrator; their password.

#![deny(warnings)]

use futures_util::TryStreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::error::Error as StdError;

type Failure = Box<dyn StdError>;

progenitor::generate_api!(spec = "../generated/progenitor.json", interface = Builder);

/// A client that sends the token.
fn with_token(base: &str, token: &str) -> Result<Client, Failure> {
    let value = HeaderValue::from_str(&format!("Bearer {token}"))?;
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let http = reqwest::Client::builder().default_headers(headers).build()?;
    Ok(Client::new_with_client(base, http))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [base, login, administrator, password] = arguments[..] else {
        return Err("four arguments are needed".into());
    };
    let anonymous = Client::new(base);
    let log_in = async |login: &str| {
        let call = anonymous.log_in();
        call.body_map(|body| body.login(login).password(password))
            .send()
            .await
    };

    let call = anonymous.register();
    let user = call
        .body_map(|body| body.login(login).password(password))
        .send()
        .await?;
    assert_eq!(user.login, login);
    let pair = log_in(login).await?;
    assert_eq!(
        with_token(base, &pair.access_token)?.me().send().await?.login,
        login
    );

    // The field is absent from responses that set a cookie, so it may be an `Option`.
    let token: Option<String> = pair.refresh_token.clone().into();
    let token = token.ok_or("the login returned no refresh token")?;
    let call = anonymous.refresh();
    let next = call.body_map(|body| body.refresh_token(token)).send().await?;
    assert_eq!(
        with_token(base, &next.access_token)?.me().send().await?.login,
        login
    );

    let admin = with_token(base, &log_in(administrator).await?.access_token)?;
    let roles = vec!["user".to_owned(), "admin".to_owned()];
    let call = admin.assign_roles();
    call.body_map(|body| body.login(login.to_owned()).new_roles(roles))
        .send()
        .await?;

    admin.log_out().send().await?;
    let Err(Error::ErrorResponse(rejection)) = admin.me().send().await else {
        return Err("the access token was accepted after the logout".into());
    };
    assert_eq!(rejection.status(), 401);
    assert_eq!(
        problem(rejection.into_inner()).await?.code.to_string(),
        "token_revoked"
    );
    Ok(())
}

/// Reads a problem. For progenitor, `application/problem+json` is a stream of bytes.
async fn problem(body: ByteStream) -> Result<types::Problem, Failure> {
    let mut chunks = body.into_inner();
    let mut text = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        text.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&text)?)
}
