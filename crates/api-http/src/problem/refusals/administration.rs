//! Refusals of what is done to others and to the catalogue of roles.

use super::{forbidden, password_problem, token_outdated, unknown_role};
use crate::problem::{Problem, shortened};
use actix_web::http::StatusCode;
use domain::{
    authority::Denied,
    ports::MAX_ROLES,
    use_cases::{
        AdministerError, AssignRolesError, DeleteRoleError, ResetPasswordError, UserSessionsError,
        WriteRoleError,
    },
};

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Stale => token_outdated(),
            Denied::Forbidden(permission) => forbidden(
                "forbidden",
                format!("This needs the permission {}.", permission.as_str()),
            ),
            Denied::OutOfReach => forbidden(
                "out_of_reach",
                "The user or the role may do something that you may not.".to_owned(),
            ),
            Denied::NotAssignable(name) => forbidden(
                "role_not_assignable",
                format!(
                    "The role {name} can only be given by somebody with the permission roles:assign and all \
                     permissions of the role."
                ),
            ),
            Denied::NotGrantable(permission) => forbidden(
                "permission_not_grantable",
                format!(
                    "The permission {} can only be put into a role by somebody who has it.",
                    permission.as_str()
                ),
            ),
        }
    }
}

impl From<AssignRolesError> for Problem {
    fn from(error: AssignRolesError) -> Self {
        match error {
            AssignRolesError::UnknownRole(name) => {
                unknown_role(format!("the catalogue has no role {:?}", shortened(&name)))
            }
            AssignRolesError::NoSuchUser => Self::no_such_user(),
            AssignRolesError::LastAdmin => last_admin(),
            AssignRolesError::AnotherRevision => another_revision(),
            AssignRolesError::Denied(denied) => denied.into(),
            AssignRolesError::Port(error) => error.into(),
        }
    }
}

impl From<AdministerError> for Problem {
    fn from(error: AdministerError) -> Self {
        match error {
            AdministerError::NoSuchUser => Self::no_such_user(),
            AdministerError::LastAdmin => last_admin(),
            AdministerError::AnotherRevision => another_revision(),
            AdministerError::Denied(denied) => denied.into(),
            AdministerError::Port(error) => error.into(),
        }
    }
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::OwnPassword => forbidden(
                "own_password",
                "Change your own password with PUT /me/password.".to_owned(),
            ),
            ResetPasswordError::Refused(refused) => {
                Self::validation_failed(vec![password_problem("new_password", &refused)])
            }
            ResetPasswordError::Administer(error) => error.into(),
        }
    }
}

impl From<UserSessionsError> for Problem {
    fn from(error: UserSessionsError) -> Self {
        match error {
            UserSessionsError::NoSuchUser => Self::no_such_user(),
            UserSessionsError::Denied(denied) => denied.into(),
            UserSessionsError::Port(error) => error.into(),
        }
    }
}

impl From<WriteRoleError> for Problem {
    fn from(error: WriteRoleError) -> Self {
        match error {
            WriteRoleError::Name(refused) => Self::field_refused("name", "invalid_name", refused.to_string()),
            error @ WriteRoleError::Reserved => {
                Self::field_refused("name", "reserved_name", error.to_string())
            }
            WriteRoleError::Description(refused) => {
                Self::field_refused("description", "invalid_description", refused.to_string())
            }
            WriteRoleError::Permission { index, source } => Self::field_refused(
                &format!("permissions[{index}]"),
                "invalid_permission",
                source.to_string(),
            ),
            error @ WriteRoleError::TooManyPermissions => {
                Self::field_refused("permissions", "too_many", error.to_string())
            }
            WriteRoleError::BuiltIn => conflict(
                "role_built_in",
                "Role built in",
                "The role admin always has every permission and cannot be changed.".to_owned(),
            ),
            WriteRoleError::AnotherRevision => another_revision(),
            WriteRoleError::Full => conflict(
                "catalogue_full",
                "Catalogue full",
                format!("The catalogue has at most {MAX_ROLES} roles. Remove one first."),
            ),
            WriteRoleError::Denied(denied) => denied.into(),
            WriteRoleError::Port(error) => error.into(),
        }
    }
}

impl From<DeleteRoleError> for Problem {
    fn from(error: DeleteRoleError) -> Self {
        match error {
            DeleteRoleError::BuiltIn => conflict(
                "role_built_in",
                "Role built in",
                "The roles admin and user cannot be removed.".to_owned(),
            ),
            DeleteRoleError::Default => conflict(
                "role_default",
                "Role given on registration",
                "Everybody who registers gets this role. Change that setting first.".to_owned(),
            ),
            DeleteRoleError::NoSuchRole => Self::no_such_role(),
            DeleteRoleError::InUse(holders) => conflict(
                "role_in_use",
                "Role in use",
                format!("So many users have this role: {holders}. Take it away from them first."),
            ),
            DeleteRoleError::AnotherRevision => another_revision(),
            DeleteRoleError::Denied(denied) => denied.into(),
            DeleteRoleError::Port(error) => error.into(),
        }
    }
}

impl Problem {
    pub fn no_such_user() -> Self {
        no_such("There is no such user.")
    }

    pub fn no_such_role() -> Self {
        no_such("The catalogue has no such role.")
    }
}

fn no_such(detail: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
}

pub(super) fn last_admin() -> Problem {
    conflict(
        "last_admin",
        "Last admin",
        "There must be an active user with the role admin. Make another one first.".to_owned(),
    )
}

fn conflict(code: &'static str, title: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title, detail)
}

fn another_revision() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        "precondition_failed",
        "Precondition failed",
        "This does not stand at the ETag of If-Match, or is not there. Look at it again.",
    )
}
