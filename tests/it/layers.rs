//! The architecture, checked against the source: who imports whom, what a file says it owns, who prints, and the page
//! that shows it.
//!
//! `KAFKA_MIGRATE_REWRITE=tree` writes the generated parts of docs/architecture.md anew instead of comparing them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Modules in reading order, and what each may import; a name with `::` allows that part of a module only. Whoever adds
/// a module adds a row, whoever adds an import asks first whether it points the right way.
const TABLE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("exit", &[]),
    ("error", &[]),
    ("events", &["model"]),
    ("lock", &[]),
    ("model", &[]),
    // MSK Replicator on paper.
    ("msk", &["model"]),
    // Steps, plans, the journal. It is handed plans and effects, and knows neither clusters nor engines.
    ("run", &["model", "events"]),
    ("wire", &["model"]),
    ("cluster", &["model", "wire"]),
    // A simulation of Kafka. Nothing imports it but the demo, its command and tests.
    ("sandbox", &["model", "wire"]),
    (
        "engine",
        &[
            "model",
            "events",
            "cluster",
            "wire::batch",
            "wire::codec",
            "wire::encode",
            "wire::record",
            "wire::records",
            "wire::retry",
            "wire::slices",
        ],
    ),
    ("config", &["model"]),
    (
        "observe",
        &[
            "model",
            "msk",
            "cluster",
            "engine",
            "wire::batch",
            "wire::record",
        ],
    ),
    ("gates", &["model", "msk", "cluster", "engine", "observe"]),
    ("explain", &["gates"]),
    (
        "verify",
        &[
            "model",
            "events",
            "cluster",
            "wire::batch",
            "wire::codec",
            "wire::record",
            "wire::retry",
        ],
    ),
    ("aws", &["model", "msk"]),
    (
        "phases",
        &[
            "model",
            "events",
            "run",
            "cluster",
            "engine",
            "config",
            "observe",
            "gates",
            "verify",
            "msk",
            "aws",
            "wire::batch",
            "wire::record",
            "wire::retry",
        ],
    ),
    // Plain data, made into documents.
    ("report", &["model", "events", "run", "phases"]),
    ("ui", &["model", "events"]),
    ("demo", &["sandbox"]),
    (
        "cli",
        &[
            "model", "events", "run", "cluster", "engine", "config", "observe", "gates", "explain",
            "verify", "aws", "msk", "phases", "report", "ui", "demo", "sandbox",
        ],
    ),
];

/// Imported by whoever needs them.
const OPEN: &[&str] = &["clock", "exit", "error", "lock"];

/// The only files that may write to the terminal.
const SPEAKERS: &[&str] = &["src/ui/", "src/cli/", "src/main.rs"];

const PAGE: &str = "docs/architecture.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under src/, as (path from the root, text), in the order of the tree: files before folders.
fn sources() -> Vec<(String, String)> {
    fn collect(directory: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "src has {} files only", paths.len());
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("source files are UTF-8");
            let path = path.strip_prefix(root()).expect("it lies below the root");
            (path.display().to_string(), text)
        })
        .collect()
}

/// The module a file is: `src/wire/batch.rs` is `wire::batch`, `src/wire/mod.rs` is `wire`.
fn module(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs");
    let mut parts: Vec<String> = path.split('/').map(str::to_owned).collect();
    if matches!(
        parts.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        parts.pop();
    }
    parts
}

/// Words and punctuation of a Rust file; comments are left out, literals are one empty word.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        at += match rest {
            ['/', '/', ..] => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
            ['/', '*', ..] => comment(rest),
            ['"', ..] => literal(&mut tokens, string(rest)),
            ['r', '"' | '#', ..] | ['b', 'r', '"' | '#', ..] if raw(rest) > 0 => {
                literal(&mut tokens, raw(rest))
            }
            ['b', '"', ..] => literal(&mut tokens, 1 + string(&rest[1..])),
            // 'a' and '\n' are literals, 'a without a second quote is a lifetime.
            ['\'', '\\', ..] => {
                let end = rest[3..].iter().position(|c| *c == '\'').unwrap_or(0);
                literal(&mut tokens, end + 4)
            }
            ['\'', _, '\'', ..] => literal(&mut tokens, 3),
            [c, ..] if c.is_alphanumeric() || *c == '_' => {
                let word: String = rest
                    .iter()
                    .take_while(|c| c.is_alphanumeric() || **c == '_')
                    .collect();
                let length = word.chars().count();
                tokens.push(word);
                length
            }
            [':', ':', ..] => {
                tokens.push("::".to_owned());
                2
            }
            [c, ..] => {
                if !c.is_whitespace() {
                    tokens.push(c.to_string());
                }
                1
            }
            [] => unreachable!("the loop ends before"),
        };
    }
    tokens
}

fn literal(tokens: &mut Vec<String>, length: usize) -> usize {
    tokens.push(String::new());
    length
}

/// Length of a block comment, with those inside it.
fn comment(chars: &[char]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < chars.len() {
        match chars[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
            }
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a string with its quotes.
fn string(chars: &[char]) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Length of a raw string, 0 if it is none (a raw identifier).
fn raw(chars: &[char]) -> usize {
    let start = chars.iter().position(|c| *c == 'r').unwrap_or(0) + 1;
    let hashes = chars[start..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"')
        .chain(std::iter::repeat_n('#', hashes))
        .collect();
    let body = start + hashes + 1;
    chars[body..]
        .windows(end.len())
        .position(|window| window == end)
        .map_or(chars.len(), |at| body + at + end.len())
}

/// Every path of this crate that a file names, from the crate's root: `use` trees are opened, `self` and `super` followed.
fn paths(file: &str, text: &str) -> BTreeSet<Vec<String>> {
    let tokens = tokens(text);
    let mut found = BTreeSet::new();
    // Modules written inside the file, each with the brace depth at which it ends.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if inline.last().is_some_and(|(_, end)| *end == depth) {
                    inline.pop();
                }
            }
            "mod" if tokens.get(at + 2).is_some_and(|next| next == "{") => {
                inline.push((tokens[at + 1].clone(), depth));
            }
            "crate" | "super" | "self" | "kafka_migrate" => {
                let follows = tokens.get(at + 1).is_some_and(|next| next == "::");
                let inside = at > 0 && tokens[at - 1] == "::";
                if !follows || inside {
                    continue;
                }
                let mut here = module(file);
                here.extend(inline.iter().map(|(name, _)| name.clone()));
                match token.as_str() {
                    "crate" | "kafka_migrate" => here.clear(),
                    "super" => drop(here.pop()),
                    _ => {}
                }
                tree(&tokens, at + 2, here, &mut found);
            }
            _ => {}
        }
    }
    found
}

/// Follows a path or a `use` tree from a token on; answers where it ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    mut prefix: Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) -> usize {
    loop {
        match tokens.get(at).map_or("", String::as_str) {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    if tokens[at] == "," {
                        at += 1;
                    } else {
                        at = tree(tokens, at, prefix.clone(), found);
                    }
                }
                return at + 1;
            }
            "super" => drop(prefix.pop()),
            "self" => {}
            word => prefix.push(word.to_owned()),
        }
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            found.insert(prefix);
            // `as other` inside a tree.
            if tokens.get(at).is_some_and(|next| next == "as") {
                at += 2;
            }
            return at;
        }
        at += 1;
    }
}

/// Does a path begin with an allowed name?
fn allows(allowed: &str, path: &[String]) -> bool {
    let parts: Vec<&str> = allowed.split("::").collect();
    parts.len() <= path.len() && parts.iter().zip(path).all(|(a, b)| a == b)
}

/// Names of the library's modules, as src/ has them.
fn modules() -> BTreeSet<String> {
    sources()
        .iter()
        .filter_map(|(path, _)| module(path).into_iter().next())
        .collect()
}

#[test]
fn imports_obey_the_table() {
    let rows: BTreeMap<&str, &[&str]> = TABLE.iter().copied().collect();
    let modules = modules();
    assert_eq!(
        rows.keys()
            .map(|row| (*row).to_owned())
            .collect::<BTreeSet<_>>(),
        modules,
        "the table has one row for each module (left: rows, right: modules of src/)"
    );
    let mut refused = Vec::new();
    let mut edges = BTreeSet::new();
    for (file, text) in sources() {
        let own = module(&file).into_iter().next();
        for path in paths(&file, &text) {
            let Some(other) = path.first().filter(|name| modules.contains(*name)) else {
                continue;
            };
            let allowed = match own.as_deref() {
                // The binary starts the command line; the library's root only lists modules.
                None => ["cli", "exit"].contains(&other.as_str()),
                Some(own) => {
                    own == other
                        || OPEN.contains(&other.as_str())
                        || rows[own].iter().any(|allowed| allows(allowed, &path))
                }
            };
            if !allowed {
                refused.push(format!("{file} imports {}", path.join("::")));
            }
            edges.insert((own.clone(), other.clone()));
        }
    }
    assert!(
        edges.len() > TABLE.len(),
        "only {} imports were found: does this test still read the source?",
        edges.len()
    );
    assert!(
        refused.is_empty(),
        "not in the table of tests/it/layers.rs:\n{}",
        refused.join("\n")
    );
}

#[test]
fn the_readers_of_imports_find_them() {
    let found = |file: &str, text: &str| -> Vec<String> {
        paths(file, text)
            .iter()
            .map(|path| path.join("::"))
            .collect()
    };
    assert_eq!(
        found(
            "src/wire/batch.rs",
            "use crate::{error::Failure, model::{names::{Side as S, Topic}, self}};\n\
             // crate::never::read\n\
             /* crate::never /* crate::nested */ crate::read */\n\
             fn f(a: &'static str) -> char { let _ = \"crate::text \\\" crate::text\"; crate::clock::unix_millis(); '\"' }\n\
             const R: &str = r#\"crate::raw \" crate::raw\"#;\n\
             use super::frame::Frame;\n\
             use super::super::engine::run;\n\
             mod tests { use super::super::frame::Other; mod deep { use super::super::Head; } }\n\
             use self::inner::Thing;"
        ),
        [
            "clock::unix_millis",
            "engine::run",
            "error::Failure",
            "model",
            "model::names::Side",
            "model::names::Topic",
            "wire::batch::Head",
            "wire::batch::inner::Thing",
            "wire::frame::Frame",
            "wire::frame::Other",
        ]
    );
    assert_eq!(
        found("src/clock.rs", "use super::engine::Engine;"),
        ["engine::Engine"]
    );
    assert_eq!(
        found("src/main.rs", "use kafka_migrate::{cli, wire::conn::Conn};"),
        ["cli", "wire::conn::Conn"]
    );
}

#[test]
fn only_the_command_line_and_its_screens_print() {
    let prints = ["print", "println", "eprint", "eprintln", "dbg"];
    let mut refused = Vec::new();
    for (file, text) in sources() {
        if SPEAKERS.iter().any(|speaker| file.starts_with(speaker)) {
            continue;
        }
        // Its tests may print.
        let code = text.split("mod tests {").next().unwrap_or_default();
        for words in tokens(code).windows(3) {
            let (before, pair) = (&words[0], &words[1..]);
            let macros = prints.contains(&pair[0].as_str()) && pair[1] == "!";
            // `.stdout(` says where a child's output goes.
            let streams = ["stdout", "stderr"].contains(&pair[0].as_str()) && pair[1] == "(";
            let streams = streams && before != ".";
            if macros || streams {
                refused.push(format!("{file}: {}{}", pair[0], pair[1]));
            }
        }
    }
    assert!(
        refused.is_empty(),
        "these print; send an event instead:\n{}",
        refused.join("\n")
    );
}

/// What a file says it owns: its first line.
fn purpose<'a>(file: &str, text: &'a str) -> Result<&'a str, String> {
    let first = text.lines().next().unwrap_or_default();
    let says = first
        .strip_prefix("//! ")
        .ok_or_else(|| format!("{file} begins with {first:?}, not with `//! ` and what it owns"))?;
    if says.ends_with(['.', '?']) && says.chars().count() <= 140 {
        Ok(says)
    } else {
        Err(format!(
            "{file}: its first line is not one sentence that fits on a line: {says:?}"
        ))
    }
}

#[test]
fn every_file_says_first_what_it_owns() {
    let faults: Vec<String> = sources()
        .iter()
        .filter_map(|(file, text)| purpose(file, text).err())
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The source tree with what every file owns: `mod.rs` speaks for its folder.
fn drawn_tree() -> String {
    let sources = sources();
    let mut lines = Vec::new();
    draw("src", &sources, 0, &mut lines);
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    lines
        .iter()
        .map(|(name, says)| format!("{name:<width$}  {says}").trim_end().to_owned() + "\n")
        .collect()
}

fn draw(
    folder: &str,
    sources: &[(String, String)],
    depth: usize,
    lines: &mut Vec<(String, String)>,
) {
    let inside: Vec<(&str, &String, &String)> = sources
        .iter()
        .filter_map(|(path, text)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?;
            Some((name, path, text))
        })
        .collect();
    let says = |path: &str, text: &str| purpose(path, text).unwrap_or_default().to_owned();
    let own = inside.iter().find(|(name, _, _)| *name == "mod.rs");
    let leaf = folder.rsplit('/').next().unwrap_or(folder);
    lines.push((
        format!("{}{leaf}/", "  ".repeat(depth)),
        own.map(|(_, path, text)| says(path, text))
            .unwrap_or_default(),
    ));
    for (name, path, text) in &inside {
        if !name.contains('/') && *name != "mod.rs" {
            lines.push((
                format!("{}{name}", "  ".repeat(depth + 1)),
                says(path, text),
            ));
        }
    }
    let folders: BTreeSet<&str> = inside
        .iter()
        .filter_map(|(name, _, _)| Some(name.split_once('/')?.0))
        .collect();
    for name in folders {
        draw(&format!("{folder}/{name}"), sources, depth + 1, lines);
    }
}

/// The table as the page shows it.
fn drawn_table() -> String {
    let width = TABLE.iter().map(|(row, _)| row.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (row, allowed) in TABLE {
        let allowed = if allowed.is_empty() {
            "–".to_owned()
        } else {
            allowed.join("  ")
        };
        text += &format!("{row:<width$}  {allowed}\n");
    }
    text + &format!("open to all: {}\n", OPEN.join("  "))
}

#[test]
fn the_architecture_page_shows_the_source_as_it_is() {
    for (name, text) in [("tree", drawn_tree()), ("imports", drawn_table())] {
        super::documents::generated(PAGE, name, "tree", &text);
    }
}
