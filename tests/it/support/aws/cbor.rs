//! CBOR as AWS's rpc-v2 protocol uses it: read as it comes, written as a shape says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};

use super::model::{Kind, Service};

/// Reads one value, which has to be all there is. A time becomes its number, bytes their base64.
pub fn read(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { bytes };
    let value = reader.value(0)?;
    reader.bytes.is_empty().then_some(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

const BREAK: u8 = 0xff;

/// A number or a length.
#[derive(Clone, Copy)]
enum Argument {
    Number(u64),
    /// Not said: what follows has an end of its own.
    Open,
}

impl Argument {
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Open => None,
        }
    }
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    /// The number behind a first byte.
    fn argument(&mut self, first: u8) -> Option<Argument> {
        let length = match first & 0x1f {
            small @ 0..=23 => return Some(Argument::Number(u64::from(small))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 => return Some(Argument::Open),
            _ => return None,
        };
        let bytes = self.take(length)?;
        let number = bytes
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte));
        Some(Argument::Number(number))
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > 32 {
            return None;
        }
        let first = *self.take(1)?.first()?;
        let major = first >> 5;
        if major == 7 {
            return self.simple(first);
        }
        let argument = self.argument(first)?;
        Some(match major {
            0 => Value::from(argument.number()?),
            1 => Value::from(-1 - i64::try_from(argument.number()?).ok()?),
            2 => Value::from(STANDARD.encode(self.string(argument, 2)?)),
            3 => Value::from(String::from_utf8(self.string(argument, 3)?).ok()?),
            4 => {
                let mut items = Vec::new();
                while self.goes_on(argument, items.len()) {
                    items.push(self.value(depth + 1)?);
                }
                Value::from(items)
            }
            5 => {
                let mut entries = Map::new();
                let mut count = 0;
                while self.goes_on(argument, count) {
                    let key = self.value(depth + 1)?;
                    entries.insert(key.as_str()?.to_owned(), self.value(depth + 1)?);
                    count += 1;
                }
                Value::from(entries)
            }
            // A tag; that of a time stands before its number.
            _ => self.value(depth + 1)?,
        })
    }

    /// Is there another item? Takes the end of those whose number was not said.
    fn goes_on(&mut self, count: Argument, so_far: usize) -> bool {
        match count {
            Argument::Number(count) => (so_far as u64) < count,
            Argument::Open if self.bytes.first() == Some(&BREAK) => {
                self.bytes = &self.bytes[1..];
                false
            }
            Argument::Open => true,
        }
    }

    fn string(&mut self, length: Argument, major: u8) -> Option<Vec<u8>> {
        if let Argument::Number(length) = length {
            return Some(self.take(usize::try_from(length).ok()?)?.to_vec());
        }
        let mut all = Vec::new();
        while self.goes_on(Argument::Open, 0) {
            let first = *self.take(1)?.first()?;
            let part = (first >> 5 == major).then(|| self.argument(first))??;
            let length = usize::try_from(part.number()?).ok()?;
            all.extend_from_slice(self.take(length)?);
        }
        Some(all)
    }

    fn simple(&mut self, first: u8) -> Option<Value> {
        Some(match first {
            0xf4 => Value::from(false),
            0xf5 => Value::from(true),
            0xf6 | 0xf7 => Value::Null,
            0xfa => Value::from(f32::from_be_bytes(self.take(4)?.try_into().ok()?)),
            0xfb => Value::from(f64::from_be_bytes(self.take(8)?.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// Writes a value that fits the shape called `name`.
pub fn write(service: &Service, name: &str, value: &Value, into: &mut Vec<u8>) {
    let shape = service.shape(name);
    match (shape.kind, value) {
        (Kind::Structure, Value::Object(object)) => {
            head(5, object.len(), into);
            for (key, value) in object {
                text(key, into);
                let member = shape.members.iter().find(|(n, m)| m.wire(n) == key);
                let (_, member) = member.expect("it fits the shape");
                write(service, &member.shape, value, into);
            }
        }
        (Kind::List, Value::Array(items)) => {
            head(4, items.len(), into);
            let member = shape.member.as_ref().expect("lists have a member");
            for item in items {
                write(service, &member.shape, item, into);
            }
        }
        (Kind::Timestamp, value) => {
            into.push(0xc1);
            double(value.as_f64().unwrap_or_default(), into);
        }
        (Kind::Double, value) => double(value.as_f64().unwrap_or_default(), into),
        (_, Value::String(string)) => text(string, into),
        (_, Value::Bool(truth)) => into.push(0xf4 + u8::from(*truth)),
        (_, value) => match value.as_i64().unwrap_or_default() {
            number @ 0.. => head(0, usize::try_from(number).unwrap_or(usize::MAX), into),
            number => head(1, usize::try_from(-1 - number).unwrap_or(usize::MAX), into),
        },
    }
}

/// The map of an error.
pub fn error(code: &str, message: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    head(5, 2, &mut bytes);
    for (key, value) in [("__type", code), ("message", message)] {
        text(key, &mut bytes);
        text(value, &mut bytes);
    }
    bytes
}

fn text(text: &str, into: &mut Vec<u8>) {
    head(3, text.len(), into);
    into.extend_from_slice(text.as_bytes());
}

fn double(number: f64, into: &mut Vec<u8>) {
    into.push(0xfb);
    into.extend_from_slice(&number.to_be_bytes());
}

fn head(major: u8, argument: usize, into: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..24 => into.push(major | u8::try_from(argument).expect("below 24")),
        24..=0xff => into.extend([major | 24, u8::try_from(argument).expect("one byte")]),
        0x100..=0xffff => {
            into.push(major | 25);
            into.extend(u16::try_from(argument).expect("two bytes").to_be_bytes());
        }
        _ => {
            into.push(major | 27);
            into.extend((argument as u64).to_be_bytes());
        }
    }
}
