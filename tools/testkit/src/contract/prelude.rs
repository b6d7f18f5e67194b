//! Imports of most cases of the storage contracts: the fixtures, the shared steps and domain types.

pub(super) use super::support::*;
pub(super) use crate::{CoreStorage, Storage, fixtures::*};
pub(super) use chrono::{DateTime, Duration, Utc};
pub(super) use domain::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent},
    authority::Denied,
    caller::SessionSnapshot,
    changes::{
        Account, Applied, AssignRoles, CatalogueChange, ChangePassword, Command, DeleteUser, EndSession,
        EndSessions, ImportUsers, OpenSession, Reads, Reauthenticate, RecordReplay, Refusal, RegisterUser,
        RevokeSessions, SetStatus, WriteRole,
    },
    password::PasswordHash,
    role::{Permissions, Role, RoleName, built_in},
    session::{
        Burst, EndReason, Generation, LastRotation, Lifetime, Liveness, NewSession, OriginFingerprint,
        OriginLikeness, Rotation, SessionId, StoredSession,
    },
    token::TokenIdentity,
    user::{Credentials, ImportedUser, NewUser, User, UserFilter, UserId, UserPage, UserStatus},
};
pub(super) use std::sync::Arc;
