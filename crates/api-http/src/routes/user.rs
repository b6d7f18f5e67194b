use chrono::{DateTime, Utc};
use domain::{role::RoleName, user::User};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserResponse {
    id: Uuid,
    /// The login as typed at registration.
    #[schema(example = "alice")]
    login: String,
    #[schema(example = json!(["user"]))]
    roles: Vec<String>,
    created_at: DateTime<Utc>,
}

impl From<User> for UserResponse {
    fn from(user: User) -> Self {
        Self {
            id: user.id.0,
            login: user.login.as_typed().to_owned(),
            roles: user.roles.iter().map(RoleName::to_string).collect(),
            created_at: user.created_at,
        }
    }
}
