//! A validator for the part of JSON Schema that the recorded schemas use; it refuses a schema with any other word, so
//! that nothing is passed over in silence.

use serde_json::Value;

/// What does not fit, with its place; empty when everything does.
pub(crate) fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    let mut complaints = Vec::new();
    check(schema, schema, value, "$", &mut complaints);
    complaints
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, out: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return out.push(format!("{at}: nothing is allowed here")),
        Value::Object(schema) => schema,
        _ => panic!("{at}: no schema"),
    };
    for (word, rule) in schema {
        match word.as_str() {
            "$schema" | "title" | "$comment" | "$defs" | "description" | "format" | "default" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, at, out);
            }
            "type" => {
                let fits = match rule {
                    Value::String(name) => is(value, name),
                    names => names
                        .as_array()
                        .unwrap()
                        .iter()
                        .any(|name| is(value, name.as_str().unwrap())),
                };
                if !fits {
                    out.push(format!("{at}: {value} is not of type {rule}"));
                }
            }
            "enum" => {
                if !rule.as_array().unwrap().contains(value) {
                    out.push(format!("{at}: {value} is none of {rule}"));
                }
            }
            "const" => {
                if rule != value {
                    out.push(format!("{at}: {value} is not {rule}"));
                }
            }
            "required" => {
                for key in rule.as_array().unwrap() {
                    if value.is_object() && value.get(key.as_str().unwrap()).is_none() {
                        out.push(format!("{at}: {key} is missing"));
                    }
                }
            }
            "properties" => {
                for (key, rule) in rule.as_object().unwrap() {
                    if let Some(value) = value.get(key) {
                        check(root, rule, value, &format!("{at}.{key}"), out);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if !known.is_some_and(|known| known.contains_key(key)) {
                        check(root, rule, value, &format!("{at}.{key}"), out);
                    }
                }
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{at}[{index}]"), out);
                }
            }
            "anyOf" => {
                let fits = rule.as_array().unwrap().iter().any(|rule| {
                    let mut inner = Vec::new();
                    check(root, rule, value, at, &mut inner);
                    inner.is_empty()
                });
                if !fits {
                    out.push(format!("{at}: {value} fits none of {rule}"));
                }
            }
            "oneOf" => {
                let fits = rule.as_array().unwrap().iter().filter(|rule| {
                    let mut inner = Vec::new();
                    check(root, rule, value, at, &mut inner);
                    inner.is_empty()
                });
                if fits.count() != 1 {
                    out.push(format!("{at}: {value} fits not just one of {rule}"));
                }
            }
            "maxLength" => {
                let length = value.as_str().map(|text| text.chars().count() as u64);
                if length.is_some_and(|length| length > rule.as_u64().unwrap()) {
                    out.push(format!("{at}: longer than {rule}"));
                }
            }
            "minItems" => {
                if value
                    .as_array()
                    .is_some_and(|items| (items.len() as u64) < rule.as_u64().unwrap())
                {
                    out.push(format!("{at}: fewer than {rule} items"));
                }
            }
            "maxItems" => {
                if value
                    .as_array()
                    .is_some_and(|items| items.len() as u64 > rule.as_u64().unwrap())
                {
                    out.push(format!("{at}: more than {rule} items"));
                }
            }
            other => panic!("the schema uses {other}, which is not checked"),
        }
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}
