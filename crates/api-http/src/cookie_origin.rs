//! Which pages may authenticate requests by a cookie.
//!
//! Browsers attach cookies to requests that any page causes. `Origin` and `Sec-Fetch-Site` name the
//! page, and pages cannot set them (Fetch Standard, "forbidden request-header").

use crate::{problem::Problem, state::HttpSettings, web_origin::WebOrigin};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// How the origin of the page relates to that of the service (Fetch Metadata Request Headers,
/// section 2.3).
static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SAME_ORIGIN: &[u8] = b"same-origin";
const SAME_SITE: &[u8] = b"same-site";

/// The origins of pages that may authenticate requests by a cookie.
pub struct CookieOrigins<'a> {
    /// The service's own origin: that of the issuer, which is the URL of the service for clients.
    own: Option<WebOrigin>,
    /// The origins that CORS admits.
    listed: &'a [WebOrigin],
}

impl<'a> CookieOrigins<'a> {
    /// Returns the origins that `settings` permit.
    pub fn of(settings: &'a HttpSettings) -> Self {
        Self {
            own: settings.issuer.as_deref().and_then(WebOrigin::of_url),
            listed: &settings.cors_origins,
        }
    }

    /// Refuses a request that does not prove with its `headers` that a permitted page sent it.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if self.are_permitted(headers) {
            Ok(())
        } else {
            Err(Problem::cookie_origin_refused())
        }
    }

    /// Refuses to set cookies in the response to a page that could not use them, so that no page
    /// can log its visitor in to another account. Only requests that no page sent lack `Origin`,
    /// because the routes are POST and PUT (Fetch Standard, section 3.2).
    pub fn check_to_set(&self, headers: &HeaderMap) -> Result<(), Problem> {
        if headers.contains_key(header::ORIGIN) {
            self.check(headers)
        } else {
            Ok(())
        }
    }

    fn are_permitted(&self, headers: &HeaderMap) -> bool {
        let (Ok(Some(origin)), Ok(site)) = (only(headers, &header::ORIGIN), only(headers, &SEC_FETCH_SITE))
        else {
            return false;
        };
        let sites: &[&[u8]] = if self.listed.iter().any(|listed| listed.is(origin)) {
            &[SAME_ORIGIN, SAME_SITE]
        } else if self.own.as_ref().is_some_and(|own| own.is(origin)) {
            &[SAME_ORIGIN]
        } else {
            &[]
        };
        // Browsers send no `Sec-Fetch-Site` over plain HTTP, and old ones never do.
        match site {
            Some(site) => sites.contains(&site.as_bytes()),
            None => !sites.is_empty(),
        }
    }
}

/// A header that occurs more than once.
struct Repeated;

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Repeated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: &str = "https://auth.example.com";
    const LISTED: &str = "https://app.example.com";

    fn settings() -> HttpSettings {
        HttpSettings {
            issuer: Some(format!("{OWN}:443/tenant")),
            cors_origins: vec![WebOrigin::parse(LISTED).expect("an origin")],
            ..HttpSettings::default()
        }
    }

    fn headers(sent: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header");
            headers.append((*name).clone(), value);
        }
        headers
    }

    fn code_of(settings: &HttpSettings, sent: &[(&HeaderName, &str)]) -> Option<&'static str> {
        let checked = CookieOrigins::of(settings).check(&headers(sent));
        checked.err().map(|problem| problem.code())
    }

    #[test]
    fn only_own_and_listed_origins_are_permitted_and_never_across_sites() {
        for (origin, site, permitted) in [
            (Some(OWN), None, true),
            (Some(OWN), Some("same-origin"), true),
            (Some(OWN), Some("same-site"), false),
            (Some(OWN), Some("cross-site"), false),
            (Some(OWN), Some("none"), false),
            (Some(OWN), Some("Same-Origin"), false),
            (Some(OWN), Some(""), false),
            (Some(LISTED), None, true),
            (Some(LISTED), Some("same-origin"), true),
            (Some(LISTED), Some("same-site"), true),
            (Some(LISTED), Some("cross-site"), false),
            (Some(LISTED), Some("none"), false),
            (None, None, false),
            (None, Some("same-origin"), false),
            (None, Some("none"), false),
            (Some("null"), None, false),
            (Some("null"), Some("same-origin"), false),
            (Some("http://auth.example.com"), Some("same-origin"), false),
            (Some("https://auth.example.com:443"), None, false),
            (Some("https://auth.example.com/"), None, false),
            (Some("https://AUTH.example.com"), None, false),
            (Some("https://auth.example.com.evil.example"), None, false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://other.example.com"), Some("same-site"), false),
        ] {
            let mut sent = Vec::new();
            sent.extend(origin.map(|origin| (&header::ORIGIN, origin)));
            sent.extend(site.map(|site| (&SEC_FETCH_SITE, site)));
            let refused = (!permitted).then_some("cookie_origin_refused");
            assert_eq!(code_of(&settings(), &sent), refused, "{sent:?}");
        }
    }

    #[test]
    fn repeated_headers_prove_nothing() {
        for sent in [
            &[(&header::ORIGIN, OWN), (&header::ORIGIN, OWN)][..],
            &[(&header::ORIGIN, OWN), (&header::ORIGIN, "https://evil.example")],
            &[
                (&header::ORIGIN, OWN),
                (&SEC_FETCH_SITE, "same-origin"),
                (&SEC_FETCH_SITE, "same-origin"),
            ],
        ] {
            assert_eq!(
                code_of(&settings(), sent),
                Some("cookie_origin_refused"),
                "{sent:?}"
            );
        }
    }

    #[test]
    fn without_an_issuer_only_listed_origins_are_permitted() {
        let settings = HttpSettings {
            issuer: None,
            ..settings()
        };
        let refused = code_of(&settings, &[(&header::ORIGIN, OWN)]);
        assert_eq!(refused, Some("cookie_origin_refused"));
        assert_eq!(code_of(&settings, &[(&header::ORIGIN, LISTED)]), None);
    }

    fn origins() -> impl Strategy<Value = String> {
        prop_oneof![
            Just(OWN.to_owned()),
            Just(LISTED.to_owned()),
            Just("null".to_owned()),
            Just(String::new()),
            "https?://(auth|app|evil)\\.example(\\.com|\\.org)?(:443|:80|/|\\.)?",
            "[ -~]{0,40}",
        ]
    }

    fn sites() -> impl Strategy<Value = String> {
        prop_oneof![
            Just("same-origin".to_owned()),
            Just("same-site".to_owned()),
            Just("cross-site".to_owned()),
            Just("none".to_owned()),
            "[ -~]{0,12}",
        ]
    }

    proptest! {
        /// A request is permitted exactly if it has one `Origin`, own or listed, and at most one
        /// `Sec-Fetch-Site`, which is `same-origin`, or `same-site` for a listed origin.
        #[test]
        fn exactly_the_permitted_pages_are_accepted(
            origins in prop::collection::vec(origins(), 0..3),
            sites in prop::collection::vec(sites(), 0..3),
        ) {
            let mut sent = Vec::new();
            sent.extend(origins.iter().map(|origin| (&header::ORIGIN, origin.as_str())));
            sent.extend(sites.iter().map(|site| (&SEC_FETCH_SITE, site.as_str())));
            let expected = match (&origins[..], &sites[..]) {
                ([origin], []) => origin == OWN || origin == LISTED,
                ([origin], [site]) => {
                    let same_origin = site == "same-origin" && (origin == OWN || origin == LISTED);
                    same_origin || (site == "same-site" && origin == LISTED)
                }
                _ => false,
            };
            prop_assert_eq!(code_of(&settings(), &sent).is_none(), expected);
        }
    }
}
