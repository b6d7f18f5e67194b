//! Preconditions of changes (RFC 9110, sections 13.1.1 and 13.1.2).

use crate::{etag::EntityTag, problem::Problem};
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderMap, HeaderName},
};
use domain::{
    revision::{Precondition, Revision},
    user::{UserId, UserRevision},
};
use std::future::{Ready, ready};
use uuid::Uuid;

/// The precondition in `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// There is no header.
    Absent,
    /// `*`: the target must exist.
    Any,
    /// The target must have this tag, given without its quotes; `None` for a weak tag, which never
    /// matches, because `If-Match` uses the strong comparison.
    Tag(Option<String>),
}

/// The precondition of a change that can create a role, in `If-Match` and `If-None-Match`.
pub struct RolePrecondition(pub Precondition);

impl IfMatch {
    /// Returns the revision that a role must have.
    pub fn role_revision(&self) -> Option<Revision> {
        self.required(EntityTag::role_revision, Revision::NEVER)
    }

    /// Returns the revision that the user `id` must have.
    pub fn revision_of(&self, id: UserId) -> Option<Revision> {
        self.user_revision().map(|named| named.required_of(id))
    }

    /// Returns which user the target must be, and at which revision.
    pub fn user_revision(&self) -> Option<UserRevision> {
        let never = UserRevision {
            user: UserId(Uuid::nil()),
            revision: Revision::NEVER,
        };
        self.required(EntityTag::user_revision, never)
    }

    /// Returns what the required tag names, if there is one: `never` for a tag that never matches.
    /// `*` requires no tag, because a missing target is reported as such.
    fn required<T>(&self, parse: impl Fn(&str) -> Option<T>, never: T) -> Option<T> {
        match self {
            Self::Absent | Self::Any => None,
            Self::Tag(tag) => Some(tag.as_deref().and_then(parse).unwrap_or(never)),
        }
    }

    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match single(headers, &header::IF_MATCH) {
            Ok(None) => Ok(Self::Absent),
            Ok(Some(value)) => parse(value),
            Err(()) => Err(malformed()),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request.headers()))
    }
}

impl FromRequest for RolePrecondition {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(role_precondition(request.headers()).map(Self))
    }
}

fn role_precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    let if_match = IfMatch::of(headers)?;
    let if_missing = match single(headers, &header::IF_NONE_MATCH) {
        Ok(None) => false,
        Ok(Some("*")) => true,
        Ok(Some(_)) | Err(()) => {
            return Err(Problem::malformed_request(
                "If-None-Match must be * here, to create a role. Send an ETag as If-Match to change one.",
            ));
        }
    };
    Ok(match (&if_match, if_missing) {
        (IfMatch::Absent, false) => Precondition::None,
        (IfMatch::Absent, true) => Precondition::Missing,
        (IfMatch::Any, false) => Precondition::Existing,
        (IfMatch::Tag(_), false) => Precondition::At(if_match.role_revision().unwrap_or(Revision::NEVER)),
        // No role both exists and does not.
        (IfMatch::Any | IfMatch::Tag(_), true) => Precondition::At(Revision::NEVER),
    })
}

/// Returns the value of the header `name`, which must not be sent twice.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|text| Some(text.trim_matches([' ', '\t'])))
            .map_err(drop),
        (Some(_), Some(_)) => Err(()),
    }
}

fn parse(value: &str) -> Result<IfMatch, Problem> {
    if value == "*" {
        return Ok(IfMatch::Any);
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
    Ok(IfMatch::Tag((!is_weak).then(|| tag.to_owned())))
}

fn malformed() -> Problem {
    Problem::malformed_request("If-Match must be a single entity tag from an ETag header, or *.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn parsed(headers: &[(HeaderName, &str)]) -> Result<Precondition, &'static str> {
        let request = headers.iter().fold(TestRequest::default(), |request, header| {
            request.append_header(header.clone())
        });
        role_precondition(request.to_http_request().headers()).map_err(|problem| problem.code())
    }

    #[test]
    fn if_match_is_one_tag_or_a_star() {
        let never = Ok(Precondition::At(Revision::NEVER));
        for (value, expected) in [
            ("*", Ok(Precondition::Existing)),
            ("\"0\"", Ok(Precondition::At(Revision(0)))),
            (" \"17\" ", Ok(Precondition::At(Revision(17)))),
            ("\"017\"", never),
            ("\"abc\"", never),
            ("\"\"", never),
            ("W/\"17\"", never),
            ("", Err("malformed_request")),
            ("17", Err("malformed_request")),
            ("\"17", Err("malformed_request")),
            ("\"", Err("malformed_request")),
            ("\"1\", \"2\"", Err("malformed_request")),
            ("w/\"17\"", Err("malformed_request")),
        ] {
            assert_eq!(parsed(&[(header::IF_MATCH, value)]), expected, "{value}");
        }
        let twice = [(header::IF_MATCH, "\"1\""), (header::IF_MATCH, "\"1\"")];
        assert_eq!(parsed(&twice), Err("malformed_request"));
    }

    #[test]
    fn if_none_match_is_a_star_and_contradicts_if_match() {
        assert_eq!(parsed(&[]), Ok(Precondition::None));
        for (value, expected) in [
            ("*", Ok(Precondition::Missing)),
            (" * ", Ok(Precondition::Missing)),
            ("\"1\"", Err("malformed_request")),
            ("", Err("malformed_request")),
        ] {
            assert_eq!(parsed(&[(header::IF_NONE_MATCH, value)]), expected, "{value}");
        }
        for if_match in ["*", "\"1\""] {
            let both = [(header::IF_MATCH, if_match), (header::IF_NONE_MATCH, "*")];
            assert_eq!(parsed(&both), Ok(Precondition::At(Revision::NEVER)), "{if_match}");
        }
    }

    #[test]
    fn a_tag_of_another_user_or_of_a_role_never_matches() {
        let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let tag = |text: String| IfMatch::Tag(Some(text));
        for (if_match, expected) in [
            (IfMatch::Absent, None),
            (IfMatch::Any, None),
            (tag(format!("{}.7", one.0)), Some(Revision(7))),
            (tag(format!("{}.7", other.0)), Some(Revision::NEVER)),
            (tag("7".to_owned()), Some(Revision::NEVER)),
            (IfMatch::Tag(None), Some(Revision::NEVER)),
        ] {
            assert_eq!(if_match.revision_of(one), expected, "{if_match:?}");
        }
    }
}
