//! The HTTP interface: request and response bodies for axum. This program chooses the statuses;
//! refusals contain the stable codes of the core.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, HeaderName, StatusCode, header::AUTHORIZATION},
    routing::{get, post},
};
use domain::{
    audit::Origin,
    caller::{NotAUser, UserCaller},
    changes::ChangeError,
    core::Core,
    device_token::DeviceToken,
    password::Password,
    use_cases::{
        AuthenticateError, CreateUserError, LogInError, LogInRequest, LogOutError, LoggedIn, RegisterError,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The header with the token of a device, in both directions.
const DEVICE_TOKEN: HeaderName = HeaderName::from_static("device-token");

/// A rejected request: its status, and a body with a code for programs.
type Refused = (StatusCode, Json<Value>);

#[derive(Deserialize)]
struct LoginAndPassword {
    login: String,
    password: String,
}

pub fn router(core: Core) -> Router {
    Router::new()
        .route("/register", post(register))
        .route("/login", post(log_in))
        .route("/me", get(me))
        .route("/logout", post(log_out))
        .with_state(core)
}

async fn register(
    State(core): State<Core>,
    Json(body): Json<LoginAndPassword>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let password = Password::new(body.password);
    let registered = core
        .register
        .execute(body.login, password, Origin::default())
        .await;
    let user = registered.map_err(|error| match error {
        RegisterError::TooManyAttempts { .. } => refused(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
        RegisterError::Create(CreateUserError::Refused { .. }) => {
            refused(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed")
        }
        RegisterError::Create(CreateUserError::Change(ChangeError::Refused(refusal))) => {
            refused(StatusCode::CONFLICT, refusal.code())
        }
        RegisterError::Create(CreateUserError::Change(ChangeError::Port(_))) => unavailable(),
    })?;
    Ok((StatusCode::CREATED, Json(json!({"login": user.login.as_typed()}))))
}

async fn log_in(
    State(core): State<Core>,
    headers: HeaderMap,
    Json(body): Json<LoginAndPassword>,
) -> Result<([(HeaderName, String); 1], Json<Value>), Refused> {
    let request = LogInRequest {
        login: body.login,
        password: Password::new(body.password),
        device: device_token(&headers),
        origin: Origin::default(),
    };
    let logged_in = core.log_in.execute(request).await;
    let LoggedIn { tokens, device } = logged_in.map_err(|error| match error {
        LogInError::InvalidCredentials => refused(StatusCode::UNAUTHORIZED, "invalid_credentials"),
        LogInError::TooManyAttempts { .. } => refused(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts"),
        LogInError::Port(_) => unavailable(),
    })?;
    let tokens = Json(json!({
        "access_token": tokens.access_token.expose(),
        "refresh_token": tokens.refresh_token.expose(),
    }));
    Ok(([(DEVICE_TOKEN, device.expose().to_owned())], tokens))
}

/// Returns the token of an earlier login from the same device.
fn device_token(headers: &HeaderMap) -> Option<DeviceToken> {
    let text = headers.get(DEVICE_TOKEN)?.to_str().ok()?;
    Some(DeviceToken::new(text.to_owned()))
}

async fn me(State(core): State<Core>, headers: HeaderMap) -> Result<Json<Value>, Refused> {
    let caller = core.authenticate.execute(bearer(&headers)?).await;
    let caller = caller.map_err(|error| unauthenticated(&error))?;
    let caller = UserCaller::try_from(caller).map_err(not_a_user)?;
    let user = caller.user();
    Ok(Json(json!({"login": user.login.as_typed(), "roles": user.roles})))
}

async fn log_out(State(core): State<Core>, headers: HeaderMap) -> Result<StatusCode, Refused> {
    let ended = core
        .log_out
        .execute(bearer(&headers)?, false, Origin::default())
        .await;
    match ended {
        Ok(_) => Ok(StatusCode::NO_CONTENT),
        Err(LogOutError::Authenticate(error)) => Err(unauthenticated(&error)),
        Err(LogOutError::NotAUser(error)) => Err(not_a_user(error)),
        Err(
            LogOutError::RefreshTokenInvalid
            | LogOutError::RefreshTokenReused
            | LogOutError::SessionRevoked
            | LogOutError::SessionExpired,
        ) => Err(refused(StatusCode::UNAUTHORIZED, "token_invalid")),
    }
}

/// Returns the token of the header `Authorization` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Refused> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .ok_or_else(|| refused(StatusCode::UNAUTHORIZED, "token_missing"))
}

fn unauthenticated(error: &AuthenticateError) -> Refused {
    let code = match error {
        AuthenticateError::Malformed | AuthenticateError::Invalid => "token_invalid",
        AuthenticateError::Expired => "token_expired",
        AuthenticateError::Revoked => "token_revoked",
        AuthenticateError::Outdated => "token_outdated",
        AuthenticateError::PasswordChangeRequired => "password_change_required",
        AuthenticateError::Port(_) => return unavailable(),
    };
    refused(StatusCode::UNAUTHORIZED, code)
}

fn not_a_user(_: NotAUser) -> Refused {
    refused(StatusCode::FORBIDDEN, "user_required")
}

fn unavailable() -> Refused {
    refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
}

fn refused(status: StatusCode, code: &'static str) -> Refused {
    (status, Json(json!({"code": code})))
}
