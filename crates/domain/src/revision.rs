//! Revisions of users and roles, and preconditions on them.

use std::fmt;

/// The revision of a user or role, which increases with each change that a client can see. It is
/// part of the `ETag` (RFC 9110, section 8.8.3), which lets clients detect lost updates.
///
/// A user's revisions count the changes to the user. The revisions of roles come from one sequence
/// for the whole catalogue, so that a role that replaces a removed one never has an earlier
/// revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub i64);

impl Revision {
    pub const FIRST: Self = Self(0);
    /// A revision that never exists.
    pub const NEVER: Self = Self(-1);

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The precondition of a change (RFC 9110, sections 13.1.1 and 13.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// No precondition.
    #[default]
    None,
    /// The target exists, at any revision.
    Existing,
    /// The target does not exist.
    Missing,
    /// The target exists at this revision.
    At(Revision),
}

impl Precondition {
    /// Returns whether the precondition holds. `current` is the revision of the target, or `None`
    /// if the target does not exist.
    #[must_use]
    pub fn is_met_by(self, current: Option<Revision>) -> bool {
        match self {
            Self::None => true,
            Self::Existing => current.is_some(),
            Self::Missing => current.is_none(),
            Self::At(required) => current == Some(required),
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
    fn preconditions_match_the_revisions_they_name() {
        let [first, second] = [Revision::FIRST, Revision::FIRST.next()];
        for (precondition, by_nothing, by_first, by_second) in [
            (Precondition::None, true, true, true),
            (Precondition::Existing, false, true, true),
            (Precondition::Missing, true, false, false),
            (Precondition::At(Revision::NEVER), false, false, false),
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
