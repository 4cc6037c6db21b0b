//! Fills a JSON document's places: a text that is `{{name}}` and nothing else becomes the value of that name.

use std::collections::BTreeMap;

use serde_json::Value;

/// Values by name.
pub type Values = BTreeMap<&'static str, Value>;

/// The document with its places filled. A value of `null` or an empty list takes its key away, and an object that was left without any
/// key goes too. `Err` says in words what is wrong with the template.
pub fn fill(text: &str, values: &Values) -> Result<Value, String> {
    let template: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut unknown = Vec::new();
    let filled = filled(template, values, &mut unknown);
    match unknown.is_empty() {
        true => Ok(filled.unwrap_or(Value::Null)),
        false => Err(format!(
            "there is nothing called {}; there is {}",
            unknown.join(", "),
            values.keys().copied().collect::<Vec<_>>().join(", ")
        )),
    }
}

fn filled(value: Value, values: &Values, unknown: &mut Vec<String>) -> Option<Value> {
    match value {
        Value::String(text) => {
            let name = text
                .strip_prefix("{{")
                .and_then(|rest| rest.strip_suffix("}}"));
            let Some(name) = name else {
                return Some(Value::String(text));
            };
            match values.get(name.trim()) {
                None => {
                    unknown.push(name.trim().to_owned());
                    None
                }
                Some(Value::Null) => None,
                Some(Value::Array(list)) if list.is_empty() => None,
                Some(value) => Some(value.clone()),
            }
        }
        Value::Array(list) => Some(Value::Array(
            list.into_iter()
                .filter_map(|one| filled(one, values, unknown))
                .collect(),
        )),
        Value::Object(fields) => {
            let had_any = !fields.is_empty();
            let fields: serde_json::Map<_, _> = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, filled(value, values, unknown)?)))
                .collect();
            (!had_any || !fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn places_are_filled_and_empty_ones_go() {
        let values: Values = [
            ("a", json!("x\"y")),
            ("list", json!(["1", "2"])),
            ("none", json!([])),
            ("null", Value::Null),
            ("no", json!(false)),
        ]
        .into();
        let text = r#"{"A": "{{a}}", "L": "{{ list }}", "N": "{{none}}", "O": {"P": "{{null}}"}, "B": "{{no}}", "C": "a {{a}}"}"#;
        assert_eq!(
            fill(text, &values),
            Ok(json!({"A": "x\"y", "L": ["1", "2"], "B": false, "C": "a {{a}}"}))
        );
    }

    #[test]
    fn what_is_not_known_is_named_with_what_there_is() {
        let values: Values = [("topics", json!(["a"]))].into();
        let why = fill(r#"{"A": "{{topicz}}"}"#, &values).expect_err("no such name");
        assert!(
            why.contains("topicz") && why.contains("there is topics"),
            "{why}"
        );
        assert!(fill("{", &values).is_err());
    }
}
