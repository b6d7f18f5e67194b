use crate::{
    password::PasswordPolicy,
    ports::{BreachedPasswords, Clock, PasswordMeter},
    use_cases::CheckPassword,
};
use std::sync::Arc;

/// The ports for checking a password without storing it.
#[derive(Clone)]
pub struct PasswordCheckPorts {
    pub meter: Arc<dyn PasswordMeter>,
    /// Use [`NoBreachedPasswords`](crate::ports::NoBreachedPasswords) if there is no list.
    pub breached: Arc<dyn BreachedPasswords>,
    pub clock: Arc<dyn Clock>,
}

/// Builds the use case that checks a password against `policy` without storing it. It needs no
/// storage and no keys.
#[must_use]
pub fn password_check(ports: PasswordCheckPorts, policy: PasswordPolicy) -> CheckPassword {
    CheckPassword {
        meter: ports.meter,
        breached: ports.breached,
        clock: ports.clock,
        policy,
    }
}
