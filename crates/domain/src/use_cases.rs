//! What the service can do, one file a use case. Each holds the ports it calls and has one `execute`.

mod accept_password;
mod authenticate;
mod bootstrap_admin;
mod change_password;
mod change_roles;
mod create_user;
mod end_session;
mod issue_tokens;
mod list_sessions;
mod log_in;
mod log_out;
mod recognise_refresh_token;
mod refresh;
mod register;
mod set_status;

pub use accept_password::{AcceptPassword, AcceptPasswordError};
pub use authenticate::{Authenticate, AuthenticateError};
pub use bootstrap_admin::{Bootstrap, BootstrapAdmin, BootstrapAdminError};
pub use change_password::{ChangeOwnPassword, ChangeOwnPasswordError, NewPasswordWish};
pub use change_roles::{AssignRoles, AssignRolesError, Requester, RolesWish};
pub use create_user::{CreateUser, CreateUserError, UserWish};
pub use end_session::{EndSession, EndSessionError};
pub use issue_tokens::{IssueTokens, TokenPair};
pub use list_sessions::ListSessions;
pub use log_in::{LogIn, LogInError};
pub use log_out::{LogOut, LogOutError};
pub use recognise_refresh_token::{RecogniseRefreshToken, Recognised};
pub use refresh::{Refresh, RefreshError};
pub use register::{Register, RegisterError};
pub use set_status::{SetStatus, SetStatusError};

#[cfg(test)]
mod fixtures;
