//! Roles and permissions. A role is a named set of permissions; access checks use only permissions.

use crate::revision::Revision;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet, fmt};
use thiserror::Error;

/// The maximum number of characters in a role's name.
const MAX_NAME_LENGTH: usize = 64;
/// The maximum number of characters in a role's description.
const MAX_DESCRIPTION_LENGTH: usize = 200;
/// The maximum number of permissions of a role. Tokens may carry them, and the size of headers is
/// limited.
pub const MAX_PERMISSIONS: usize = 64;

/// The name of a role: 1 to 64 of `a-z`, `0-9`, `_` and `-`, starting with a letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(Cow<'static, str>);

/// The roles of a user, without duplicates, in order.
pub type RoleNames = BTreeSet<RoleName>;

/// Returns the names separated by spaces, as audit events record them.
#[must_use]
pub fn joined(names: &RoleNames) -> String {
    let names: Vec<_> = names.iter().map(RoleName::as_str).collect();
    names.join(" ")
}

/// The error for a text that cannot be the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a role name must have 1 to {MAX_NAME_LENGTH} lower-case letters, digits, `_` and `-`, and start with a letter"
)]
pub struct NotARoleName;

impl RoleName {
    /// The built-in role with every permission. Its last active holder cannot lose it.
    pub const ADMIN: Self = Self(Cow::Borrowed("admin"));
    /// The built-in role that registration assigns.
    pub const USER: Self = Self(Cow::Borrowed("user"));

    /// Parses the name of a role.
    ///
    /// # Errors
    /// Returns [`NotARoleName`] if `name` does not have the form of a [`RoleName`].
    pub fn parse(name: &str) -> Result<Self, NotARoleName> {
        if name.len() <= MAX_NAME_LENGTH && is_word(name) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(NotARoleName)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoleName {
    type Error = NotARoleName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name)
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0.into_owned()
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}

/// A permission in the form `subject:verb`, at most 64 characters. The constants are the
/// permissions of this service. Any other permission belongs to the services behind it, which read
/// it from `/me` and, if so configured, from access tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Permission(Cow<'static, str>);

/// A set of permissions, in order.
pub type Permissions = BTreeSet<Permission>;

/// The error for a text that cannot be a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a permission must have the form `subject:verb`, in lower-case letters, digits, `_` and `-`")]
pub struct NotAPermission;

impl Permission {
    pub const USERS_READ: Self = Self(Cow::Borrowed("users:read"));
    pub const USERS_WRITE: Self = Self(Cow::Borrowed("users:write"));
    pub const ROLES_ASSIGN: Self = Self(Cow::Borrowed("roles:assign"));
    pub const ROLES_WRITE: Self = Self(Cow::Borrowed("roles:write"));
    pub const MACHINES_WRITE: Self = Self(Cow::Borrowed("machines:write"));
    pub const SESSIONS_REVOKE: Self = Self(Cow::Borrowed("sessions:revoke"));
    pub const AUDIT_READ: Self = Self(Cow::Borrowed("audit:read"));

    /// Returns the permission to assign one role without having it, such as `assign:auditor`.
    /// `None` if the role's name is too long for a permission: it has at most 57 characters.
    #[must_use]
    pub fn to_assign(role: &RoleName) -> Option<Self> {
        Self::parse(&format!("assign:{role}")).ok()
    }

    /// Parses a permission.
    ///
    /// # Errors
    /// Returns [`NotAPermission`] if `text` does not have the form `subject:verb`.
    pub fn parse(text: &str) -> Result<Self, NotAPermission> {
        match text.split_once(':') {
            Some((subject, verb)) if text.len() <= MAX_NAME_LENGTH && is_word(subject) && is_word(verb) => {
                Ok(Self(Cow::Owned(text.to_owned())))
            }
            _ => Err(NotAPermission),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Permission {
    type Error = NotAPermission;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.0.into_owned()
    }
}

/// A role of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub name: RoleName,
    pub description: Description,
    pub permissions: Permissions,
    /// Whether users without `roles:assign` may assign the role to themselves. A role that is not
    /// self-assignable is a privilege even if it has no permissions: other services read its name
    /// from access tokens.
    pub self_assignable: bool,
    pub revision: Revision,
}

/// The description of a role: at most 200 characters, without control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description(Cow<'static, str>);

/// The error for a text that cannot be a role's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a description must have at most {MAX_DESCRIPTION_LENGTH} characters and no control characters")]
pub struct NotADescription;

impl Description {
    /// Parses the description of a role.
    ///
    /// # Errors
    /// Returns [`NotADescription`] if `text` is too long or contains control characters.
    pub fn parse(text: &str) -> Result<Self, NotADescription> {
        if text.chars().nth(MAX_DESCRIPTION_LENGTH).is_some() || text.chars().any(char::is_control) {
            Err(NotADescription)
        } else {
            Ok(Self(Cow::Owned(text.to_owned())))
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The permissions that this service checks.
pub const OWN_PERMISSIONS: [Permission; 7] = [
    Permission::USERS_READ,
    Permission::USERS_WRITE,
    Permission::ROLES_ASSIGN,
    Permission::ROLES_WRITE,
    Permission::MACHINES_WRITE,
    Permission::SESSIONS_REVOKE,
    Permission::AUDIT_READ,
];

/// Returns the roles that exist from the first start. The migrations insert the same roles. `admin`
/// has the permissions of this service and those of all other roles.
#[must_use]
pub fn built_in() -> [Role; 2] {
    [
        Role {
            name: RoleName::ADMIN,
            description: Description(Cow::Borrowed("Everything.")),
            permissions: OWN_PERMISSIONS.into(),
            self_assignable: false,
            revision: Revision::FIRST,
        },
        Role {
            name: RoleName::USER,
            description: Description(Cow::Borrowed("Given on registration.")),
            permissions: Permissions::new(),
            self_assignable: true,
            revision: Revision::FIRST,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn role_names_follow_their_format() {
        for good in ["admin", "user", "a", "team-lead_2"] {
            assert!(RoleName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "Admin",
            "1st",
            "-x",
            "a b",
            "a,b",
            "ädmin",
            "admin\n",
            &"a".repeat(65),
        ] {
            assert_eq!(RoleName::parse(bad), Err(NotARoleName), "{bad}");
        }
    }

    #[test]
    fn permissions_follow_their_format() {
        assert_eq!(Permission::parse("roles:assign"), Ok(Permission::ROLES_ASSIGN));
        for bad in [
            "",
            ":",
            "roles",
            "roles:",
            ":assign",
            "a:b:c",
            "Roles:assign",
            "a b:c",
        ] {
            assert_eq!(Permission::parse(bad), Err(NotAPermission), "{bad}");
        }
    }

    #[test]
    fn a_permission_to_assign_names_the_role() {
        for (name, permission) in [
            ("auditor", Some("assign:auditor")),
            (&"a".repeat(57), Some(&*format!("assign:{}", "a".repeat(57)))),
            (&"a".repeat(58), None),
        ] {
            let role = RoleName::parse(name).expect("the role name is valid");
            let granted = Permission::to_assign(&role);
            assert_eq!(granted.as_ref().map(Permission::as_str), permission);
        }
    }

    proptest! {
        #[test]
        fn parsing_role_names_never_panics_and_round_trips(text in any::<String>()) {
            if let Ok(name) = RoleName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
