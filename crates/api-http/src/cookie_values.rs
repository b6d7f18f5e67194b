//! The cookies of a request.

use actix_web::http::header::{self, HeaderMap};

/// Returns the values of all cookies with `name`, as sent (RFC 6265, section 4.2.1). A cookie
/// without an equals sign has an empty value.
pub fn cookie_values<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(header::COOKIE);
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    cookies.filter_map(move |cookie| {
        let cookie = cookie.trim_ascii();
        let rest = cookie.strip_prefix(name.as_bytes())?;
        if rest.is_empty() {
            return Some(rest);
        }
        rest.strip_prefix(b"=")
    })
}
