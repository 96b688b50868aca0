//! The parsers of forms, query strings and JSON bodies, against the crates that read the same formats leniently.

#![no_main]

use libfuzzer_sys::fuzz_target;
use obol_oauth::{ErrorCode, Params};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

fuzz_target!(|bytes: &[u8]| {
    form(bytes);
    json(bytes);
    any_text_survives(bytes);
});

/// What is accepted means what every other reader of forms would take it for.
fn form(bytes: &[u8]) {
    let Ok(params) = Params::from_form(bytes) else { return };
    let pairs: Vec<_> = form_urlencoded::parse(bytes).collect();
    assert!(pairs.len() <= Params::MAX_COUNT, "{} parameters", pairs.len());
    for (at, (name, value)) in pairs.iter().enumerate() {
        assert!(pairs[..at].iter().all(|(earlier, _)| earlier != name), "{name:?} is given twice");
        let expected = Some(value.as_ref()).filter(|value| !value.is_empty());
        assert_eq!(params.optional(name).expect("a form holds texts"), expected, "{name:?}");
        assert_eq!(params.required(name).ok(), expected, "{name:?}");
    }
}

fn json(bytes: &[u8]) {
    let Ok(params) = Params::from_json(bytes) else { return };
    serde_json::from_slice::<IgnoredAny>(bytes).expect("what is accepted is JSON");
    // Refuses what is nested deeply; the parser of parameters passes over that.
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(bytes) else { return };
    assert!(object.len() <= Params::MAX_COUNT, "{} parameters", object.len());
    for (name, value) in &object {
        let found = params.optional(name);
        match text_of(value) {
            Some(text) => assert_eq!(found.expect("a text"), Some(text.as_str()).filter(|t| !t.is_empty())),
            None => assert_eq!(found.expect_err("no text").code(), ErrorCode::InvalidRequest, "{name:?}"),
        }
    }
}

/// Names and values written by the encoder of another crate read back.
fn any_text_survives(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (name, value) = text.split_at(text.floor_char_boundary(text.len() / 3));
    let form = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    let json = Value::Object(Map::from_iter([(name.to_owned(), value.into())])).to_string();
    for params in [Params::from_form(form.as_bytes()), Params::from_json(json.as_bytes())] {
        let params = params.expect("it is well formed");
        assert_eq!(params.optional(name).expect("a text").unwrap_or_default(), value);
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(value) => Some(value.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number
            .as_u64()
            .map(|number| number.to_string())
            .or_else(|| number.as_i64().map(|number| number.to_string()))
            .or_else(|| number.as_f64().map(|number| number.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    }
}
