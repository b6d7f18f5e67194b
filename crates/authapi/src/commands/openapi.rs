use super::output;
use crate::Failure;

/// Prints the OpenAPI document.
pub fn run() -> Result<(), Failure> {
    output::json(&api_http::openapi())
}
