use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{Object, RefOr, Schema, schema::Type},
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Validate the request and return what would change, without changing anything.
    #[serde(default)]
    #[param(default = false, required = false)]
    pub dry_run: bool,
}

/// The constant `true`, by which clients recognise the result of a dry run.
pub struct DryRunMark;

impl Serialize for DryRunMark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl PartialSchema for DryRunMark {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(Type::Boolean)
            .enum_values(Some([true]))
            .description(Some("Always true."))
            .into()
    }
}

impl ToSchema for DryRunMark {}
