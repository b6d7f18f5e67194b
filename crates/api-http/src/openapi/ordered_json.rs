//! JSON whose members keep their order, which readers of the document see.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON value. Members are in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OrderedJson {
    Object(IndexMap<String, Self>),
    Array(Vec<Self>),
    /// Text, a number, a Boolean or null.
    Scalar(Value),
}

impl OrderedJson {
    /// Returns `value` as JSON.
    pub(super) fn of(value: &impl Serialize) -> Self {
        let text = serde_json::to_string(value).expect("the OpenAPI document serializes to JSON");
        serde_json::from_str(&text).expect("serde_json reads what it writes")
    }

    /// Replaces `enum` with one value by `const`, which utoipa cannot express, here and in all
    /// values below.
    pub(super) fn replace_single_enums(&mut self) {
        match self {
            Self::Object(members) => {
                let is_single = matches!(members.get("enum"), Some(Self::Array(values)) if values.len() == 1);
                if is_single && let Some(Self::Array(mut values)) = members.shift_remove("enum") {
                    let position = members.get_index_of("type").map_or(0, |index| index + 1);
                    members.shift_insert(position, "const".to_owned(), values.remove(0));
                }
                members.values_mut().for_each(Self::replace_single_enums);
            }
            Self::Array(items) => items.iter_mut().for_each(Self::replace_single_enums),
            Self::Scalar(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_enum_with_one_value_becomes_a_constant() {
        let text = r#"{"z":[{"type":"string","enum":["a"],"description":"b"}],"a":{"enum":["a","b"]}}"#;
        let mut json: OrderedJson = serde_json::from_str(text).expect("the text is JSON");
        json.replace_single_enums();
        let replaced = serde_json::to_string(&json).expect("the value is JSON");
        let expected = r#"{"z":[{"type":"string","const":"a","description":"b"}],"a":{"enum":["a","b"]}}"#;
        assert_eq!(replaced, expected);
    }

    #[test]
    fn a_value_is_unchanged() {
        let value = json!({"a": [null, true, 1, -2, 1.5, "x"], "b": {}});
        assert_eq!(json!(OrderedJson::of(&value)), value);
    }
}
