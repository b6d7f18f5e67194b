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

/// What has to be there for a change to be made (RFC 9110, section 13.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing: the change is made anyhow.
    #[default]
    None,
    /// Anything, at whatever revision.
    Existing,
    /// What stands at this revision.
    At(Revision),
}

impl Precondition {
    /// Whether it is met by what stands at `current`, or by nothing.
    #[must_use]
    pub fn is_met_by(self, current: Option<Revision>) -> bool {
        match self {
            Self::None => true,
            Self::Existing => current.is_some(),
            Self::At(wanted) => current == Some(wanted),
        }
    }

    /// The revision that something has to stand at which is known to be there.
    #[must_use]
    pub fn revision(self) -> Option<Revision> {
        match self {
            Self::None | Self::Existing => None,
            Self::At(wanted) => Some(wanted),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_met_by_what_it_asks_for() {
        let [first, second] = [Revision::FIRST, Revision::FIRST.next()];
        for (precondition, by_nothing, by_first, by_second) in [
            (Precondition::None, true, true, true),
            (Precondition::Existing, false, true, true),
            (Precondition::At(first), false, true, false),
        ] {
            assert_eq!(precondition.is_met_by(None), by_nothing, "{precondition:?}");
            assert_eq!(precondition.is_met_by(Some(first)), by_first, "{precondition:?}");
            assert_eq!(
                precondition.is_met_by(Some(second)),
                by_second,
                "{precondition:?}"
            );
        }
    }
}
