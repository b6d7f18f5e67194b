use super::output;
use crate::{Failure, cli::OpenapiVersion, openapi_3_0::openapi_3_0};

/// Prints the OpenAPI document in `version`.
pub fn run(version: OpenapiVersion) -> Result<(), Failure> {
    let document = api_http::openapi();
    output::json(&match version {
        OpenapiVersion::V3_1 => document,
        OpenapiVersion::V3_0 => openapi_3_0(document),
    })
}
