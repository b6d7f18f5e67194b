use super::super::output::{ListRow, instant, words};
use domain::{
    role::RoleNames,
    user::{User, UserStatus},
};
use serde::Serialize;

/// A user in the output of commands.
#[derive(Serialize)]
pub struct UserRow {
    id: String,
    login: String,
    status: &'static str,
    roles: RoleNames,
    password_change_required: bool,
    password_expires_at: Option<String>,
    created_at: String,
    updated_at: String,
    last_login_at: Option<String>,
}

impl From<User> for UserRow {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            login: user.login.as_typed().to_owned(),
            status: status_word(user.status),
            roles: user.roles,
            password_change_required: user.must_change_password,
            password_expires_at: user.one_time_password.map(|password| instant(password.ends_at())),
            created_at: instant(user.created_at),
            updated_at: instant(user.updated_at),
            last_login_at: user.last_login_at.map(instant),
        }
    }
}

impl ListRow for UserRow {
    const HEADINGS: &'static [&'static str] = &["ID", "LOGIN", "STATUS", "ROLES", "CREATED", "LAST LOGIN"];
    const NONE: &'static str = "no users";

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.login.clone(),
            self.status.to_owned(),
            words(&self.roles, ","),
            self.created_at.clone(),
            self.last_login_at.clone().unwrap_or_default(),
        ]
    }
}

impl UserRow {
    /// Returns the properties of the user with their names.
    pub fn properties(&self) -> Vec<Vec<String>> {
        let yes_or_no = if self.password_change_required {
            "yes"
        } else {
            "no"
        };
        let property = |name: &str, value: String| vec![name.to_owned(), value];
        vec![
            property("id", self.id.clone()),
            property("login", self.login.clone()),
            property("status", self.status.to_owned()),
            property("roles", words(&self.roles, ", ")),
            property("must change password", yes_or_no.to_owned()),
            property(
                "password expires",
                self.password_expires_at.clone().unwrap_or_default(),
            ),
            property("created", self.created_at.clone()),
            property("changed", self.updated_at.clone()),
            property("last login", self.last_login_at.clone().unwrap_or_default()),
        ]
    }
}

/// Returns the name of a status.
pub fn status_word(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}
