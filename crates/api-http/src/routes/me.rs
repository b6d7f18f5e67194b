use super::role::PermissionText;
use crate::{
    bearer::AuthenticatedUser,
    problem::documented::{OwnAccountRefused, TokenRefused, Unavailable},
};
use actix_web::{HttpResponse, Responder};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    caller::UserCaller,
    role::{Permission, RoleName},
};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// The caller.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub struct MeResponse<'a> {
    id: Uuid,
    #[schema(example = "alice")]
    login: &'a str,
    #[schema(example = json!(["user"]))]
    roles: Vec<&'a str>,
    /// Permissions of the caller's roles, according to the current catalogue.
    #[schema(value_type = Vec<PermissionText>)]
    permissions: Vec<&'a str>,
    #[serde(serialize_with = "as_text")]
    created_at: DateTime<Utc>,
    /// When roles, password or status last changed.
    #[serde(serialize_with = "as_text")]
    updated_at: DateTime<Utc>,
    /// Null before the first login.
    #[schema(required)]
    last_login_at: Option<DateTime<Utc>>,
    session: SessionResponse,
}

/// The session of the caller's token.
#[derive(Serialize, ToSchema)]
#[schema(as = MeSession)]
pub struct SessionResponse {
    id: Uuid,
    #[serde(serialize_with = "as_text")]
    created_at: DateTime<Utc>,
    /// When the session ends regardless of refreshes.
    #[serde(serialize_with = "as_text")]
    expires_at: DateTime<Utc>,
}

/// Writes the text that chrono's serde support writes, but in one piece: chrono writes character by
/// character, and the JSON serialiser inspects each of them.
fn as_text<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

impl<'a> From<&'a UserCaller> for MeResponse<'a> {
    fn from(caller: &'a UserCaller) -> Self {
        let user = caller.user();
        Self {
            id: user.id.0,
            login: user.login.as_typed(),
            roles: user.roles.iter().map(RoleName::as_str).collect(),
            permissions: caller.permissions().iter().map(Permission::as_str).collect(),
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
            session: SessionResponse {
                id: caller.session().0,
                created_at: caller.lifetime().created_at,
                expires_at: caller.lifetime().expires_at,
            },
        }
    }
}

/// Returns the caller's account and session.
///
/// Services that must notice a revocation at once call this with the token that they received.
#[utoipa::path(
    get,
    path = "/me",
    tag = "main",
    security(("accessToken" = [])),
    responses(
        (status = 200, description = "The caller.", body = MeResponse),
        TokenRefused, OwnAccountRefused, Unavailable,
    )
)]
pub async fn me(AuthenticatedUser(caller): AuthenticatedUser) -> impl Responder {
    HttpResponse::Ok().json(MeResponse::from(&caller))
}
