//! The OpenAPI document in version 3.0, for tools that do not read 3.1.

use api_http::OrderedJson;
use indexmap::IndexMap;
use serde_json::json;

/// The URL in place of the SPDX expression, which 3.0 does not have.
const LICENCES: &str = "https://spdx.org/licenses/";
/// Members whose values are data, not part of the description.
const DATA: [&str; 4] = ["default", "enum", "example", "value"];
/// Keywords that 3.0 does not have, and without which the schema accepts more values.
const DROPPED: [&str; 1] = ["propertyNames"];

type Members = IndexMap<String, OrderedJson>;

/// Converts an OpenAPI 3.1 document to 3.0.3.
#[must_use]
pub fn openapi_3_0(mut document: OrderedJson) -> OrderedJson {
    if let OrderedJson::Object(members) = &mut document {
        members.insert("openapi".to_owned(), text("3.0.3"));
    }
    convert(&mut document);
    document
}

/// Converts `value` and all below it.
fn convert(value: &mut OrderedJson) {
    match value {
        OrderedJson::Object(members) => {
            convert_members(members);
            for (name, member) in members {
                match member {
                    // Names of fields, which may equal keywords.
                    OrderedJson::Object(fields) if name == "properties" => {
                        fields.values_mut().for_each(convert);
                    }
                    _ if DATA.contains(&name.as_str()) => {}
                    member => convert(member),
                }
            }
        }
        OrderedJson::Array(items) => items.iter_mut().for_each(convert),
        OrderedJson::Scalar(_) => {}
    }
}

fn convert_members(members: &mut Members) {
    members.retain(|name, _| !DROPPED.contains(&name.as_str()));
    replace(members, "identifier", |_| ("url", text(LICENCES)));
    replace(members, "const", |value| {
        ("enum", OrderedJson::Array(vec![value]))
    });
    replace_examples(members);
    replace_null_type(members);
    replace_null_alternative(members, "oneOf");
    replace_null_alternative(members, "anyOf");
    replace_exclusive(members, "exclusiveMinimum", "minimum");
    replace_exclusive(members, "exclusiveMaximum", "maximum");
    wrap_reference(members);
}

/// Replaces the member `name`, if there is one, at its position.
fn replace(members: &mut Members, name: &str, by: impl FnOnce(OrderedJson) -> (&'static str, OrderedJson)) {
    if let Some((position, _, value)) = members.shift_remove_full(name) {
        let (name, value) = by(value);
        members.shift_insert(position, name.to_owned(), value);
    }
}

/// Replaces the list `examples` of a schema by its first entry. The `examples` of bodies are an
/// object, which 3.0 has, too.
fn replace_examples(members: &mut Members) {
    if let Some(OrderedJson::Array(examples)) = members.get_mut("examples") {
        let first = (!examples.is_empty()).then(|| examples.remove(0));
        if let Some(first) = first {
            replace(members, "examples", |_| ("example", first));
        }
    }
}

/// Replaces a type that includes null by `nullable`.
fn replace_null_type(members: &mut Members) {
    let Some(OrderedJson::Array(types)) = members.get_mut("type") else {
        return;
    };
    types.retain(|one| *one != text("null"));
    if types.len() == 1 {
        let one = types.remove(0);
        replace(members, "type", |_| ("type", one));
        members.insert("nullable".to_owned(), boolean(true));
    }
}

/// Replaces the alternative null of `keyword` by `nullable`.
fn replace_null_alternative(members: &mut Members, keyword: &str) {
    let Some(OrderedJson::Array(alternatives)) = members.get_mut(keyword) else {
        return;
    };
    let count = alternatives.len();
    alternatives.retain(|one| !is_null(one));
    if alternatives.len() == count {
        return;
    }
    if alternatives.len() == 1 {
        replace(members, keyword, |only| ("allOf", only));
    }
    members.insert("nullable".to_owned(), boolean(true));
}

/// Replaces an exclusive limit by the inclusive one with a flag.
fn replace_exclusive(members: &mut Members, exclusive: &'static str, inclusive: &'static str) {
    if let Some(OrderedJson::Scalar(limit)) = members.get(exclusive)
        && limit.is_number()
    {
        replace(members, exclusive, |limit| (inclusive, limit));
        members.insert(exclusive.to_owned(), boolean(true));
    }
}

/// Moves a reference with other members into `allOf`: 3.0 ignores the others.
fn wrap_reference(members: &mut Members) {
    if members.len() > 1 {
        replace(members, "$ref", |target| {
            let reference = Members::from([("$ref".to_owned(), target)]);
            ("allOf", OrderedJson::Array(vec![OrderedJson::Object(reference)]))
        });
    }
}

fn is_null(schema: &OrderedJson) -> bool {
    matches!(schema, OrderedJson::Object(members) if members.get("type") == Some(&text("null")))
}

fn text(text: &str) -> OrderedJson {
    OrderedJson::Scalar(text.into())
}

fn boolean(value: bool) -> OrderedJson {
    OrderedJson::Scalar(json!(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn check_converted<const N: usize>(cases: [(&str, &str); N]) {
        for (schema, expected) in cases {
            let mut converted = serde_json::from_str(schema).expect("the text is JSON");
            convert(&mut converted);
            let converted = serde_json::to_string(&converted).expect("the value is JSON");
            assert_eq!(converted, expected, "{schema}");
        }
    }

    #[test]
    fn null_becomes_nullable() {
        check_converted([
            (
                r#"{"type":["string","null"],"format":"uuid"}"#,
                r#"{"type":"string","format":"uuid","nullable":true}"#,
            ),
            (
                r##"{"oneOf":[{"$ref":"#/a"},{"type":"null"}],"description":"b"}"##,
                r##"{"allOf":[{"$ref":"#/a"}],"description":"b","nullable":true}"##,
            ),
            (
                r##"{"anyOf":[{"$ref":"#/a"},{"$ref":"#/b"},{"type":"null"}]}"##,
                r##"{"anyOf":[{"$ref":"#/a"},{"$ref":"#/b"}],"nullable":true}"##,
            ),
            (
                r##"{"oneOf":[{"$ref":"#/a"},{"$ref":"#/b"}]}"##,
                r##"{"oneOf":[{"$ref":"#/a"},{"$ref":"#/b"}]}"##,
            ),
        ]);
    }

    #[test]
    fn values_and_their_limits_are_stated_in_the_older_form() {
        check_converted([
            (
                r#"{"type":"boolean","const":true}"#,
                r#"{"type":"boolean","enum":[true]}"#,
            ),
            (
                r#"{"examples":["a","b"],"type":"string"}"#,
                r#"{"example":"a","type":"string"}"#,
            ),
            (
                r#"{"exclusiveMinimum":0,"exclusiveMaximum":9}"#,
                r#"{"minimum":0,"maximum":9,"exclusiveMinimum":true,"exclusiveMaximum":true}"#,
            ),
        ]);
    }

    #[test]
    fn a_reference_has_no_other_members() {
        check_converted([
            (
                r##"{"$ref":"#/a","description":"b"}"##,
                r##"{"allOf":[{"$ref":"#/a"}],"description":"b"}"##,
            ),
            (r##"{"$ref":"#/a"}"##, r##"{"$ref":"#/a"}"##),
        ]);
    }

    #[test]
    fn what_3_0_cannot_express_is_dropped_or_replaced() {
        check_converted([
            (r#"{"propertyNames":{"type":"string"}}"#, "{}"),
            (
                r#"{"name":"MIT","identifier":"MIT"}"#,
                r#"{"name":"MIT","url":"https://spdx.org/licenses/"}"#,
            ),
        ]);
    }

    #[test]
    fn names_of_fields_and_data_are_not_keywords() {
        check_converted([
            (
                r#"{"properties":{"const":{"const":1},"type":{"type":["integer","null"]}}}"#,
                r#"{"properties":{"const":{"enum":[1]},"type":{"type":"integer","nullable":true}}}"#,
            ),
            (
                r#"{"example":{"type":["string","null"]}}"#,
                r#"{"example":{"type":["string","null"]}}"#,
            ),
            (
                r#"{"examples":{"a":{"value":{"const":1}}}}"#,
                r#"{"examples":{"a":{"value":{"const":1}}}}"#,
            ),
        ]);
    }

    /// Keywords that only 3.1 has, whatever their value.
    const NEW: [&str; 19] = [
        "const",
        "identifier",
        "propertyNames",
        "prefixItems",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "patternProperties",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
        "unevaluatedItems",
        "contains",
        "if",
        "then",
        "else",
        "$defs",
        "$schema",
        "$id",
    ];
    /// Members of the document that only 3.1 has.
    const NEW_IN_DOCUMENTS: [&str; 3] = ["webhooks", "jsonSchemaDialect", "pathItems"];

    /// Returns whether only 3.1 has the member `name` of an object with `siblings` other members.
    fn is_only_in_3_1(name: &str, member: &Value, siblings: usize) -> bool {
        match name {
            "type" => member.is_array() || member == "null",
            "examples" => member.is_array(),
            "exclusiveMinimum" | "exclusiveMaximum" => member.is_number(),
            "$ref" => siblings > 0,
            name => NEW.contains(&name) || NEW_IN_DOCUMENTS.contains(&name),
        }
    }

    /// Collects the keywords below `value` that 3.0 does not have, each with its path.
    fn collect_only_in_3_1(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{path}/{name}");
                    if is_only_in_3_1(name, member, members.len() - 1) {
                        found.push(path.clone());
                    }
                    match member {
                        Value::Object(fields) if name == "properties" => {
                            let fields = fields.values();
                            fields.for_each(|field| collect_only_in_3_1(field, &path, found));
                        }
                        _ if DATA.contains(&name.as_str()) => {}
                        member => collect_only_in_3_1(member, &path, found),
                    }
                }
            }
            Value::Array(items) => {
                let items = items.iter();
                items.for_each(|item| collect_only_in_3_1(item, path, found));
            }
            _ => {}
        }
    }

    #[test]
    fn no_keyword_of_3_1_remains_in_the_document() {
        let of = |document: &OrderedJson| {
            let mut found = Vec::new();
            let document = serde_json::to_value(document).expect("the document is JSON");
            collect_only_in_3_1(&document, "", &mut found);
            (document["openapi"].as_str().map(str::to_owned), found)
        };
        let newer = api_http::openapi();
        let (version, found) = of(&newer);
        assert_eq!(version.as_deref(), Some("3.1.0"));
        assert!(!found.is_empty(), "the search finds what is to be converted");
        let older = openapi_3_0(newer);
        assert_eq!(of(&older), (Some("3.0.3".to_owned()), Vec::new()));
    }
}
