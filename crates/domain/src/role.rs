//! Roles and permissions: a role is a name with permissions, and only permissions are ever asked for.

use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeSet, fmt};
use thiserror::Error;

/// The most characters of a role's name.
const MAX_NAME_LENGTH: usize = 64;

/// The name of a role: 1 to 64 of `a-z`, `0-9`, `_` and `-`, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(Cow<'static, str>);

/// The roles of a user, each once, in order.
pub type RoleNames = BTreeSet<RoleName>;

/// A text that cannot be the name of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a role's name has 1 to {MAX_NAME_LENGTH} lower-case letters, digits, `_` and `-`, a letter first")]
pub struct NotARoleName;

impl RoleName {
    /// The built-in role with every permission. Its last holder cannot lose it.
    pub const ADMIN: Self = Self(Cow::Borrowed("admin"));
    /// The built-in role that registration gives.
    pub const USER: Self = Self(Cow::Borrowed("user"));

    /// # Errors
    /// [`NotARoleName`] when `name` breaks the rules above.
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

/// What a role allows, as `subject:verb`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Permission(Cow<'static, str>);

/// What a user may do, each permission once, in order.
pub type Permissions = BTreeSet<Permission>;

/// A text that cannot be a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a permission looks like `subject:verb`, in lower-case letters, digits, `_` and `-`")]
pub struct NotAPermission;

impl Permission {
    pub const USERS_READ: Self = Self(Cow::Borrowed("users:read"));
    pub const USERS_WRITE: Self = Self(Cow::Borrowed("users:write"));
    pub const ROLES_ASSIGN: Self = Self(Cow::Borrowed("roles:assign"));
    pub const ROLES_WRITE: Self = Self(Cow::Borrowed("roles:write"));
    pub const SESSIONS_REVOKE: Self = Self(Cow::Borrowed("sessions:revoke"));
    pub const AUDIT_READ: Self = Self(Cow::Borrowed("audit:read"));

    /// # Errors
    /// [`NotAPermission`] when `text` is not `subject:verb`.
    pub fn parse(text: &str) -> Result<Self, NotAPermission> {
        match text.split_once(':') {
            Some((subject, verb)) if is_word(subject) && is_word(verb) => {
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

/// A role of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub name: RoleName,
    pub description: String,
    pub permissions: Permissions,
    /// Whether users without `roles:assign` may take it themselves.
    pub self_assignable: bool,
}

/// The roles that exist from the first start on; the migrations write the same ones.
#[must_use]
pub fn built_in() -> [Role; 2] {
    [
        Role {
            name: RoleName::ADMIN,
            description: "Everything.".to_owned(),
            permissions: [
                Permission::USERS_READ,
                Permission::USERS_WRITE,
                Permission::ROLES_ASSIGN,
                Permission::ROLES_WRITE,
                Permission::SESSIONS_REVOKE,
                Permission::AUDIT_READ,
            ]
            .into(),
            self_assignable: false,
        },
        Role {
            name: RoleName::USER,
            description: "Given on registration.".to_owned(),
            permissions: Permissions::new(),
            self_assignable: true,
        },
    ]
}

/// The first role that somebody without `roles:assign` would gain by going from `current` to `wanted` and may not take.
/// Dropping is always allowed. `catalogue` holds at least the roles of `wanted` that exist.
#[must_use]
pub fn not_self_assignable<'a>(
    current: &'a RoleNames,
    wanted: &'a RoleNames,
    catalogue: &[Role],
) -> Option<&'a RoleName> {
    let may_take = |name: &RoleName| {
        catalogue
            .iter()
            .any(|role| role.name == *name && role.self_assignable)
    };
    wanted.difference(current).find(|name| !may_take(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(names: &[&str]) -> RoleNames {
        names
            .iter()
            .map(|name| RoleName::parse(name).expect("a role name"))
            .collect()
    }

    #[test]
    fn role_names_are_plain_words() {
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
    fn permissions_are_subject_and_verb() {
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
    fn anybody_may_drop_roles_and_take_only_self_assignable_ones() {
        for (current, wanted, refused) in [
            (&["user"][..], &[][..], None),
            (&["admin", "user"], &["user"], None),
            (&[], &["user"], None),
            (&["admin"], &["admin"], None),
            (&["user"], &["admin", "user"], Some("admin")),
            (&[], &["unheard-of"], Some("unheard-of")),
        ] {
            let (current_names, wanted_names) = (names(current), names(wanted));
            let verdict = not_self_assignable(&current_names, &wanted_names, &built_in());
            assert_eq!(
                verdict.map(RoleName::as_str),
                refused,
                "{current:?} -> {wanted:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn parsing_role_names_never_panics_and_round_trips(text in any::<String>()) {
            if let Ok(name) = RoleName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }

        #[test]
        fn nobody_gains_a_role_that_is_not_self_assignable(
            current in proptest::collection::btree_set("[a-d]", 0..4),
            wanted in proptest::collection::btree_set("[a-d]", 0..4),
            assignable in proptest::collection::btree_set("[a-d]", 0..4),
        ) {
            let to_names = |set: &BTreeSet<String>| names(&set.iter().map(String::as_str).collect::<Vec<_>>());
            let catalogue: Vec<Role> = names(&["a", "b", "c", "d"]).into_iter().map(|name| Role {
                self_assignable: assignable.contains(name.as_str()),
                name,
                description: String::new(),
                permissions: Permissions::new(),
            }).collect();
            let gains_forbidden = wanted.difference(&current).any(|name| !assignable.contains(name));
            let refused = not_self_assignable(&to_names(&current), &to_names(&wanted), &catalogue).is_some();
            prop_assert_eq!(refused, gains_forbidden);
        }
    }
}
