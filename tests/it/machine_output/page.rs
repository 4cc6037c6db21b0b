//! The page as tables: what it says of each document, line and part, held against values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a table says of one field.
#[derive(Debug, Clone)]
struct Row {
    /// Where the row itself stands: its section, and the field as written there.
    home: (String, String),
    /// The field, from the document's root.
    path: String,
    kind: String,
}

/// Sections by name, each with its rows; fields of parts stand where they are used.
#[derive(Debug)]
pub struct Page {
    sections: BTreeMap<String, Vec<Row>>,
    /// Every row that the page has, common ones and parts too.
    all: BTreeSet<(String, String)>,
    common: Vec<Row>,
}

/// What was met so far: rows, and what is wrong.
#[derive(Debug, Default)]
pub struct Seen {
    rows: BTreeSet<(String, String)>,
    faults: BTreeSet<String>,
}

const COMMON: &str = "(every line)";
/// What is a number in the transcripts and is told as text: a setting.
const TEXT_OF_A_NUMBER: &str = "settings[].value";

impl Page {
    /// Reads it.
    pub fn read(text: &str) -> Self {
        let mut raw: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut section = COMMON.to_owned();
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("### ") {
                section = heading.trim_matches('`').to_owned();
                let before = raw.insert(section.clone(), Vec::new());
                assert!(before.is_none(), "{section} stands there twice");
            }
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let field = cells.get(1).and_then(|cell| cell.strip_prefix('`'));
            let Some(field) = field.and_then(|cell| cell.strip_suffix('`')) else {
                continue;
            };
            // The table of commands has two columns.
            if cells.len() == 5 {
                raw.entry(section.clone()).or_default().push(Row {
                    home: (section.clone(), field.to_owned()),
                    path: field.to_owned(),
                    kind: cells[2].to_owned(),
                });
            }
        }
        let rows = raw.values().flatten();
        let all = rows.map(|row| row.home.clone()).collect();
        let is_part = |name: &str| name.starts_with(char::is_uppercase);
        let common = raw.remove(COMMON).expect("every line has something");
        let sections = raw.keys().filter(|name| !is_part(name));
        let sections = sections
            .map(|name| (name.clone(), expanded(&raw, &raw[name], "")))
            .collect();
        Self {
            sections,
            all,
            common,
        }
    }

    /// Names of documents and lines.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str)
    }

    /// Holds a whole document or line against its section.
    pub fn check(&self, name: &str, value: &Value, seen: &mut Seen) {
        let rows = self.common.iter().chain(self.section(name, seen)).cloned();
        let rows = rows.collect();
        Check {
            name,
            rows,
            is_whole: true,
            seen,
        }
        .object("", value);
    }

    /// Holds what is inside of one against its section. `is_whole`: it has all that the section tells.
    pub fn check_inside(&self, name: &str, value: &Value, is_whole: bool, seen: &mut Seen) {
        let event = self.common.iter().filter(|row| row.path == "event");
        let given = |row: &&Row| value.get(&row.path).is_some() && row.path != "event";
        let common = self.common.iter().filter(given).chain(event);
        let rows = common.chain(self.section(name, seen)).cloned().collect();
        Check {
            name,
            rows,
            is_whole,
            seen,
        }
        .object("", value);
    }

    /// Everything that is wrong: what was met and is not told, and what is told and was never met.
    pub fn faults(&self, seen: &Seen) -> Vec<String> {
        let never = self.all.difference(&seen.rows);
        let never = never.map(|(section, field)| format!("{section}: nothing has a {field}"));
        seen.faults.iter().cloned().chain(never).collect()
    }

    fn section(&self, name: &str, seen: &mut Seen) -> &[Row] {
        self.sections.get(name).map_or_else(
            || {
                seen.faults.insert(format!("the page has no {name}"));
                &[][..]
            },
            Vec::as_slice,
        )
    }
}

/// Rows with the fields of parts in place of links to them.
fn expanded(raw: &BTreeMap<String, Vec<Row>>, rows: &[Row], before: &str) -> Vec<Row> {
    let mut all = Vec::new();
    for row in rows {
        let path = format!("{before}{}", row.path);
        if let Some((_, link)) = row.kind.split_once("](#") {
            let part = link.split(')').next().unwrap_or_default();
            let (_, fields) = raw
                .iter()
                .find(|(name, _)| name.to_lowercase() == part)
                .unwrap_or_else(|| panic!("no part is called {part}"));
            let list = if row.kind.starts_with("list") {
                "[]"
            } else {
                ""
            };
            all.extend(expanded(raw, fields, &format!("{path}{list}.")));
        }
        all.push(Row {
            path,
            ..row.clone()
        });
    }
    all
}

struct Check<'a> {
    name: &'a str,
    rows: Vec<Row>,
    is_whole: bool,
    seen: &'a mut Seen,
}

impl Check<'_> {
    fn fault(&mut self, path: &str, what: &str) {
        self.seen
            .faults
            .insert(format!("{}: {path}: {what}", self.name));
    }

    fn object(&mut self, before: &str, value: &Value) {
        let Some(fields) = value.as_object() else {
            return;
        };
        for (key, value) in fields {
            self.field(before, key, value);
        }
        if !self.is_whole && before.is_empty() {
            return;
        }
        // Fields right below, and not below those.
        let below = self.rows.iter().filter_map(|row| {
            let key = row.path.strip_prefix(before)?;
            let is_below = !key.contains(['.', '[', '*']) && !row.kind.contains("absent");
            (is_below && !fields.contains_key(key)).then(|| row.path.clone())
        });
        for path in below.collect::<Vec<_>>() {
            self.fault(&path, "the page does not say that it may be absent");
        }
    }

    fn field(&mut self, before: &str, key: &str, value: &Value) {
        let path = format!("{before}{key}");
        let any = format!("{before}*");
        let row = self.rows.iter();
        let row = row
            .clone()
            .find(|row| row.path == path)
            .or_else(|| row.clone().find(|row| row.path == any));
        let Some(row) = row.cloned() else {
            return self.fault(&path, "the page does not tell of it");
        };
        self.seen.rows.insert(row.home.clone());
        let is_marked = value == "#" && path != TEXT_OF_A_NUMBER;
        if !fits(value, &row.kind, is_marked) {
            self.fault(&path, &format!("{value} is not \"{}\"", row.kind));
        }
        match value {
            Value::Object(_) => self.object(&format!("{path}."), value),
            Value::Array(all) => {
                if let Some(text) = all.iter().find(|one| one.is_string())
                    && !row.kind.starts_with("list of text")
                    && !row.kind.starts_with("list or")
                {
                    self.fault(&path, &format!("{text} is text in a \"{}\"", row.kind));
                }
                all.iter()
                    .for_each(|one| self.object(&format!("{path}[]."), one));
            }
            _ => {}
        }
    }
}

/// Is it what the page says? In transcripts every number is marked.
fn fits(value: &Value, kind: &str, is_marked: bool) -> bool {
    let kinds: Vec<&str> = kind.split([' ', ',', ':']).collect();
    let is = |one: &str| kinds.contains(&one);
    match value {
        Value::Null => is("null"),
        Value::Bool(_) => is("flag"),
        Value::String(_) if is_marked => is("whole") || is("number"),
        Value::String(text) if text.contains(['T']) && text.ends_with('Z') => {
            is("time") || is("text")
        }
        Value::String(_) => kinds[0] == "text",
        Value::Number(number) if number.is_f64() => is("number"),
        Value::Number(_) => is("whole") || is("number"),
        Value::Array(_) => kinds[0] == "list",
        Value::Object(_) => kinds[0] != "list" && is("object"),
    }
}
