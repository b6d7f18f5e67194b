//! Refuses what an operation does not declare.
//!
//! To ignore an unknown query parameter or a precondition would do what the client meant to
//! prevent: `dry_rum=true` would make the change, and so would `If-Match` on an operation without
//! tags. The `#[utoipa::path]` of a handler therefore decides, for every endpoint.

use crate::{
    field_errors::{duplicate_parameter, unknown_parameter},
    problem::Problem,
};
use actix_web::{
    dev::RequestHead,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName},
    },
};
use utoipa::openapi::{
    RefOr,
    path::{Operation, Parameter, ParameterIn},
};

/// Maximum number of parameters that a problem lists.
const MAX_ERRORS: usize = 16;

/// The headers that make a request conditional on the state of its target. `If-Modified-Since` is
/// not one of them: without a `Last-Modified` it must be ignored (RFC 9110, section 13.1.3).
static PRECONDITIONS: [HeaderName; 3] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_UNMODIFIED_SINCE,
];

/// What requests of an operation may contain besides a body.
#[derive(Clone, Debug)]
pub struct Declared {
    query_parameters: Vec<String>,
    headers: Vec<String>,
}

impl Declared {
    /// Returns what the parameters of `operation` declare.
    pub fn of(operation: &Operation) -> Self {
        let names = |place| {
            let parameters = operation.parameters.iter().flatten().filter_map(inline);
            let in_place = parameters.filter(move |parameter| parameter.parameter_in == place);
            in_place.map(|parameter| parameter.name.clone()).collect()
        };
        Self {
            query_parameters: names(ParameterIn::Query),
            headers: names(ParameterIn::Header),
        }
    }

    /// Refuses a request with undeclared or repeated query parameters, or with a precondition that
    /// the operation does not evaluate.
    pub fn check(&self, head: &RequestHead) -> Result<(), Problem> {
        if let Some(query) = head.uri.query() {
            self.check_query(query)?;
        }
        self.check_preconditions(&head.method, head.headers())
    }

    fn check_preconditions(&self, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
        for name in PRECONDITIONS.iter().filter(|name| headers.contains_key(*name)) {
            // A client that reads may name tags that it has cached, even if there is none.
            let is_harmless = name == header::IF_NONE_MATCH && matches!(*method, Method::GET | Method::HEAD);
            let is_declared = self.headers.iter().any(|declared| name == declared.as_str());
            if !is_harmless && !is_declared {
                return Err(Problem::precondition_unsupported(name));
            }
        }
        Ok(())
    }

    fn check_query(&self, query: &str) -> Result<(), Problem> {
        let mut errors = Vec::new();
        let mut seen = Vec::new();
        for (name, _) in form_urlencoded::parse(query.as_bytes()) {
            if !self.query_parameters.iter().any(|declared| *declared == name) {
                errors.push(unknown_parameter(&name));
            } else if seen.contains(&name) {
                errors.push(duplicate_parameter(&name));
            } else {
                seen.push(name);
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            errors.truncate(MAX_ERRORS);
            Err(Problem::validation_failed(errors))
        }
    }
}

/// Returns a parameter that is described where it is used, as utoipa describes all.
fn inline(parameter: &RefOr<Parameter>) -> Option<&Parameter> {
    match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_and_repeated_parameters_are_listed() {
        let declared = Declared {
            query_parameters: vec!["dry_run".to_owned(), "q".to_owned()],
            headers: Vec::new(),
        };
        for (query, expected) in [
            ("", &[][..]),
            ("&", &[]),
            ("dry_run=true&q=a", &[]),
            ("dry%5frun=true", &[]),
            ("dry_rum=true", &[("dry_rum", "unknown_field")]),
            ("Q=a", &[("Q", "unknown_field")]),
            ("a&b=1&q=", &[("a", "unknown_field"), ("b", "unknown_field")]),
            ("=1", &[("", "unknown_field")]),
            ("q=a&q=a", &[("q", "duplicate_field")]),
            ("%ff=1", &[("\u{fffd}", "unknown_field")]),
        ] {
            let refused = declared.check_query(query).err();
            let body = refused.map(|problem| serde_json::to_value(problem.body(None)).expect("a body"));
            let errors = body.map(|body| body["errors"].as_array().cloned().expect("errors"));
            let errors: Vec<_> = errors
                .iter()
                .flatten()
                .map(|error| {
                    (
                        error["field"].as_str().expect("text"),
                        error["code"].as_str().expect("text"),
                    )
                })
                .collect();
            assert_eq!(errors, expected, "{query}");
        }
    }

    #[test]
    fn the_list_of_errors_is_bounded() {
        let declared = Declared {
            query_parameters: Vec::new(),
            headers: Vec::new(),
        };
        let refused = declared
            .check_query(&"x&".repeat(10_000))
            .expect_err("unknown parameters");
        let body = serde_json::to_value(refused.body(None)).expect("a body");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(MAX_ERRORS));
    }

    #[test]
    fn undeclared_preconditions_are_refused() {
        let declares = |names: &[&str]| Declared {
            query_parameters: Vec::new(),
            headers: names.iter().map(|&name| name.to_owned()).collect(),
        };
        for (method, sent, declared, accepted) in [
            (Method::PUT, header::IF_MATCH, &["If-Match"][..], true),
            (Method::PUT, header::IF_MATCH, &[], false),
            (Method::PUT, header::IF_NONE_MATCH, &["If-Match"], false),
            (Method::PUT, header::IF_NONE_MATCH, &["If-None-Match"], true),
            (Method::DELETE, header::IF_UNMODIFIED_SINCE, &["If-Match"], false),
            (Method::GET, header::IF_MATCH, &[], false),
            (Method::GET, header::IF_UNMODIFIED_SINCE, &[], false),
            (Method::GET, header::IF_NONE_MATCH, &[], true),
            (Method::HEAD, header::IF_NONE_MATCH, &[], true),
            (Method::GET, header::IF_MODIFIED_SINCE, &[], true),
            (Method::PUT, header::IF_MODIFIED_SINCE, &[], true),
        ] {
            let what = format!("{method} {sent} {declared:?}");
            let mut headers = HeaderMap::new();
            headers.insert(sent, header::HeaderValue::from_static("\"1\""));
            let checked = declares(declared).check_preconditions(&method, &headers);
            let code = checked.err().map(|problem| problem.code());
            assert_eq!(code, (!accepted).then_some("precondition_unsupported"), "{what}");
        }
    }
}
