//! Parameters and request bodies.

use utoipa::openapi::{
    ObjectBuilder, RefOr, Required, Schema,
    path::{Operation, Parameter},
    schema::{SchemaType, Type},
};

/// One entity tag or `*` (RFC 9110, section 13.1.1).
const ENTITY_TAG: &str = r#"^(\*|(W/)?"[!#-~]*")$"#;

/// States that what an operation does not require may be absent, but is never null. utoipa derives
/// null from `Option`.
pub fn complete(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter {
            complete_parameter(parameter);
        }
    }
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let is_optional = body
            .content
            .values_mut()
            .filter_map(|content| match content {
                RefOr::T(content) => content.schema.as_mut(),
                RefOr::Ref(_) => None,
            })
            .any(take_null);
        body.required = Some(if is_optional {
            Required::False
        } else {
            Required::True
        });
    }
}

fn complete_parameter(parameter: &mut Parameter) {
    if parameter.name == "If-Match" {
        let tag = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(ENTITY_TAG));
        parameter.schema = Some(tag.into());
    } else if let Some(schema) = &mut parameter.schema {
        take_null(schema);
    }
}

/// Removes null from the values of `schema`, and returns whether it was one.
fn take_null(schema: &mut RefOr<Schema>) -> bool {
    match schema {
        RefOr::T(Schema::OneOf(one_of)) => {
            let count = one_of.items.len();
            one_of.items.retain(|item| !is_null(item));
            let was_nullable = one_of.items.len() < count;
            if was_nullable && one_of.items.len() == 1 {
                *schema = one_of.items.remove(0);
            }
            was_nullable
        }
        RefOr::T(Schema::Object(object)) => take_null_type(&mut object.schema_type),
        RefOr::T(Schema::Array(array)) => take_null_type(&mut array.schema_type),
        RefOr::Ref(_) | RefOr::T(_) => false,
    }
}

fn take_null_type(types: &mut SchemaType) -> bool {
    let SchemaType::Array(several) = types else {
        return false;
    };
    let count = several.len();
    several.retain(|one| *one != Type::Null);
    let was_nullable = several.len() < count;
    if let [one] = several.as_slice() {
        *types = SchemaType::Type(one.clone());
    }
    was_nullable
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}
