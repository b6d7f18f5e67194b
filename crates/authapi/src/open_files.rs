//! The limit of open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files of this process as far as the system allows. Shells and service managers start programs
/// with a limit of 1,024, and each connection takes two files.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_can_be_open_as_the_system_allows() {
        let limit = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: limit.maximum.map(|most| most.min(1024)),
            ..limit
        };
        setrlimit(Resource::Nofile, low).expect("less is always allowed");
        raise_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
