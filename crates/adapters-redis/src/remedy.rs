use deadpool_redis::{
    PoolError,
    redis::{ErrorKind, RedisError, ServerErrorKind},
};

const PASSWORD: &str = " (correct the user or the password in its URL)";
const RIGHTS: &str = " (its user lacks a right: docs/operations.md lists the commands, keys and channels)";
const DATABASE: &str = " (correct the database number in its URL)";
const CERTIFICATE: &str = " (its certificate is not valid for this host, or not trusted by this system)";
const NO_TLS: &str = " (it does not speak TLS on this port: use redis instead of rediss in its URL)";
const TLS: &str = " (if it requires TLS, use rediss instead of redis in its URL)";
/// Redis waits for the rest of a TLS handshake on a port without TLS.
const SILENT: &str =
    " (it is unreachable or hangs, or its URL says rediss and it does not speak TLS on this port)";

/// Parts of errors that the library reports by text only: those of connecting to a Cluster, and
/// missing rights of a script.
const BY_TEXT: [(&str, &str); 8] = [
    ("AuthenticationFailed", PASSWORD),
    ("WRONGPASS", PASSWORD),
    ("NOAUTH", PASSWORD),
    ("NOPERM", RIGHTS),
    ("The user executing the script can't", RIGHTS),
    ("refused to switch database", DATABASE),
    ("invalid peer certificate", CERTIFICATE),
    ("InvalidContentType", NO_TLS),
];

/// Returns, in parentheses, what to correct for an error that persists until an operator corrects
/// its cause. Returns an empty text for other errors.
pub(crate) fn remedy(error: &RedisError) -> &'static str {
    match error.kind() {
        ErrorKind::AuthenticationFailed => return PASSWORD,
        ErrorKind::Server(ServerErrorKind::NoPerm) => return RIGHTS,
        _ => {}
    }
    let text = error.to_string();
    let known = BY_TEXT.iter().find(|(part, _)| text.contains(part));
    known.map_or("", |(_, remedy)| remedy)
}

/// Returns what to correct for a failed connection attempt.
pub(crate) fn remedy_of_connecting(error: &PoolError) -> &'static str {
    let PoolError::Backend(error) = error else {
        return "";
    };
    match remedy(error) {
        // A server that expects TLS closes the connection.
        "" if error.is_connection_dropped() && !error.is_connection_refusal() => TLS,
        "" if error.is_timeout() => SILENT,
        remedy => remedy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn of_text(text: &str) -> RedisError {
        io::Error::other(text.to_owned()).into()
    }

    #[test]
    fn errors_that_an_operator_must_correct_name_the_remedy() {
        let node = "Password authentication failed - AuthenticationFailed".to_owned();
        let in_a_cluster = RedisError::from((ErrorKind::Io, "Failed to create initial connections", node));
        for (error, expected) in [
            (
                RedisError::from((ErrorKind::AuthenticationFailed, "no")),
                PASSWORD,
            ),
            (in_a_cluster, PASSWORD),
            (of_text("NOAUTH: Authentication required."), PASSWORD),
            (of_text("invalid peer certificate: UnknownIssuer"), CERTIFICATE),
            (
                of_text("invalid peer certificate: certificate expired"),
                CERTIFICATE,
            ),
            (
                of_text("received corrupt message of type InvalidContentType"),
                NO_TLS,
            ),
            (of_text("the server is on fire"), ""),
        ] {
            assert_eq!(remedy(&error), expected, "{error}");
            assert_eq!(remedy_of_connecting(&error.into()), expected);
        }
    }

    #[test]
    fn a_server_that_closes_the_connection_or_is_silent_may_differ_in_tls() {
        let error = |kind: io::ErrorKind| PoolError::from(RedisError::from(io::Error::from(kind)));
        assert_eq!(remedy_of_connecting(&error(io::ErrorKind::ConnectionReset)), TLS);
        assert_eq!(remedy_of_connecting(&error(io::ErrorKind::BrokenPipe)), TLS);
        assert_eq!(remedy_of_connecting(&error(io::ErrorKind::ConnectionRefused)), "");
        assert_eq!(remedy_of_connecting(&error(io::ErrorKind::TimedOut)), SILENT);
    }
}
