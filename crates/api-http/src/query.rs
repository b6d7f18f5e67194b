//! Query parameters, rejected by name.
//!
//! The names are checked before the handler is called, by [`declared`](crate::declared).

use crate::{field_errors::field_problem, problem::Problem};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IntoDeserializer},
};
use std::future::{Ready, ready};

/// The query parameters of the type that the route accepts.
pub struct QueryParameters<T>(pub T);

impl<T: DeserializeOwned> FromRequest for QueryParameters<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| Problem::validation_failed(vec![field_problem(&error)]))
}

/// Deserialises a filter for `#[serde(deserialize_with)]`. An empty one, which forms send for a
/// field that was left blank, counts as absent.
pub fn filter<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    T::deserialize(text.into_deserializer()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "filter")]
        q: Option<String>,
        #[serde(deserialize_with = "filter")]
        user: Option<Uuid>,
        #[serde(deserialize_with = "filter")]
        kind: Option<Kind>,
        limit: Option<u32>,
        dry_run: bool,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
    }

    #[test]
    fn filters_are_parsed_and_empty_ones_are_absent() {
        let parsed = |query| parse::<Sample>(query).map_err(|problem| problem.code());
        for query in ["", "q=", "q=&user=&kind=", "q"] {
            assert_eq!(parsed(query), Ok(Sample::default()), "{query}");
        }
        let expected = Sample {
            q: Some("a b&c".to_owned()),
            user: Some(Uuid::nil()),
            kind: Some(Kind::One),
            limit: Some(7),
            dry_run: true,
        };
        let query = "q=a+b%26c&user=00000000-0000-0000-0000-000000000000&kind=one&limit=7&dry_run=true";
        assert_eq!(parsed(query), Ok(expected));
    }

    /// An empty flag must not turn a dry run into a change.
    #[test]
    fn a_wrong_value_is_rejected_by_the_name_of_its_parameter() {
        for (query, field) in [
            ("dry_run=", "dry_run"),
            ("dry_run", "dry_run"),
            ("dry_run=1", "dry_run"),
            ("q=x&limit=", "limit"),
            ("limit=-1", "limit"),
            ("user=7", "user"),
            ("kind=two", "kind"),
        ] {
            let problem = parse::<Sample>(query).expect_err("a wrong value");
            let body = serde_json::to_value(problem.body(None)).expect("a body");
            let error = &body["errors"][0];
            assert_eq!(
                (&error["field"], &error["code"]),
                (&field.into(), &"wrong_type".into()),
                "{query}"
            );
        }
    }
}
