//! Steps that several use cases share. [`Core`](crate::core::Core) builds each of them once.

mod accept_password;
mod acceptance;
mod admit_login;
mod confirm_password;
mod end_reused;
mod issue_tokens;
mod live_sessions;
mod newest_witnesses;
mod recognise_device;
mod recognise_refresh_token;
mod record_failed_attempt;
mod record_replay;
mod stored_end;
mod user_ref;
mod verify_span;

pub use accept_password::{AcceptPassword, AcceptPasswordError};
pub(crate) use acceptance::AcceptancePorts;
pub use admit_login::{AdmitLogin, AdmitLoginError, AdmittedLogin};
pub use confirm_password::{ConfirmPassword, ConfirmPasswordError};
pub(crate) use end_reused::end_reused;
pub use issue_tokens::{AccessTokenRequest, IssueTokens, IssuedAccessToken, TokenPair};
pub(crate) use live_sessions::live_sessions;
pub(crate) use newest_witnesses::newest_witnesses;
pub use recognise_device::RecogniseDevice;
pub use recognise_refresh_token::{RecogniseRefreshToken, Recognised};
pub use record_failed_attempt::RecordFailedAttempt;
pub(crate) use record_replay::record_replay;
pub(crate) use stored_end::stored_end;
pub use user_ref::{ChangeRequest, UserRef};
pub(crate) use user_ref::{find, prepare};
pub(crate) use verify_span::verify_span;
