//! What serde rejects in a body or a query, as problems with fields.

use crate::problem::{FieldCode, FieldProblem, shortened};
use std::error::Error;

/// Returns serde's message about a field without the value that it found, which may be a password.
pub fn field_problem(error: &serde_path_to_error::Error<impl Error>) -> FieldProblem {
    let message = error.inner().to_string();
    let (code, detail) = if message.starts_with("missing field") {
        (FieldCode::MissingField, "this field is required")
    } else if message.starts_with("unknown field") {
        (FieldCode::UnknownField, "unknown field")
    } else if message.starts_with("duplicate field") {
        (FieldCode::DuplicateField, "duplicate field")
    } else {
        return wrong_type(&error.path().to_string());
    };
    problem(message.split('`').nth(1).unwrap_or_default(), code, detail)
}

/// The problem of a field whose value has the wrong type.
pub fn wrong_type(path: &str) -> FieldProblem {
    problem(path, FieldCode::WrongType, "wrong type")
}

/// The problem of a query parameter that the operation does not have.
pub fn unknown_parameter(name: &str) -> FieldProblem {
    problem(name, FieldCode::UnknownField, "unknown query parameter")
}

/// The problem of a query parameter that was sent more than once.
pub fn duplicate_parameter(name: &str) -> FieldProblem {
    problem(name, FieldCode::DuplicateField, "duplicate query parameter")
}

/// `field` may be text from the client.
fn problem(field: &str, code: FieldCode, detail: &str) -> FieldProblem {
    FieldProblem {
        field: shortened(field),
        code,
        detail: detail.to_owned(),
    }
}
