//! The text of a new migration file: every key with its meaning, unit and default, and what differs from the default in force.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    fields::{FIELDS, Fallback, Field, Standing},
    value::{Kind, Reference, Value},
};

/// Where comments begin behind a key.
const COMMENT_AT: usize = 41;
/// Columns of prose, and of a list on one line.
const WIDTH: usize = 110;

/// What a new file says beside its settings.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// Prose at its head.
    pub head: Vec<String>,
    /// Prose about the topics in scope.
    pub scope: Vec<String>,
    /// Prose about applications as a whole.
    pub applications: Vec<String>,
    /// Applications.
    pub sections: Vec<Section>,
}

/// One application. Topics and groups are names, not globs.
#[derive(Debug, Clone, Default)]
pub struct Section {
    /// Prose: what it rests on.
    pub notes: Vec<String>,
    /// Its name.
    pub name: String,
    /// Topics it reads.
    pub reads: Vec<String>,
    /// Topics it writes; none: not known.
    pub writes: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
}

/// The text. `given` holds what somebody said, by path; everything else is commented out with its default.
pub fn text(given: &BTreeMap<String, Value>, proposal: &Proposal) -> String {
    let mut page = Page {
        given,
        text: String::new(),
    };
    page.prose(&proposal.head);
    page.gap();
    page.keys("");
    for table in FIELDS.iter().filter(|field| !field.path.contains('.')) {
        match (table.kind, table.path) {
            (Kind::Tables, "application") => {
                page.list(table);
                page.prose(&proposal.applications);
                for section in &proposal.sections {
                    page.gap();
                    page.section(section);
                }
            }
            (Kind::Tables, _) => page.list(table),
            (Kind::Table, path) => {
                let prose: &[String] = if path == "scope" {
                    &proposal.scope
                } else {
                    &[]
                };
                page.table(table, prose);
            }
            _ => {}
        }
    }
    page.text
}

struct Page<'a> {
    given: &'a BTreeMap<String, Value>,
    text: String,
}

impl Page<'_> {
    fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn prose(&mut self, lines: &[String]) {
        for line in lines {
            let mut row = "#".to_owned();
            for word in printable(line).split(' ') {
                if row.len() + 1 + word.len() > WIDTH && row.len() > 4 {
                    self.text += &(row + "\n");
                    row = "#  ".to_owned();
                }
                row += &format!(" {word}");
            }
            self.text += &(row + "\n");
        }
    }

    fn has(&self, table: &str) -> bool {
        let inside = format!("{table}.");
        self.given
            .keys()
            .any(|path| path == table || path.starts_with(&inside))
    }

    /// A table: its header, its keys, and then the tables in it.
    fn table(&mut self, table: &Field, prose: &[String]) {
        self.gap();
        self.prose(prose);
        let mark = if self.has(table.path) { "" } else { "# " };
        let header = format!("{mark}[{}]", table.path.replace("[]", ""));
        self.row(&header, &about_table(table));
        self.keys(table.path);
        for inner in FIELDS {
            if parent(inner.path) == Some(table.path) && matches!(inner.kind, Kind::Table) {
                self.table(inner, &[]);
            }
        }
    }

    /// A list of tables: one of them, commented out, to show its keys.
    fn list(&mut self, list: &Field) {
        self.gap();
        self.row(&format!("# [[{}]]", list.path), &about_table(list));
        let element = format!("{}[]", list.path);
        self.keys(&element);
        for inner in FIELDS {
            if parent(inner.path) == Some(&element) && matches!(inner.kind, Kind::Table) {
                self.row(
                    &format!("# [{}]", inner.path.replace("[]", "")),
                    &about_table(inner),
                );
                self.keys(inner.path);
            }
        }
    }

    /// The keys that stand directly in a table.
    fn keys(&mut self, table: &str) {
        for field in FIELDS {
            let is_here = parent(field.path).unwrap_or("") == table;
            if !is_here || matches!(field.kind, Kind::Table | Kind::Tables) {
                continue;
            }
            let key = field.path.rsplit('.').next().unwrap_or(field.path);
            let row = match self.given.get(field.path) {
                Some(value) => format!("{key} = {}", literal(value)),
                None => format!("# {key} = {}", usual(field)),
            };
            self.row(&row, &about(field));
        }
    }

    fn section(&mut self, section: &Section) {
        self.prose(&section.notes);
        self.text += "[[application]]\n";
        self.text += &format!("name = {}\n", quoted(&section.name));
        for (key, names, if_none) in [
            ("reads", &section.reads, "none seen"),
            ("writes", &section.writes, "none seen: name what it writes"),
            ("groups", &section.groups, "none seen"),
        ] {
            let names: Vec<String> = names.iter().map(|name| escaped(name)).collect();
            if names.is_empty() {
                self.row(&format!("# {key} = []"), if_none);
            } else {
                self.text += &format!("{key} = {}\n", list_of(&names));
            }
        }
    }

    fn row(&mut self, row: &str, about: &str) {
        writeln!(self.text, "{row:<COMMENT_AT$}# {about}").expect("writing to a string");
    }
}

/// The table that a key stands in.
fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('.').map(|(table, _)| table)
}

fn about_table(table: &Field) -> String {
    let several = match table.kind {
        Kind::Tables => "; can stand several times",
        _ => "",
    };
    format!("{}{several}", table.doc)
}

/// Meaning, unit and default of a key.
fn about(field: &Field) -> String {
    let mut parts = vec![field.doc.to_owned()];
    let is_choice = matches!(field.kind, Kind::Choice(_));
    match field.standing {
        Standing::Only(allowed) if is_choice && !allowed.is_empty() => {
            parts.push(allowed.join(" | "));
        }
        _ => parts.extend(unit(field.kind)),
    }
    parts.push(match field.fallback {
        Fallback::Value(text) => format!("default {}", raw(field.kind, text)),
        Fallback::Required => "required".to_owned(),
        Fallback::Absent => "none by default".to_owned(),
    });
    match field.standing {
        Standing::Used => {}
        Standing::Later => parts.push("not used yet by this version".to_owned()),
        Standing::Only([]) => parts.push("not in this version".to_owned()),
        Standing::Only(_) if is_choice => {}
        Standing::Only(allowed) => {
            parts.push(format!("this version takes only {}", allowed.join(", ")));
        }
        Standing::Embedded(allowed) => parts.push(format!(
            "our own engine takes only {} in this version",
            allowed.join(", ")
        )),
    }
    parts.join("; ")
}

fn unit(kind: Kind) -> Option<String> {
    Some(match kind {
        Kind::Version | Kind::Table | Kind::Tables | Kind::Text | Kind::Texts => return None,
        Kind::Name => "lower-case letters, digits and hyphens, at most 40".into(),
        Kind::Choice(words) => words.join(" | "),
        Kind::Flag => "true | false".into(),
        Kind::Number { min, max: i64::MAX } => format!("a number from {min}"),
        Kind::Number { min, max } => format!("a number from {min} to {max}"),
        Kind::Hosts | Kind::Globs => "a list".into(),
        Kind::Duration => "a time such as \"30s\" or \"5m\"".into(),
        Kind::Timeout => "a time such as \"30s\", at most an hour".into(),
        Kind::Size { min } => {
            format!("bytes, such as \"64MiB\", at least {}MiB", min >> 20)
        }
        Kind::Rate => "such as \"200MB\"; or \"unlimited\", or \"auto\": give way to others".into(),
        Kind::Start => "earliest | latest | a time such as \"2026-01-31T00:00:00Z\"".into(),
        Kind::Sync => "true | false | an interval such as \"30s\"".into(),
        Kind::Path => "looked for beside this file".into(),
        Kind::Secret => "{ file = \"…\" }, { env = \"…\" } or { secretsmanager = \"ARN\" }, never the secret itself".into(),
        Kind::Labels => "{ name = \"text\" }".into(),
    })
}

/// What a key that nobody gave shows: its default, or an example.
fn usual(field: &Field) -> String {
    if let Fallback::Value(text) = field.fallback {
        return raw(field.kind, text);
    }
    let text = match field.path {
        "topic[].match" => "orders",
        "topic[].existing" => "keep",
        "replication.replication_factor" => "3",
        "application[].name" => "order-status",
        "application[].hooks.stop" => "hooks/stop.sh",
        "application[].hooks.start" => "hooks/start.sh",
        "application[].hooks.within" => "60s",
        "application[].principals" => "User:order-status",
        "application[].reads" => "orders",
        "application[].writes" => "order_status",
        "application[].groups" => "order-status",
        "scope.exclude_topics" => "scratch-*",
        "scope.exclude_groups" => "console-consumer-*",
        "msk.source_auth.mechanism" => "scram-sha-512",
        path if path.ends_with("username") => "migrator",
        path if path.ends_with(".ca") => "ca.pem",
        _ => match field.kind {
            Kind::Globs => "*",
            Kind::Hosts => "kafka1:9092",
            Kind::Sync => "false",
            _ => "…",
        },
    };
    raw(field.kind, text)
}

/// A value as its key takes it in TOML, from the words for it.
fn raw(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Version | Kind::Number { .. } | Kind::Flag | Kind::Sync => text.to_owned(),
        Kind::Hosts | Kind::Globs | Kind::Texts => list_of(&[text.to_owned()]),
        Kind::Secret => "{ file = \"password\" }".to_owned(),
        Kind::Labels => "{ team = \"…\" }".to_owned(),
        _ => quoted(text),
    }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Bytes(_, text) => quoted(text),
        Value::Texts(texts) => list_of(texts),
        Value::Number(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Duration(duration) => quoted(&humantime::format_duration(*duration).to_string()),
        Value::Secret(Reference::File(path)) => {
            format!("{{ file = {} }}", quoted(&path.to_string_lossy()))
        }
        Value::Secret(Reference::Environment(name)) => format!("{{ env = {} }}", quoted(name)),
        Value::Secret(Reference::SecretsManager(stored)) => {
            let key = stored
                .key
                .as_ref()
                .map(|key| format!(", key = {}", quoted(key)));
            format!(
                "{{ secretsmanager = {}{} }}",
                quoted(&stored.arn),
                key.unwrap_or_default()
            )
        }
        Value::Labels(labels) => {
            let labels: Vec<String> = labels
                .iter()
                .map(|(name, text)| format!("{} = {}", quoted(name), quoted(text)))
                .collect();
            format!("{{ {} }}", labels.join(", "))
        }
        Value::Present => "true".to_owned(),
    }
}

fn list_of(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    let line = format!("[{}]", texts.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    format!("[\n  {},\n]", texts.join(",\n  "))
}

/// A name as a glob that means it and nothing else.
fn escaped(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for letter in name.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            glob.push('\\');
        }
        glob.push(letter);
    }
    glob
}

/// A string of TOML on one line, whatever is in it.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if is_obeyed(letter) => {
                write!(quoted, "\\U{:08X}", u32::from(letter)).expect("writing to a string");
            }
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// A comment without what would end it, or what a terminal would obey.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_obeyed(letter) {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    printable
}

fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{fault, file};

    fn given() -> BTreeMap<String, Value> {
        let texts = |text: &str| Value::Texts(vec![text.to_owned()]);
        [
            ("version", Value::Number(1)),
            ("name", Value::Text("orders".into())),
            ("source.bootstrap", texts("kafka1:9092")),
            ("source.auth.mechanism", Value::Text("scram-sha-512".into())),
            ("source.auth.username", Value::Text("mi\"gra\\tor".into())),
            (
                "source.auth.password",
                Value::Secret(Reference::Environment("PASSWORD".into())),
            ),
            ("target.bootstrap", texts("kafka2:9092")),
            ("target.tls", Value::Present),
            ("scope.topics", texts("*")),
            (
                "ready.hold",
                Value::Duration(std::time::Duration::from_secs(90)),
            ),
        ]
        .map(|(path, value)| (path.to_owned(), value))
        .into()
    }

    fn faults(text: &str) -> Vec<(&'static str, String)> {
        let faults = file::parse("m.toml", text).faults;
        faults
            .into_iter()
            .map(|fault| (fault.code, format!("{}: {}", fault.place, fault.message)))
            .collect()
    }

    #[test]
    fn every_key_stands_in_it_and_what_was_given_is_in_force() {
        let text = text(&given(), &Proposal::default());
        let read = file::parse("m.toml", &text);
        assert!(read.faults.is_empty(), "{:?}\n{text}", faults(&text));
        for (path, value) in given() {
            assert_eq!(read.entries[&path].value, value, "{path}\n{text}");
        }
        // Nothing else is: tables apart, which are there when a key of theirs is.
        let in_force = read
            .entries
            .values()
            .filter(|entry| !matches!(entry.field.kind, Kind::Table | Kind::Tables));
        assert_eq!(in_force.count(), given().len() - 1, "{text}");
        for field in FIELDS {
            let name = field.path.rsplit('.').next().unwrap_or(field.path);
            let is_row = |line: &str| {
                let line = line.trim_start_matches("# ");
                let table = field.path.replace("[]", "");
                line.starts_with(&format!("{name} = "))
                    || line.starts_with(&format!("[{table}]"))
                    || line.starts_with(&format!("[[{table}]]"))
            };
            let documented = |line: &&str| is_row(line) && line.contains(field.doc);
            assert!(text.lines().any(|line| documented(&line)), "{}", field.path);
        }
    }

    #[test]
    fn what_is_commented_out_can_be_taken_in_as_it_is() {
        let text = text(&given(), &Proposal::default());
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .collect();
        let uncommented = uncommented.join("\n");
        for (code, said) in faults(&uncommented) {
            // Kept by the format for later versions, or an example that only shows the kind of thing.
            let is_later = code == fault::UNAVAILABLE;
            let is_example = code == fault::BAD_VALUE && said.contains("msk.");
            assert!(is_later || is_example, "{said}\n{uncommented}");
        }
    }

    #[test]
    fn names_of_any_kind_are_written_so_that_they_mean_themselves() {
        let odd = [
            "plain",
            "with \"quotes\" and \\backslash",
            "star*[a]{b,c}?",
            "line\nbreak\ttab\u{0}\u{7f}",
            "bidi \u{202e} and \u{2028}",
            "emoji 🦀 é",
            "'''",
            "# no comment",
        ];
        let owned: Vec<String> = odd.iter().map(|name| (*name).to_owned()).collect();
        let proposal = Proposal {
            head: owned.clone(),
            scope: owned.clone(),
            applications: vec!["word ".repeat(100)],
            sections: owned
                .iter()
                .map(|name| Section {
                    notes: vec![name.clone()],
                    name: "an-application".into(),
                    reads: vec!["orders".into(); 30],
                    writes: Vec::new(),
                    groups: vec![name.clone()],
                })
                .collect(),
        };
        let text = text(&given(), &proposal);
        let read = file::parse("m.toml", &text);
        assert!(read.faults.is_empty(), "{:?}\n{text}", faults(&text));
        for (index, name) in owned.iter().enumerate() {
            let path = format!("application[{index}].groups");
            let Value::Texts(globs) = &read.entries[&path].value else {
                panic!("{path} is no list")
            };
            let glob = globset::Glob::new(&globs[0]).unwrap().compile_matcher();
            assert!(glob.is_match(name), "{name:?} as {globs:?}");
            assert!(!glob.is_match("star-xyz") && !glob.is_match(format!("{name}x")));
        }
        assert!(
            text.lines().all(|line| !line.chars().any(is_obeyed)),
            "{text}"
        );
    }
}
