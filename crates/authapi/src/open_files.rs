//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit on open files to the hard limit. Shells and service managers often start
/// programs with 1,024, and each connection may use two files.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the limit on open files cannot be raised"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_the_hard_limit() {
        let limit = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: limit.maximum.map(|most| most.min(1024)),
            ..limit
        };
        setrlimit(Resource::Nofile, low).expect("lowering the soft limit is allowed");
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
