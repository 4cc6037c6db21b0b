//! Holds a value against a shape of AWS's models: keys, types, enumerations, patterns, lengths and ranges.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, OnceLock},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use regex_lite::Regex;
use serde_json::Value;

use super::model::{Kind, Service, Shape};

/// What does not fit, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// From the input's root, as `kafkaClusters[0].vpcConfig.subnetIds`.
    pub path: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Unknown,
    Missing,
    Type(&'static str),
    Enum(Vec<String>),
    Pattern(String),
    TooShort(i64),
    TooLong(i64),
    TooSmall(i64),
    TooLarge(i64),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.why {
            Why::Unknown => write!(f, "no such parameter"),
            Why::Missing => write!(f, "is required"),
            Why::Type(wanted) => write!(f, "has to be of type {wanted}"),
            Why::Enum(values) => write!(f, "has to be one of {}", values.join(", ")),
            Why::Pattern(pattern) => write!(f, "has to match {pattern}"),
            Why::TooShort(min) => write!(f, "has to be {min} long at least"),
            Why::TooLong(max) => write!(f, "has to be {max} long at most"),
            Why::TooSmall(min) => write!(f, "has to be {min} at least"),
            Why::TooLarge(max) => write!(f, "has to be {max} at most"),
        }
    }
}

impl Misfit {
    /// The parameter's own name: the last key of the path.
    pub fn parameter(&self) -> &str {
        let last = self.path.rsplit('.').next().unwrap_or_default();
        last.split('[').next().unwrap_or_default()
    }
}

/// Everything about `value` that does not fit the shape called `name`.
pub fn misfits(service: &Service, name: &str, value: &Value) -> Vec<Misfit> {
    let mut check = Check {
        service,
        found: Vec::new(),
    };
    check.value(name, value, "");
    check.found
}

struct Check<'a> {
    service: &'a Service,
    found: Vec<Misfit>,
}

impl Check<'_> {
    fn add(&mut self, path: &str, why: Why) {
        self.found.push(Misfit {
            path: path.to_owned(),
            why,
        });
    }

    fn value(&mut self, name: &str, value: &Value, path: &str) {
        let shape = self.service.shape(name);
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(_)) => self.structure(shape, value, path),
            (Kind::List, Value::Array(items)) => {
                self.length(shape, items.len(), path);
                let member = shape.member.as_ref().expect("lists have a member");
                for (at, item) in items.iter().enumerate() {
                    self.value(&member.shape, item, &format!("{path}[{at}]"));
                }
            }
            (Kind::Map, Value::Object(entries)) => {
                let (of_keys, of_values) = (
                    &shape.key.as_ref().expect("maps have a key").shape,
                    &shape.value.as_ref().expect("maps have a value").shape,
                );
                for (key, value) in entries {
                    let path = format!("{path}.{key}");
                    self.value(of_keys, &Value::from(key.as_str()), &path);
                    self.value(of_values, value, &path);
                }
            }
            (Kind::String, Value::String(text)) => self.string(shape, text, path),
            (Kind::Blob, Value::String(text)) => match STANDARD.decode(text) {
                Ok(bytes) => self.length(shape, bytes.len(), path),
                Err(_) => self.add(path, Why::Type("blob")),
            },
            (Kind::Boolean, Value::Bool(_)) => {}
            (Kind::Integer | Kind::Long, Value::Number(number)) => match number.as_i64() {
                Some(number) if shape.kind == Kind::Long || i32::try_from(number).is_ok() => {
                    self.range(shape, number, path);
                }
                _ => self.add(path, Why::Type("integer")),
            },
            (Kind::Double, Value::Number(_)) => {}
            (Kind::Timestamp, Value::Number(_)) if shape.timestamp_format.is_none() => {}
            (Kind::Timestamp, Value::String(text))
                if shape.timestamp_format.as_deref() == Some("iso8601")
                    && text.ends_with('Z')
                    && text.len() > 18 => {}
            (kind, _) => self.add(path, Why::Type(word(kind))),
        }
    }

    fn structure(&mut self, shape: &Shape, value: &Value, path: &str) {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        for (name, member) in &shape.members {
            let wire = member.wire(name);
            match value.get(wire) {
                None | Some(Value::Null) => {
                    if shape.required.contains(name) {
                        self.add(&below(wire), Why::Missing);
                    }
                }
                Some(value) => self.value(&member.shape, value, &below(wire)),
            }
        }
        let known = |key: &str| shape.members.iter().any(|(n, m)| m.wire(n) == key);
        for key in value
            .as_object()
            .into_iter()
            .flat_map(|object| object.keys())
        {
            if !known(key) {
                self.add(&below(key), Why::Unknown);
            }
        }
    }

    fn string(&mut self, shape: &Shape, text: &str, path: &str) {
        if !shape.values.is_empty() && !shape.values.iter().any(|value| value == text) {
            self.add(path, Why::Enum(shape.values.clone()));
        }
        self.length(shape, text.chars().count(), path);
        if let Some(pattern) = &shape.pattern
            && !matches_whole(pattern, text)
        {
            self.add(path, Why::Pattern(pattern.clone()));
        }
    }

    fn length(&mut self, shape: &Shape, length: usize, path: &str) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        match (shape.min, shape.max) {
            (Some(min), _) if length < min => self.add(path, Why::TooShort(min)),
            (_, Some(max)) if length > max => self.add(path, Why::TooLong(max)),
            _ => {}
        }
    }

    fn range(&mut self, shape: &Shape, number: i64, path: &str) {
        match (shape.min, shape.max) {
            (Some(min), _) if number < min => self.add(path, Why::TooSmall(min)),
            (_, Some(max)) if number > max => self.add(path, Why::TooLarge(max)),
            _ => {}
        }
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Structure => "structure",
        Kind::List => "list",
        Kind::Map => "map",
        Kind::String => "string",
        Kind::Blob => "blob",
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::Timestamp => "timestamp",
    }
}

/// Does the whole text match? Every pattern is compiled once.
pub fn matches_whole(pattern: &str, text: &str) -> bool {
    static COMPILED: OnceLock<Mutex<HashMap<String, Regex>>> = OnceLock::new();
    let mut compiled = COMPILED
        .get_or_init(Mutex::default)
        .lock()
        .expect("nobody panics with this lock");
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| {
        Regex::new(&format!("^(?:{pattern})$"))
            .unwrap_or_else(|error| panic!("a model's pattern {pattern:?}: {error}"))
    });
    regex.is_match(text)
}

/// The same without the keys whose value is null: absent, as the wire has it.
pub fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
