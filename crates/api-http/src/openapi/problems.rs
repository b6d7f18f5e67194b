//! The problems of each operation.

use crate::problem::{Code, documented::UndeclaredRefused, examples::Context};
use domain::role::Permission;
use std::collections::BTreeMap;
use utoipa::{
    IntoResponses,
    openapi::{Content, Ref, RefOr, Response, example::ExampleBuilder, path::Operation},
};

/// The media type of problems (RFC 9457, section 3).
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The name of the response for every status that is not listed.
const DEFAULT: &str = "default";

/// Adds the problems that every operation has, and an example of each problem.
pub fn complete(operation: &mut Operation) {
    let has_body = operation.request_body.is_some();
    let responses = &mut operation.responses.responses;
    for (status, refused) in UndeclaredRefused::responses().into_iter().chain(other()) {
        responses.entry(status).or_insert(refused);
    }
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            add_examples(response, has_body);
        }
    }
}

/// Returns the response for problems that no operation lists.
pub fn other() -> BTreeMap<String, RefOr<Response>> {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let problem = Response::builder()
        .description("Any other problem, such as `internal` or `request_timeout`.")
        .content(MEDIA_TYPE, content)
        .build();
    BTreeMap::from([(DEFAULT.to_owned(), problem.into())])
}

/// Adds an example of each problem whose code the description of `response` names. Their names are
/// the codes, by which readers select them.
pub fn add_examples(response: &mut Response, has_body: bool) {
    let context = Context {
        has_body,
        permission: quoted(&response.description).find_map(|text| Permission::parse(text).ok()),
    };
    let codes = named_codes(&response.description);
    let Some(RefOr::T(problem)) = response.content.get_mut(MEDIA_TYPE) else {
        return;
    };
    for code in codes {
        let shown = ExampleBuilder::new().value(Some(context.example_body(code)));
        problem
            .examples
            .insert(code.as_str().to_owned(), shown.build().into());
    }
}

/// Returns the codes that `description` names in backticks.
fn named_codes(description: &str) -> Vec<Code> {
    quoted(description).filter_map(|name| name.parse().ok()).collect()
}

/// Returns the texts in backticks.
fn quoted(description: &str) -> impl Iterator<Item = &str> {
    description.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        openapi::{operations, typed},
        problem::examples::example,
    };
    use std::collections::BTreeSet;
    use strum::VariantArray;

    /// Returns status and codes of every response with a problem.
    fn documented() -> Vec<(String, Vec<Code>)> {
        let mut document = typed();
        let operations = document.paths.paths.values_mut().flat_map(operations);
        let responses = operations.flat_map(|operation| std::mem::take(&mut operation.responses.responses));
        let problems = responses.filter_map(|(status, response)| match response {
            RefOr::T(response) if response.content.contains_key(MEDIA_TYPE) => {
                Some((status, named_codes(&response.description)))
            }
            _ => None,
        });
        problems.collect()
    }

    #[test]
    fn every_problem_is_documented_by_its_codes_which_have_its_status() {
        for (status, codes) in documented() {
            assert!(!codes.is_empty(), "a {status} names no code");
            for code in codes.iter().filter(|_| status != DEFAULT) {
                assert_eq!(example(*code).status().as_str(), status, "{}", code.as_str());
            }
        }
    }

    #[test]
    fn every_code_of_a_route_is_documented() {
        let documented: BTreeSet<_> = documented()
            .into_iter()
            .flat_map(|(_, codes)| codes)
            .map(Code::as_str)
            .collect();
        let missing: Vec<_> = Code::VARIANTS
            .iter()
            .map(|code| code.as_str())
            .filter(|code| !documented.contains(code))
            .collect();
        // They are for preflights and for methods without an operation.
        let of_no_operation = [
            "cors_headers_refused",
            "cors_method_refused",
            "cors_origin_refused",
            "method_not_allowed",
        ];
        assert_eq!(missing, of_no_operation);
    }
}
