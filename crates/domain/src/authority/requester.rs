//! The origin of a request for a change, and the proofs of its rights.

use super::{Denied, Right, require};
use crate::{audit::Actor, caller::Caller, step_up::StepUp, token::TokenIdentity, user::UserId};
use std::marker::PhantomData;

/// The origin of a request for a change.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    Caller(&'a Caller),
    /// The command line, which has every permission.
    Operator,
}

/// Proof that the requester holds the right `R`. Only the checks in this module create one.
#[derive(Clone, Copy, Debug)]
pub struct Capability<'a, R> {
    requester: Requester<'a>,
    right: PhantomData<R>,
}

impl<'a> Requester<'a> {
    /// Returns the capability that proves the right `R`.
    ///
    /// # Errors
    /// Returns [`Denied::Forbidden`] if the caller lacks the permission; otherwise
    /// [`Denied::StepUpRequired`] if the right requires that the caller's password was checked
    /// recently, and it was not. A caller without the permission is therefore not asked for a
    /// password in vain.
    pub fn capability<R: Right>(self) -> Result<Capability<'a, R>, Denied> {
        if let Self::Caller(caller) = self {
            require(caller, &R::PERMISSION)?;
        }
        if R::STEP_UP {
            self.require_step_up()?;
        }
        Ok(Capability {
            requester: self,
            right: PhantomData,
        })
    }

    /// Checks that the caller's password was checked recently. The operator has no password.
    ///
    /// # Errors
    /// Returns [`Denied::StepUpRequired`] if it was not.
    pub fn require_step_up(self) -> Result<(), Denied> {
        match self {
            Self::Caller(caller) => match caller.step_up() {
                StepUp::Recent => Ok(()),
                StepUp::Required { max_age } => Err(Denied::StepUpRequired { max_age }),
            },
            Self::Operator => Ok(()),
        }
    }

    /// Returns the token identity that authorises the change and that storage validates again, or
    /// `None` for the operator, who needs no validation.
    #[must_use]
    pub fn identity(self) -> Option<TokenIdentity> {
        match self {
            Self::Caller(caller) => Some(caller.identity()),
            Self::Operator => None,
        }
    }

    /// Returns the actor to record in the audit log.
    #[must_use]
    pub fn actor(self) -> Actor {
        match self {
            Self::Caller(caller) => caller.principal().id().into(),
            Self::Operator => Actor::Operator,
        }
    }

    /// Returns whether the requester is this user. The operator is not a user.
    #[must_use]
    pub fn is(self, user: UserId) -> bool {
        matches!(self, Self::Caller(caller) if caller.is(user))
    }
}

impl Caller {
    /// Returns the capability that proves the right `R`.
    ///
    /// # Errors
    /// Returns [`Denied::Forbidden`] or [`Denied::StepUpRequired`], like
    /// [`Requester::capability`].
    pub fn capability<R: Right>(&self) -> Result<Capability<'_, R>, Denied> {
        Requester::Caller(self).capability()
    }
}

impl<R: Right> Capability<'static, R> {
    /// Creates a capability of the operator, who has every permission.
    #[must_use]
    pub fn of_operator() -> Self {
        Self {
            requester: Requester::Operator,
            right: PhantomData,
        }
    }
}

impl<'a, R> Capability<'a, R> {
    #[must_use]
    pub fn requester(&self) -> Requester<'a> {
        self.requester
    }
}
