//! The routes, one file each.

pub mod access_token;
pub mod account;
pub mod assign_roles;
pub mod assign_user_roles;
pub mod audit_event;
pub mod change_password;
pub mod delete_own_account;
pub mod delete_role;
pub mod delete_user;
pub mod dry_run;
pub mod end_session;
pub mod end_user_sessions;
pub mod export_own_data;
pub mod find_users;
pub mod health;
pub mod jwks;
pub mod list_roles;
pub mod list_sessions;
pub mod list_user_sessions;
pub mod log_in;
pub mod log_out;
pub mod me;
pub mod metadata;
pub mod read_audit;
pub mod reauthenticate;
pub mod refresh;
pub mod register;
pub mod reset_password;
pub mod role;
pub mod set_status;
pub mod show_checkpoint;
pub mod show_role;
pub mod show_user;
pub mod token_pair;
pub mod user;
pub mod write_role;

use crate::endpoint::{Endpoint, endpoint};

/// All documented handlers, in the order of the document.
pub fn endpoints() -> Vec<Endpoint> {
    let mut endpoints = api_endpoints();
    endpoints.extend(public_endpoints());
    endpoints
}

/// The handlers that pages of listed origins may call. Paths are matched in this order.
pub fn api_endpoints() -> Vec<Endpoint> {
    vec![
        endpoint!(register::register),
        endpoint!(log_in::log_in),
        endpoint!(refresh::refresh),
        endpoint!(me::me),
        endpoint!(log_out::log_out),
        // Before `/roles/{name}`, which also matches this path: `update` is a reserved role name.
        endpoint!(assign_roles::assign_roles),
        endpoint!(change_password::change_password),
        endpoint!(reauthenticate::reauthenticate),
        endpoint!(export_own_data::export_own_data),
        endpoint!(list_sessions::list_sessions),
        endpoint!(end_session::end_session),
        endpoint!(delete_own_account::delete_own_account),
        endpoint!(find_users::find_users),
        endpoint!(show_user::show_user),
        endpoint!(set_status::set_status),
        endpoint!(delete_user::delete_user),
        endpoint!(assign_user_roles::assign_user_roles),
        endpoint!(reset_password::reset_password),
        endpoint!(list_user_sessions::list_user_sessions),
        endpoint!(end_user_sessions::end_user_sessions),
        endpoint!(list_roles::list_roles),
        endpoint!(show_role::show_role),
        endpoint!(write_role::write_role),
        endpoint!(delete_role::delete_role),
        endpoint!(read_audit::read_audit),
        endpoint!(show_checkpoint::show_checkpoint),
        endpoint!(show_checkpoint::show_checkpoint_key),
        endpoint!(health::live),
        endpoint!(health::ready),
    ]
}

/// The handlers of documents that all pages may read.
pub fn public_endpoints() -> Vec<Endpoint> {
    vec![endpoint!(jwks::jwks), endpoint!(metadata::metadata)]
}
