//! Files in the repository match the output of the program.

use crate::server::Place;
use serde_json::Value;
use std::fs;

#[test]
fn every_setting_of_the_example_is_a_default() {
    let place = Place::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.example");
    let bare = place.command_succeeds(&["config", "check", "--json"], "");
    fs::copy(example, place.path().join(".env")).expect("the file can be copied");
    let copied = place.command_succeeds(&["config", "check", "--json"], "");
    let values = |printed: &str| -> Vec<(Value, Value)> {
        let settings: Vec<Value> = serde_json::from_str(printed).expect("the output is a JSON array");
        let pair = |setting: &Value| (setting["name"].clone(), setting["value"].clone());
        settings.iter().map(pair).collect()
    };
    assert_eq!(values(&bare), values(&copied));
}

#[test]
fn the_openapi_document_is_the_one_in_the_repository() {
    let printed = Place::new().command_succeeds(&["openapi"], "");
    let kept = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json"));
    assert!(
        printed == kept.expect("the file can be read"),
        "docs/openapi.json is old: run `make openapi`"
    );
}
