//! Conditional changes (RFC 9110, sections 8.8.3 and 13.1.1).

use crate::problem::Problem;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName},
};
use domain::revision::{Precondition, Revision};
use std::future::{Ready, ready};

/// A revision that never exists, for entity tags that this service did not issue.
const NEVER: Revision = Revision(-1);

/// Returns the `ETag` header for the revision of a user or role.
pub fn etag(revision: Revision) -> (HeaderName, String) {
    (header::ETAG, format!("\"{revision}\""))
}

/// The precondition in `If-Match`.
pub struct IfMatch(pub Precondition);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut headers = request.headers().get_all(header::IF_MATCH);
        let precondition = match (headers.next(), headers.next()) {
            (None, _) => Ok(Precondition::None),
            (Some(value), None) => value.to_str().map_err(|_| malformed()).and_then(parse),
            (Some(_), Some(_)) => Err(malformed()),
        };
        ready(precondition.map(Self))
    }
}

/// Parses the value of `If-Match`. Weak tags never match, because it uses the strong comparison.
fn parse(value: &str) -> Result<Precondition, Problem> {
    let value = value.trim_matches([' ', '\t']);
    if value == "*" {
        return Ok(Precondition::Existing);
    }
    let (is_weak, tag) = match value.strip_prefix("W/") {
        Some(tag) => (true, tag),
        None => (false, value),
    };
    let tag = tag
        .strip_prefix('"')
        .and_then(|tag| tag.strip_suffix('"'))
        .filter(|tag| tag.chars().all(|c| c != '"' && c.is_ascii_graphic()))
        .ok_or_else(malformed)?;
    let revision = tag
        .parse()
        .map(Revision)
        .ok()
        .filter(|revision| !is_weak && revision.to_string() == tag);
    Ok(Precondition::At(revision.unwrap_or(NEVER)))
}

fn malformed() -> Problem {
    Problem::malformed_request("If-Match must be a single entity tag from an ETag header, or *.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_one_tag_or_a_star() {
        for (value, expected) in [
            ("*", Ok(Precondition::Existing)),
            ("\"0\"", Ok(Precondition::At(Revision(0)))),
            (" \"17\" ", Ok(Precondition::At(Revision(17)))),
            ("\"017\"", Ok(Precondition::At(NEVER))),
            ("\"+1\"", Ok(Precondition::At(NEVER))),
            ("\"abc\"", Ok(Precondition::At(NEVER))),
            ("\"\"", Ok(Precondition::At(NEVER))),
            ("W/\"17\"", Ok(Precondition::At(NEVER))),
            ("\"99999999999999999999\"", Ok(Precondition::At(NEVER))),
            ("", Err("malformed_request")),
            ("17", Err("malformed_request")),
            ("\"17", Err("malformed_request")),
            ("\"", Err("malformed_request")),
            ("\"1\", \"2\"", Err("malformed_request")),
            ("w/\"17\"", Err("malformed_request")),
        ] {
            let parsed = parse(value).map_err(|problem| problem.code());
            assert_eq!(parsed, expected, "{value}");
        }
    }
}
