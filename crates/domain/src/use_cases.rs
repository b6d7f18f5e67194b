//! The operations of the service, one use case per file. Each use case holds the ports it calls and
//! has one `execute` method. [`Core`](crate::core::Core) builds all of them.

mod accept_audit_log;
mod assign_roles;
mod authenticate;
mod bootstrap_admin;
mod change_password;
mod check_password;
mod create_user;
mod delete_own_account;
mod delete_role;
mod delete_user;
mod end_session;
mod export_own_data;
mod find_users;
mod follow_audit;
mod import_users;
mod list_roles;
mod list_sessions;
mod log_in;
mod log_out;
mod read_audit;
mod reauthenticate;
mod refresh;
mod register;
mod reset_password;
mod resume_audit_log;
mod set_status;
mod show_checkpoint;
mod sign_checkpoint;
mod user_sessions;
mod verify_audit;
mod write_role;

pub use accept_audit_log::{AcceptAuditLog, AcceptAuditLogError};
pub use assign_roles::{AssignRoles, AssignRolesError, AssignRolesOutcome, AssignRolesRequest, Assignee};
pub use authenticate::{Authenticate, AuthenticateError};
pub use bootstrap_admin::{Bootstrap, BootstrapAdmin, BootstrapAdminError};
pub use change_password::{ChangePassword, ChangePasswordError, NewPasswordRequest};
pub use check_password::{CheckPassword, PasswordReport};
pub use create_user::{CreateUser, CreateUserError, NewUserRequest};
pub use delete_own_account::{DeleteOwnAccount, DeleteOwnAccountError};
pub use delete_role::{DeleteRole, DeleteRoleError, DeleteRoleRequest};
pub use delete_user::DeleteUser;
pub use end_session::EndSession;
pub use export_own_data::{ExportOwnData, OwnData};
pub use find_users::FindUsers;
pub use follow_audit::{FollowAudit, FollowAuditError, FollowedEvents};
pub use import_users::{ImportRefused, ImportRequest, ImportUsers};
pub use list_roles::ListRoles;
pub use list_sessions::ListSessions;
pub use log_in::{LogIn, LogInError, LogInRequest, LoggedIn};
pub use log_out::{LogOut, LogOutError};
pub use read_audit::{AuditPage, ReadAudit, ReadAuditError};
pub use reauthenticate::{Reauthenticate, ReauthenticateError};
pub use refresh::{Refresh, RefreshError};
pub use register::{Register, RegisterError};
pub use reset_password::{PasswordReset, ResetPassword, ResetPasswordError, ResetRules};
pub use resume_audit_log::{ResumeAuditLog, ResumeAuditLogError};
pub use set_status::SetStatus;
pub use show_checkpoint::{ShowCheckpoint, ShowCheckpointError};
pub use sign_checkpoint::{FirstCheckpoint, NewCheckpoint, SignCheckpoint, SignCheckpointError, Signing};
pub use user_sessions::UserSessions;
pub use verify_audit::{Progress, VerifiedLog, VerifyAudit, VerifyAuditError, VerifyAuditRequest};
pub use write_role::{RoleRequest, WriteRole, WriteRoleError};

#[cfg(test)]
pub(crate) mod fixtures;
