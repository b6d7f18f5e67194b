//! Keeps passwords and keys in memory from other processes and from files.

use crate::Failure;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Disables core dumps, and denies `ptrace` and most of `/proc/PID` to all processes but root's,
/// including those of this user. Call this before secrets are read.
///
/// # Errors
/// If the system refuses it.
pub fn disable() -> Result<(), Failure> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // The limit does not apply to dumps that the kernel pipes to a program. Those are prevented by
    // the second call.
    setrlimit(Resource::Core, none)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
        .map_err(|error| Failure::because("core dumps cannot be disabled", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{dumpable_behavior, getrlimit};

    #[test]
    fn the_process_is_not_dumpable_and_its_core_limit_is_0() {
        disable().expect("the process may do this");
        let dumpable = dumpable_behavior().expect("the process may read this");
        assert_eq!(dumpable, DumpableBehavior::NotDumpable);
        let limit = getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    }
}
