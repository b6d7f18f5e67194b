//! The origin of a request.

use std::net::IpAddr;

/// Maximum number of characters stored of a user agent.
const MAX_USER_AGENT: usize = 256;

/// The known facts about the origin of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The id that the service gave the request, unique among all requests.
    pub request_id: Option<String>,
    /// The id that the client chose for the request, if it sent one. Any client can choose any, so
    /// it identifies a request only together with `request_id`.
    pub client_request_id: Option<String>,
}

impl Origin {
    /// Creates an origin. Control characters are removed from `user_agent`, and it is cut after 256
    /// characters, because clients control it and it appears in lists and logs.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>, request_id: Option<String>) -> Self {
        let tidy = |text: &str| {
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_USER_AGENT)
                .collect()
        };
        Self {
            address,
            user_agent: user_agent.map(tidy),
            request_id,
            client_request_id: None,
        }
    }

    /// Returns the origin with the id that the client chose for the request. The caller MUST have
    /// checked that it is short and has no control characters.
    #[must_use]
    pub fn named_by_client(self, client_request_id: Option<String>) -> Self {
        Self {
            client_request_id,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_cannot_forge_a_log_line() {
        let origin = Origin::new(
            None,
            Some(&format!("curl\r\nINFO forged\u{1b}[0m{}", "x".repeat(999))),
            None,
        );
        let kept = origin.user_agent.expect("the origin has a user agent");
        assert!(kept.starts_with("curlINFO forged[0m"), "{kept}");
        assert_eq!(kept.chars().count(), MAX_USER_AGENT);
    }
}
