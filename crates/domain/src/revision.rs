//! How often something was changed.

use std::fmt;

/// Raised by one with every change of a user or a role that administrators can make; what an `ETag` tells (RFC 9110, section
/// 8.8.3), so that of two who change the same thing at once one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

impl Revision {
    pub const FIRST: Self = Self(0);

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
