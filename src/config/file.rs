//! The migration file as written: strict, versioned, every fault with its line and column.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use toml::de::{DeTable, DeValue};

use super::{
    fault::{self, Fault},
    fields::{self, Fallback, Field, Standing},
    value::{Kind, Refusal, Value, Written},
};

/// A value of the file and where it stands.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub value: Value,
    /// Byte offset in the file.
    pub order: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What the format says of it.
    pub field: &'static Field,
}

/// What was read: as much as could be understood, and everything that could not.
#[derive(Debug, Default)]
pub struct Document {
    /// By path, list elements numbered: `application[0].name`.
    pub entries: BTreeMap<String, Entry>,
    /// Paths that are written but refused, so that nobody calls them missing.
    pub refused: BTreeSet<String>,
    /// Everything wrong.
    pub faults: Vec<Fault>,
}

/// Reads the text of a migration file called `name` in messages.
pub fn parse(name: &str, text: &str) -> Document {
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut reading = Reading {
        name,
        text,
        document: Document::default(),
    };
    for error in errors {
        let at = error.span().unwrap_or(0..0);
        let message = error.message().lines().collect::<Vec<_>>().join(" ");
        let hint =
            "in TOML text stands in quotes, a list in brackets, and a table begins with [its name]";
        reading.fault(&at, fault::SYNTAX, message, Some(hint.to_owned()));
    }
    // What was recovered from a broken file would only produce faults that are not there.
    if reading.document.faults.is_empty() {
        reading.table(root.get_ref(), "", "");
    }
    reading.document
}

/// Why a value of a key is refused, in words, with its code and a hint.
pub fn refusal(field: &Field, refusal: Refusal) -> (&'static str, String, Option<String>) {
    match refusal {
        Refusal::Type(why) => (fault::WRONG_TYPE, why, Some(meaning(field))),
        Refusal::Value(why) => (fault::BAD_VALUE, why, Some(meaning(field))),
        Refusal::Literal => {
            let hint = "write { file = \"…\" } or { env = \"…\" } in its place".to_owned();
            (
                fault::LITERAL_SECRET,
                "a secret is never written into the file itself".to_owned(),
                Some(hint),
            )
        }
    }
    .prefixed(field)
}

fn meaning(field: &Field) -> String {
    format!("it says: {}", field.doc)
}

trait Prefixed {
    fn prefixed(self, field: &Field) -> Self;
}

impl Prefixed for (&'static str, String, Option<String>) {
    fn prefixed(self, field: &Field) -> Self {
        (
            self.0,
            format!("{}: {}", field.path.replace("[]", ""), self.1),
            self.2,
        )
    }
}

/// Is this value one that this version can honour? Otherwise what to say.
pub fn unavailable(field: &Field, value: &Value) -> Option<(String, Option<String>)> {
    let Standing::Only(allowed) = field.standing else {
        return None;
    };
    not_among(allowed, field, value)
}

/// What to say of a value that is not one of these.
pub fn not_among(
    allowed: &[&str],
    field: &Field,
    value: &Value,
) -> Option<(String, Option<String>)> {
    let written = value.to_string();
    if allowed.contains(&written.as_str()) {
        return None;
    }
    let path = field.path.replace("[]", "");
    let message = match value {
        Value::Text(_) | Value::Duration(_) => {
            format!("{path} = {written:?} is not available in this version")
        }
        _ => format!("{path} = {written} is not available in this version"),
    };
    let hint = match allowed {
        [] => "leave it out".to_owned(),
        [one] => format!("leave it out, or write {one}"),
        some => format!("it takes {}", some.join(", ")),
    };
    Some((message, Some(hint)))
}

struct Reading<'a> {
    name: &'a str,
    text: &'a str,
    document: Document,
}

impl Reading<'_> {
    fn table(&mut self, table: &DeTable<'_>, pattern: &str, path: &str) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let (pattern_here, path_here) = (join(pattern, name), join(path, name));
            let Some(field) = fields::find(&pattern_here) else {
                let place = if path.is_empty() {
                    String::new()
                } else {
                    format!(" in [{path}]")
                };
                let hint = fields::nearest(pattern, name)
                    .map(|near| format!("the nearest known key is `{near}`"));
                self.fault(
                    &key.span(),
                    fault::UNKNOWN_KEY,
                    format!("unknown key `{name}`{place}"),
                    hint,
                );
                continue;
            };
            let inner = value.get_ref();
            match (field.kind, inner) {
                (Kind::Table, DeValue::Table(child)) => {
                    self.keep(path_here.clone(), field, Value::Present, &key.span());
                    self.table(child, &pattern_here, &path_here);
                }
                (Kind::Tables, DeValue::Array(children)) => {
                    for (index, child) in children.iter().enumerate() {
                        let numbered = format!("{path_here}[{index}]");
                        match child.get_ref() {
                            DeValue::Table(child_table) => {
                                let pattern = format!("{pattern_here}[]");
                                self.table(child_table, &pattern, &numbered);
                                self.required(child_table, &pattern, &numbered, &child.span());
                            }
                            other => self.refuse(
                                numbered,
                                field,
                                field.kind.mistyped(&written(other)),
                                &child.span(),
                            ),
                        }
                    }
                }
                _ => match field.kind.read(&written(inner)) {
                    Ok(read) => self.keep(path_here, field, read, &value.span()),
                    Err(refusal) => self.refuse(path_here, field, refusal, &value.span()),
                },
            }
        }
    }

    fn required(&mut self, table: &DeTable<'_>, pattern: &str, path: &str, at: &Range<usize>) {
        for field in fields::FIELDS
            .iter()
            .filter(|field| field.fallback == Fallback::Required)
        {
            let Some(name) = field
                .path
                .strip_prefix(pattern)
                .and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            if !table.keys().any(|key| key.get_ref() == name) {
                let hint = format!("write it: {}", field.doc);
                self.fault(
                    at,
                    fault::MISSING,
                    format!("{path} has no `{name}`"),
                    Some(hint),
                );
            }
        }
    }

    fn keep(&mut self, path: String, field: &'static Field, value: Value, at: &Range<usize>) {
        if let Some((message, hint)) = unavailable(field, &value) {
            self.document.refused.insert(path);
            return self.fault(at, fault::UNAVAILABLE, message, hint);
        }
        let (line, column) = self.position(at.start);
        self.document.entries.insert(
            path,
            Entry {
                value,
                order: at.start,
                line,
                column,
                field,
            },
        );
    }

    fn refuse(&mut self, path: String, field: &Field, why: Refusal, at: &Range<usize>) {
        self.document.refused.insert(path);
        let (code, message, hint) = refusal(field, why);
        self.fault(at, code, message, hint);
    }

    fn fault(
        &mut self,
        at: &Range<usize>,
        code: &'static str,
        message: String,
        hint: Option<String>,
    ) {
        let (line, column) = self.position(at.start);
        let place = format!("{}:{line}:{column}", self.name);
        self.document.faults.push(Fault {
            order: at.start,
            place,
            code,
            message,
            hint,
        });
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (
            before.matches('\n').count() + 1,
            before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
        )
    }
}

fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

fn written(value: &DeValue<'_>) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Written::Other("a number too large"), Written::Number),
        DeValue::Float(_) => Written::Other("a number with a fraction"),
        DeValue::Boolean(flag) => Written::Flag(*flag),
        DeValue::Datetime(stamp) => Written::Text(stamp.to_string()),
        DeValue::Array(items) => {
            Written::List(items.iter().map(|item| written(item.get_ref())).collect())
        }
        DeValue::Table(table) => Written::Labels(
            table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), written(value.get_ref())))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let mut faults = parse("m.toml", text).faults;
        faults.sort_by_key(|fault| fault.order);
        faults
            .into_iter()
            .map(|fault| format!("{} {} {}", fault.code, fault.place, fault.message))
            .collect()
    }

    #[test]
    fn every_fault_is_reported_with_its_place() {
        let text = "version = 1\nnmae = \"x\"\nbackend = 3\n[replication]\nshards = 65\n  sync.topics = false\n";
        assert_eq!(
            lines(text),
            [
                "K010 m.toml:2:1 unknown key `nmae`",
                "K011 m.toml:3:11 backend: expected one of \"embedded\", \"msk\", found a number",
                "K012 m.toml:5:10 replication.shards: expected a number from 1 to 64, found 65",
                "K016 m.toml:6:17 replication.sync.topics = false is not available in this version",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_says_where_and_nothing_else() {
        let faults = lines("version = 1\nname = \n[source\n");
        assert!(
            !faults.is_empty() && faults.iter().all(|fault| fault.starts_with("K003 m.toml:")),
            "{faults:?}"
        );
    }

    #[test]
    fn lists_of_tables_are_checked_inside() {
        let faults = lines(
            "[[application]]\nreads = [\"a\"]\n[[application]]\nname = \"b\"\n[application.hooks]\nstpo = \"x\"\n",
        );
        assert_eq!(
            faults,
            [
                "K013 m.toml:1:1 application[0] has no `name`",
                "K010 m.toml:6:1 unknown key `stpo` in [application[1].hooks]",
            ]
        );
    }

    #[test]
    fn hostile_bytes_never_panic() {
        for text in [
            "\u{feff}",
            "=",
            "[[[",
            "a.b.c = {",
            "\"\\u{110000}\" = 1",
            "é = 1\n[é]",
            "[topic]\n",
            "topic = [1]",
        ] {
            drop(parse("m.toml", text));
        }
    }
}
