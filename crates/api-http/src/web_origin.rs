//! Web origins (RFC 6454), in the form in which browsers send them in `Origin`.

use actix_web::http::header::HeaderValue;
use serde::{Deserialize, Serialize};
use std::{
    error::Error,
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Maximum length of a host name (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// An origin such as `https://app.example.com` or `http://localhost:5173`: scheme, host, and the
/// port unless it is the scheme's default. Never `*` or `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin(String);

/// The error for a text that no browser sends as an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOriginRefused {
    cause: &'static str,
    /// What browsers send for the text as a URL, if it is one.
    sent: Option<WebOrigin>,
}

impl WebOrigin {
    /// Parses an origin that is written exactly as browsers send it.
    ///
    /// # Errors
    /// The first violation, with the form that browsers send.
    pub fn parse(text: &str) -> Result<Self, WebOriginRefused> {
        let sent = Self::of_url(text);
        match sent {
            Some(sent) if sent.0 == text => Ok(sent),
            sent => Err(WebOriginRefused {
                cause: violation(text, sent.is_some()),
                sent,
            }),
        }
    }

    /// Returns the origin of an `http` or `https` URL.
    #[must_use]
    pub fn of_url(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = default_port(&scheme)?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let address = authority.rsplit('@').next()?;
        let (host, port) = split_port(address)?;
        let host = serialised_host(host)?;
        let port = port.filter(|port| *port != default_port);
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Some(Self(format!("{scheme}://{host}{port}")))
    }

    /// Returns the origin as browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the network can forge pages of this origin: they come over plain HTTP, and
    /// not from the browser's own machine (Secure Contexts, section 3.1).
    #[must_use]
    pub fn can_be_forged(&self) -> bool {
        !self.is_https() && !self.is_loopback()
    }

    /// Returns whether the pages of this origin come from the browser's own machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let address = self.0.split_once("://").map_or(&*self.0, |(_, address)| address);
        let host = split_port(address).map_or(address, |(host, _)| host);
        let name = host.strip_suffix('.').unwrap_or(host);
        let ipv6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let is_address = match ipv6 {
            Some(ipv6) => ipv6.parse().is_ok_and(|address: Ipv6Addr| address.is_loopback()),
            None => name.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback()),
        };
        is_address || name == "localhost" || name.ends_with(".localhost")
    }

    /// Returns whether the pages of this origin come over HTTPS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Returns whether `header`, the value of `Origin`, is this origin.
    #[must_use]
    pub fn is(&self, header: &HeaderValue) -> bool {
        self.0.as_bytes() == header.as_bytes()
    }
}

/// Returns what is wrong with `text`. `is_url` states whether it is a URL with an origin.
fn violation(text: &str, is_url: bool) -> &'static str {
    match text {
        "*" => return "would admit every page: list the origins",
        "null" => return "is the origin of unrelated pages, such as sandboxed ones",
        _ => {}
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return "has no scheme";
    };
    if default_port(&scheme.to_ascii_lowercase()).is_none() {
        return "has a scheme other than http and https";
    }
    if rest.contains('#') {
        return "has a fragment";
    }
    if rest.contains('?') {
        return "has a query";
    }
    match rest.split_once('/') {
        Some((_, "")) => return "ends with a slash",
        Some(_) => return "has a path",
        None => {}
    }
    if rest.contains('@') {
        return "has user information";
    }
    if !is_url {
        return "has an invalid host or port; write an international name in Punycode";
    }
    "has capital letters, the default port, or an address that is not in its shortest form"
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Splits a host, which may be an IPv6 address in brackets, and its port, which may be empty.
fn split_port(address: &str) -> Option<(&str, Option<u16>)> {
    let end_of_host = match address.find(']') {
        Some(bracket) => bracket + 1,
        None => address.find(':').unwrap_or(address.len()),
    };
    let (host, port) = address.split_at_checked(end_of_host)?;
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':')?;
    if digits.is_empty() {
        return Some((host, None));
    }
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|_| is_number)?;
    Some((host, Some(port)))
}

/// Returns `host` as browsers serialise it (URL Standard, section 3.5).
fn serialised_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse().ok().map(serialised_ipv6);
    }
    let host = host.to_ascii_lowercase();
    let labels = host.strip_suffix('.').unwrap_or(&host);
    let last = labels.rsplit('.').next()?;
    // Browsers read a host whose last label is a number as an IPv4 address.
    if last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return host.parse::<Ipv4Addr>().ok().map(|address| address.to_string());
    }
    let is_name = host.len() <= MAX_HOST && labels.split('.').all(is_label);
    is_name.then_some(host)
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !label.is_empty() && label.bytes().all(is_allowed)
}

fn serialised_ipv6(address: Ipv6Addr) -> String {
    // Browsers do not write the last 32 bits as an IPv4 address, as the standard library does.
    match (address.to_ipv4_mapped(), address.segments()) {
        (Some(_), [.., high, low]) => format!("[::ffff:{high:x}:{low:x}]"),
        (None, _) => format!("[{address}]"),
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = WebOriginRefused;

    fn try_from(text: String) -> Result<Self, WebOriginRefused> {
        Self::parse(&text)
    }
}

impl From<WebOrigin> for String {
    fn from(origin: WebOrigin) -> Self {
        origin.0
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for WebOriginRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause)?;
        match &self.sent {
            Some(sent) => write!(f, "; browsers send {sent}"),
            None => Ok(()),
        }
    }
}

impl Error for WebOriginRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_as_browsers_send_them_are_accepted() {
        for text in [
            "https://app.example.com",
            "http://localhost:5173",
            "https://app.example.com:8443",
            "http://app.example.com:443",
            "https://xn--bcher-kva.example",
            "https://app_1.example.",
            "http://127.0.0.1",
            "http://[::1]:3000",
            "http://[2001:db8::1]",
            "http://[::ffff:c000:207]",
        ] {
            assert_eq!(WebOrigin::parse(text).map(String::from), Ok(text.to_owned()));
        }
    }

    /// Checks that `text` is refused for `cause`, with the form `sent` that browsers send.
    fn check_refused(text: &str, cause: &str, sent: Option<&str>) {
        let refused = WebOrigin::parse(text).expect_err(text);
        assert!(refused.cause.contains(cause), "{text}: {refused}");
        assert_eq!(refused.sent.as_ref().map(WebOrigin::as_str), sent, "{text}");
    }

    #[test]
    fn texts_that_are_not_http_urls_are_refused() {
        for (text, cause) in [
            ("*", "list the origins"),
            ("null", "unrelated pages"),
            ("", "no scheme"),
            ("app.example", "no scheme"),
            ("//app.example", "no scheme"),
            ("ftp://app.example", "scheme other"),
            ("file:///index.html", "scheme other"),
        ] {
            check_refused(text, cause, None);
        }
    }

    #[test]
    fn urls_with_an_invalid_host_or_port_are_refused() {
        for (text, cause) in [
            ("https://", "invalid host"),
            ("https://:443", "invalid host"),
            ("https://app.example:https", "invalid host"),
            ("https://app.example:+443", "invalid host"),
            ("https://app.example:65536", "invalid host"),
            ("https://*.example", "invalid host"),
            ("https://app..example", "invalid host"),
            ("https://app example", "invalid host"),
            ("https://app.example ", "invalid host"),
            ("https://app.example,https://b.example", "has a path"),
            ("https://bücher.example", "Punycode"),
            ("https://127.1", "invalid host"),
            ("https://0x7f.1", "invalid host"),
            ("https://[::1", "invalid host"),
            ("https://[::1]x", "invalid host"),
        ] {
            check_refused(text, cause, None);
        }
    }

    #[test]
    fn urls_are_refused_with_the_origin_that_browsers_send_for_them() {
        let app = "https://app.example";
        for (text, cause, sent) in [
            ("https://app.example/", "ends with a slash", app),
            ("https://app.example/path", "has a path", app),
            ("https://app.example?x=1", "has a query", app),
            ("https://app.example/?x=1", "has a query", app),
            ("https://app.example#top", "has a fragment", app),
            ("https://me:secret@app.example", "user information", app),
            ("HTTPS://app.example", "capital letters", app),
            ("https://App.Example", "capital letters", app),
            ("https://app.example:443", "default port", app),
            ("https://app.example:", "default port", app),
            ("https://app.example:0443", "default port", app),
            ("http://app.example:80", "default port", "http://app.example"),
            ("http://[0:0::1]", "shortest form", "http://[::1]"),
            (
                "http://[::ffff:192.0.2.7]",
                "shortest form",
                "http://[::ffff:c000:207]",
            ),
        ] {
            check_refused(text, cause, Some(sent));
        }
    }

    #[test]
    fn the_network_can_forge_pages_over_plain_http_from_other_machines() {
        for (text, expected) in [
            ("https://app.example", false),
            ("http://localhost", false),
            ("http://localhost:5173", false),
            ("http://localhost.:5173", false),
            ("http://app.localhost:5173", false),
            ("http://127.0.0.1", false),
            ("http://127.1.2.3:80", false),
            ("http://[::1]:3000", false),
            ("http://app.example", true),
            ("http://app.example:443", true),
            ("http://notlocalhost", true),
            ("http://localhost.example", true),
            ("http://127.0.0.1.example", true),
            ("http://10.0.0.1", true),
            ("http://0.0.0.0", true),
            ("http://[2001:db8::1]", true),
        ] {
            let origin = WebOrigin::of_url(text).expect(text);
            assert_eq!(origin.can_be_forged(), expected, "{text}");
        }
    }

    #[test]
    fn the_origins_of_the_browsers_own_machine_are_loopback_whatever_the_scheme() {
        for (text, expected) in [
            ("https://localhost:5173", true),
            ("https://app.localhost", true),
            ("https://127.0.0.1:8443", true),
            ("https://[::1]", true),
            ("http://localhost", true),
            ("https://app.example", false),
            ("https://localhost.example:443", false),
            ("http://10.0.0.1", false),
        ] {
            let origin = WebOrigin::of_url(text).expect(text);
            assert_eq!(origin.is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn the_origin_of_a_url_has_no_path() {
        for (url, origin) in [
            (
                "https://Auth.example.com:443/tenant",
                Some("https://auth.example.com"),
            ),
            ("http://127.0.0.1:8000", Some("http://127.0.0.1:8000")),
            ("http://localhost:0/", Some("http://localhost:0")),
            ("urn:example", None),
        ] {
            let found = WebOrigin::of_url(url);
            assert_eq!(found.as_ref().map(WebOrigin::as_str), origin, "{url}");
        }
    }
}
