//! 304 for a client that already has the representation (RFC 9110, section 13.1.2).

use crate::{cors, empty_stream::empty_stream};
use actix_web::{
    HttpResponse,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap},
    },
};

/// The tags in `If-None-Match` of a GET or HEAD request, one text for each header line.
pub struct CachedTags(Vec<String>);

impl CachedTags {
    /// Returns the tags that the client sends, if there are any.
    pub fn of(request: &ServiceRequest) -> Option<Self> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return None;
        }
        let lines = request.headers().get_all(header::IF_NONE_MATCH);
        let lines: Vec<_> = lines
            .filter_map(|line| Some(line.to_str().ok()?.to_owned()))
            .collect();
        (!lines.is_empty()).then_some(Self(lines))
    }

    /// Replaces a successful response by 304 if its `ETag` is one of these tags. Applies to every
    /// route.
    pub fn answer(&self, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let tag = response.headers().get(header::ETAG);
        let has_tag = tag
            .and_then(|tag| tag.to_str().ok())
            .is_some_and(|tag| self.contains(tag));
        if has_tag && response.status() == StatusCode::OK {
            let not_modified = not_modified(response.headers());
            response.into_response(not_modified)
        } else {
            response
        }
    }

    /// Compares weakly. A tag of this service contains no comma, so parts of another service's tag
    /// match none.
    fn contains(&self, tag: &str) -> bool {
        let mut sent = self.0.iter().flat_map(|line| line.split(','));
        sent.any(|sent| {
            let sent = sent.trim_matches([' ', '\t']);
            sent == "*" || sent.strip_prefix("W/").unwrap_or(sent) == tag
        })
    }
}

/// Returns a 304 with the headers of the 200 that a cache needs (RFC 9110, section 15.4.5), and
/// those without which a browser refuses it to the page. Browsers replace the policy of the cached
/// page by the one of the 304.
fn not_modified(headers: &HeaderMap) -> HttpResponse {
    let mut response = HttpResponse::NotModified();
    for name in [
        header::ETAG,
        header::CACHE_CONTROL,
        header::CONTENT_SECURITY_POLICY,
    ]
    .iter()
    .chain(&cors::RESPONSE_HEADERS)
    {
        if let Some(value) = headers.get(name) {
            response.insert_header((name.clone(), value.clone()));
        }
    }
    response.finish().map_body(|head, _| empty_stream(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn tags(method: Method, lines: &[&str]) -> Option<CachedTags> {
        let request = lines
            .iter()
            .fold(TestRequest::default().method(method), |request, line| {
                request.append_header((header::IF_NONE_MATCH, *line))
            });
        CachedTags::of(&request.to_srv_request())
    }

    #[test]
    fn a_tag_is_found_in_any_list() {
        for (lines, expected) in [
            (&["\"7\""][..], true),
            (&["W/\"7\""], true),
            (&["*"], true),
            (&["\"6\", \"7\""], true),
            (&["\"6\",W/\"7\" , \"8\""], true),
            (&["\"6\"", "\"7\""], true),
            (&["\"6\""], false),
            (&["7"], false),
            (&["\"77\""], false),
            (&["w/\"7\""], false),
            (&[""], false),
            (&["\"6,7\""], false),
        ] {
            let tags = tags(Method::GET, lines).expect("tags");
            assert_eq!(tags.contains("\"7\""), expected, "{lines:?}");
        }
    }

    #[test]
    fn only_reading_requests_have_cached_tags() {
        assert!(tags(Method::GET, &[]).is_none());
        assert!(tags(Method::HEAD, &["\"7\""]).is_some());
        assert!(tags(Method::PUT, &["\"7\""]).is_none());
    }
}
