//! Refuses what an operation does not declare.
//!
//! To ignore an unknown query parameter would do what the client meant to prevent: `dry_rum=true`
//! would make the change. The `#[utoipa::path]` of a handler therefore decides, for every endpoint.

use crate::{
    field_errors::{duplicate_parameter, unknown_parameter},
    problem::Problem,
};
use actix_web::dev::RequestHead;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};

/// Maximum number of parameters that a problem lists.
const MAX_ERRORS: usize = 16;

/// What requests of an operation may contain besides a body.
#[derive(Clone, Debug)]
pub struct Declared {
    query_parameters: Vec<String>,
}

impl Declared {
    /// Returns what the parameters of `operation` declare.
    pub fn of(operation: &Operation) -> Self {
        let parameters = operation.parameters.iter().flatten();
        let is_query = |parameter: &&Parameter| parameter.parameter_in == ParameterIn::Query;
        Self {
            query_parameters: parameters
                .filter(is_query)
                .map(|parameter| parameter.name.clone())
                .collect(),
        }
    }

    /// Refuses a request with undeclared or repeated query parameters.
    pub fn check(&self, head: &RequestHead) -> Result<(), Problem> {
        match head.uri.query() {
            None => Ok(()),
            Some(query) => self.check_query(query),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeclared_and_repeated_parameters_are_listed() {
        let declared = Declared {
            query_parameters: vec!["dry_run".to_owned(), "q".to_owned()],
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
                .map(|error| (error["field"].as_str().expect("text"), error["code"].as_str().expect("text")))
                .collect();
            assert_eq!(errors, expected, "{query}");
        }
    }

    #[test]
    fn the_list_of_errors_is_bounded() {
        let declared = Declared {
            query_parameters: Vec::new(),
        };
        let refused = declared.check_query(&"x&".repeat(10_000)).expect_err("unknown parameters");
        let body = serde_json::to_value(refused.body(None)).expect("a body");
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(MAX_ERRORS));
    }
}
