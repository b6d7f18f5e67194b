//! Refusals of changes to accounts and to the catalogue of roles.

use super::{forbidden, password_problem, token_outdated, too_many_attempts};
use crate::problem::{Code, FieldCode, FieldProblem, Problem, shortened};
use actix_web::http::StatusCode;
use domain::{
    authority::Denied,
    changes::{ChangeError, MAX_ROLES, Refusal},
    machine::{MAX_MACHINES, MAX_SECRETS},
    use_cases::{AssignRolesError, DeleteRoleError, ResetPasswordError, WriteRoleError},
};

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Stale => token_outdated(),
            Denied::Forbidden(permission) => forbidden(
                Code::Forbidden,
                format!("This requires the permission {}.", permission.as_str()),
            ),
            Denied::StepUpRequired { max_age } => step_up_required(max_age.num_seconds()),
            Denied::OutOfReach => forbidden(
                Code::OutOfReach,
                "The user or role has a permission or role that you lack.".to_owned(),
            ),
            Denied::NotAssignable(name) => forbidden(
                Code::RoleNotAssignable,
                format!(
                    "Assigning the role {name} requires the permission roles:assign, all permissions of \
                     the role, and the role itself or the permission assign:{name}."
                ),
            ),
            Denied::NotGrantable(permission) => forbidden(
                Code::PermissionNotGrantable,
                format!(
                    "Adding the permission {} to a role requires having it.",
                    permission.as_str()
                ),
            ),
            Denied::NotSelfAssignable => forbidden(
                Code::SelfAssignableNotGrantable,
                "Only an admin can make a role self-assignable, or add permissions to a role that is."
                    .to_owned(),
            ),
        }
    }
}

/// Returns the 401 with the challenge of RFC 9470, section 3.
fn step_up_required(max_age: i64) -> Problem {
    let code = Code::InsufficientUserAuthentication;
    let required = format!("The password must have been checked within the last {max_age} seconds");
    Problem::new(
        StatusCode::UNAUTHORIZED,
        code,
        "Not authenticated recently",
        format!("{required}. Send it to POST /me/reauthenticate, and repeat the request with the token of the response."),
    )
    .challenge(&format!(
        r#"Bearer error="{}", error_description="{required}", max_age="{max_age}""#,
        code.as_str()
    ))
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Port(error) => error.into(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::LoginTaken => conflict(
                Code::LoginTaken,
                "Login taken",
                "Choose another login.".to_owned(),
            ),
            Refusal::UserNotFound => Self::no_such_user(),
            Refusal::UserChanged => token_outdated(),
            // No route records a replay by itself.
            Refusal::SessionEnded | Refusal::ReplayRecorded => {
                not_found("You have no live session with this id.")
            }
            Refusal::UnknownRole(name) => unknown_role(name.as_str()),
            Refusal::LastAdmin => conflict(
                Code::LastAdmin,
                "Last admin",
                "At least one active user must have the role admin. Make another user an admin first."
                    .to_owned(),
            ),
            Refusal::RevisionMismatch => Self::new(
                StatusCode::PRECONDITION_FAILED,
                Code::PreconditionFailed,
                "Precondition failed",
                "The user or role does not meet the precondition in If-Match or If-None-Match. Fetch it again.",
            ),
            Refusal::RoleNotFound => Self::no_such_role(),
            Refusal::RoleInUse(holders) => conflict(
                Code::RoleInUse,
                "Role in use",
                format!("The role is in use (users: {holders}). Remove it from them first."),
            ),
            Refusal::CatalogueFull => conflict(
                Code::CatalogueFull,
                "Catalogue full",
                format!("The catalogue is limited to {MAX_ROLES} roles. Delete one first."),
            ),
            Refusal::MachineNotFound => not_found("The machine does not exist."),
            Refusal::SecretNotFound => not_found("The machine has no secret with this id."),
            Refusal::MachineNameTaken => conflict(
                Code::MachineNameTaken,
                "Name taken",
                "A machine has this name. Choose another one.".to_owned(),
            ),
            Refusal::TooManyMachines => conflict(
                Code::TooManyMachines,
                "Too many machines",
                format!("There may be {MAX_MACHINES} machines. Delete one first."),
            ),
            Refusal::TooManySecrets => conflict(
                Code::TooManySecrets,
                "Too many secrets",
                format!("A machine may have {MAX_SECRETS} secrets. Remove one first."),
            ),
            Refusal::Denied(denied) => denied.into(),
        }
    }
}

impl From<AssignRolesError> for Problem {
    fn from(error: AssignRolesError) -> Self {
        match error {
            AssignRolesError::UnknownRole(name) => unknown_role(&name),
            AssignRolesError::TooManyChanges { retry_after, budget } => {
                too_many_attempts(retry_after, budget)
            }
            AssignRolesError::NotAUser(error) => error.into(),
            AssignRolesError::Change(error) => error.into(),
        }
    }
}

/// Returns the 422 for a request with unknown roles; `name` is the first of them.
fn unknown_role(name: &str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        Code::UnknownRole,
        "Unknown role",
        "A role does not exist; see `errors`.",
    )
    .with_errors(vec![FieldProblem {
        field: "new_roles".to_owned(),
        code: FieldCode::UnknownRole,
        detail: format!("the role {:?} does not exist", shortened(name)),
    }])
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::OwnPassword => forbidden(
                Code::OwnPassword,
                "Change your own password with PUT /me/password.".to_owned(),
            ),
            ResetPasswordError::ChosenPasswordDisabled => forbidden(
                Code::ChosenPasswordDisabled,
                "Send no body: the service generates a code for the user.".to_owned(),
            ),
            ResetPasswordError::Refused(refused) => {
                Self::validation_failed(vec![password_problem("new_password", &refused)])
            }
            ResetPasswordError::Change(error) => error.into(),
        }
    }
}

impl From<WriteRoleError> for Problem {
    fn from(error: WriteRoleError) -> Self {
        match error {
            WriteRoleError::Name(refused) => {
                Self::field_refused("name", FieldCode::InvalidName, refused.to_string())
            }
            error @ WriteRoleError::Reserved => {
                Self::field_refused("name", FieldCode::ReservedName, error.to_string())
            }
            WriteRoleError::Description(refused) => {
                Self::field_refused("description", FieldCode::InvalidDescription, refused.to_string())
            }
            WriteRoleError::Permission { index, source, .. } => Self::field_refused(
                &format!("permissions[{index}]"),
                FieldCode::InvalidPermission,
                source.to_string(),
            ),
            error @ WriteRoleError::TooManyPermissions => {
                Self::field_refused("permissions", FieldCode::TooMany, error.to_string())
            }
            WriteRoleError::BuiltIn => conflict(
                Code::RoleBuiltIn,
                "Role built in",
                "The role admin always has every permission and cannot be changed.".to_owned(),
            ),
            WriteRoleError::Change(error) => error.into(),
        }
    }
}

impl From<DeleteRoleError> for Problem {
    fn from(error: DeleteRoleError) -> Self {
        match error {
            DeleteRoleError::BuiltIn => conflict(
                Code::RoleBuiltIn,
                "Role built in",
                "The roles admin and user cannot be deleted.".to_owned(),
            ),
            DeleteRoleError::Default => conflict(
                Code::RoleDefault,
                "Role given on registration",
                "New users get this role. Change the setting first.".to_owned(),
            ),
            DeleteRoleError::Change(error) => error.into(),
        }
    }
}

impl Problem {
    /// Returns the 404 for a path that names no user.
    pub fn no_such_user() -> Self {
        not_found("The user does not exist.")
    }

    /// Returns the 404 for a path that names no role.
    pub fn no_such_role() -> Self {
        not_found("The role does not exist.")
    }
}

fn not_found(detail: &'static str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, Code::NotFound, "Not found", detail)
}

fn conflict(code: Code, title: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, code, title, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::role::{Permission, RoleName};

    #[test]
    fn the_edge_sends_the_codes_of_the_core() {
        let editor = RoleName::parse("editor").expect("a role name");
        for denied in [
            Denied::Stale,
            Denied::Forbidden(Permission::USERS_READ),
            Denied::StepUpRequired {
                max_age: chrono::Duration::minutes(15),
            },
            Denied::OutOfReach,
            Denied::NotAssignable(editor.clone()),
            Denied::NotGrantable(Permission::USERS_READ),
            Denied::NotSelfAssignable,
        ] {
            assert_eq!(Problem::from(denied.clone()).code(), denied.code());
        }
        for refusal in [
            Refusal::LoginTaken,
            Refusal::UserNotFound,
            Refusal::UserChanged,
            Refusal::SessionEnded,
            Refusal::ReplayRecorded,
            Refusal::UnknownRole(editor),
            Refusal::LastAdmin,
            Refusal::RevisionMismatch,
            Refusal::RoleNotFound,
            Refusal::RoleInUse(1),
            Refusal::CatalogueFull,
            Refusal::MachineNotFound,
            Refusal::MachineNameTaken,
            Refusal::TooManyMachines,
            Refusal::TooManySecrets,
            Refusal::SecretNotFound,
        ] {
            assert_eq!(Problem::from(refusal.clone()).code(), refusal.code());
        }
    }
}
