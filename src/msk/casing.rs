//! From the names that the AWS command line reads to those that the service takes: the first letter is lower.

use serde_json::Value;

/// The same document as it goes over the wire. The keys of `Tags` are the user's own.
pub fn wire(document: Value) -> Value {
    match document {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| match &*name {
                    "Tags" => (lowered(&name), value),
                    _ => (lowered(&name), wire(value)),
                })
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.into_iter().map(wire).collect()),
        other => other,
    }
}

fn lowered(name: &str) -> String {
    let mut letters = name.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_lowered_and_tags_are_not() {
        let document = json!({"ReplicatorName": "A", "S3": {"Bucket": "B"}, "Tags": {"Team": "X"}});
        assert_eq!(
            wire(document),
            json!({"replicatorName": "A", "s3": {"bucket": "B"}, "tags": {"Team": "X"}})
        );
    }
}
