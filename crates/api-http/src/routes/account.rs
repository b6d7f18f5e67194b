use crate::etag::EntityTag;
use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::{
    one_time_password::OneTimePassword,
    role::RoleName,
    user::{User, UserStatus},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A user as shown to administrators.
#[derive(Serialize, ToSchema)]
#[schema(as = Account, example = json!({
    "id": "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d",
    "login": "alice",
    "roles": ["user"],
    "status": "active",
    "password_change_required": false,
    "password_expires_at": null,
    "created_at": "2026-01-05T09:30:00Z",
    "updated_at": "2026-01-05T09:30:00Z",
    "last_login_at": "2026-01-06T08:00:00Z"
}))]
pub struct AccountResponse {
    id: Uuid,
    /// The login as typed at registration.
    #[schema(example = "alice")]
    login: String,
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    status: StatusName,
    /// Whether the user must change the password before doing anything else.
    password_change_required: bool,
    /// From when a one-time password opens no session: its expiry, or its use before. Null if the
    /// user chose the password.
    #[schema(required)]
    password_expires_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// When roles, password or status last changed.
    updated_at: DateTime<Utc>,
    /// Null before the first login.
    #[schema(required)]
    last_login_at: Option<DateTime<Utc>>,
}

/// Whether the user may log in.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Status)]
pub enum StatusName {
    Active,
    Disabled,
}

impl From<User> for AccountResponse {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            login: user.login.as_typed().to_owned(),
            roles: user.roles.iter().map(RoleName::to_string).collect(),
            status: user.status.into(),
            password_change_required: user.must_change_password,
            password_expires_at: user.one_time_password.map(OneTimePassword::ends_at),
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
        }
    }
}

impl From<UserStatus> for StatusName {
    fn from(status: UserStatus) -> Self {
        match status {
            UserStatus::Active => Self::Active,
            UserStatus::Disabled => Self::Disabled,
        }
    }
}

impl From<StatusName> for UserStatus {
    fn from(status: StatusName) -> Self {
        match status {
            StatusName::Active => Self::Active,
            StatusName::Disabled => Self::Disabled,
        }
    }
}

/// Returns the 200 response with `user` and their `ETag`.
pub fn account(user: User) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header(EntityTag::of_user(&user).header())
        .json(AccountResponse::from(user))
}
