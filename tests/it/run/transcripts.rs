//! Transcripts of every command between two real clusters, as a person at a terminal, a log and a program get them; success and failure.
//!
//! What differs from run to run becomes a mark, so that what is left is what was written on purpose. A command that the help
//! lists and that has no row here fails the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::{
    self,
    load::Load,
    ports::Port,
    terminal::OnTerminal,
    tool::{Access, Call, Migration, PATIENCE, program},
};

/// Commands, how each is called where it can do its work, and where it cannot.
const COMMANDS: &[(&str, &[&str], &[&str])] = &[
    // Where it works, it is told where the source is; where it does not, a file is there already.
    ("init", &["init"], &["init"]),
    ("preflight", &["preflight"], &["preflight"]),
    (
        "plan",
        &["plan", "replicate"],
        &["plan", "replicate", "--accept-gap", "no:partition"],
    ),
    (
        "replicate",
        &["replicate", "--until", "caught-up"],
        &[
            "replicate",
            "--until",
            "caught-up",
            "--plan",
            "no-such-file",
        ],
    ),
    ("pause", &["pause"], &["pause"]),
    ("resume", &["resume"], &["resume"]),
    ("throttle", &["throttle", "50MB"], &["throttle", "slowly"]),
    ("status", &["status"], &["status"]),
    (
        "ready",
        &["ready", "--wait", "2m", "--waive", "G212=nobody goes back"],
        &["ready", "--app", "nobody"],
    ),
    ("verify", &["verify"], &["verify"]),
    // With a dead target it fails only where it cannot write; what a report says of times is no transcript's matter.
    (
        "report",
        &["report", "--runbook"],
        &["report", "--out", "no-such-directory/report"],
    ),
    ("config", &["config"], &["config"]),
    ("explain", &["explain", "K436"], &["explain", "K999"]),
    (
        "completions",
        &["completions", "bash"],
        &["completions", "abacus"],
    ),
    ("man", &["man"], &["man", "woman"]),
];

/// Commands that move applications, with a target that is not there: what they do otherwise is other tests' matter.
const MOVES: [(&str, &[&str]); 3] = [
    ("cutover", &["cutover", "--all", "--confirm", "transcripts"]),
    (
        "rollback",
        &["rollback", "--all", "--confirm", "transcripts"],
    ),
    ("cleanup", &["cleanup", "--confirm", "transcripts"]),
];

/// Those whose screens move: what stands there in the end is told, what passed by is not.
const MOVING: [&str; 2] = ["replicate", "verify"];
/// Those that print what other tests compare, or a file of the shell's.
const LONG: [&str; 2] = ["completions", "man"];

/// What they print is of no migration: `crate::demo` runs them.
const OF_NO_MIGRATION: [&str; 2] = ["demo", "sandbox"];

#[test]
fn every_command_of_the_help_has_its_transcripts() {
    let help = program()
        .arg("--help")
        .output()
        .expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("it is text");
    let commands = help
        .split("Commands:\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let listed: BTreeSet<&str> = commands
        .expect("it lists commands")
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    let mut known: BTreeSet<&str> = COMMANDS.iter().map(|(name, ..)| *name).collect();
    known.extend(MOVES.map(|(name, _)| name));
    known.extend(OF_NO_MIGRATION);
    assert_eq!(listed, known);
}

/// Marks for what differs from run to run.
struct Marks(Vec<(String, &'static str)>);

impl Marks {
    /// A line without what differs; runs of spaces become two, but not those that it begins with.
    fn line(&self, line: &str) -> String {
        let mut line = line.trim_end().to_owned();
        for (text, mark) in &self.0 {
            line = line.replace(text, mark);
        }
        let indent = line.len() - line.trim_start().len();
        let mut marked = line[..indent].to_owned();
        let mut spaces = 0;
        for word in line[indent..].split(' ') {
            if word.is_empty() {
                spaces += 1;
                continue;
            }
            if marked.len() > indent {
                marked += if spaces > 0 { "  " } else { " " };
            }
            marked += &mark(word);
            spaces = 0;
        }
        // A time of two units is as much a time as one of one.
        marked
            .replace("TIME TIME", "TIME")
            .replace("# BYTES", "BYTES")
    }

    fn text(&self, text: &str) -> String {
        let lines: Vec<String> = text.lines().map(|line| self.line(line)).collect();
        lines.join("\n")
    }
}

/// Numbers, times, sizes and checksums as marks; codes stay.
fn mark(word: &str) -> String {
    let edge = |letter: char| !letter.is_alphanumeric() && letter != '#';
    let bare = word.trim_matches(edge);
    let whole = |mark: &str| word.replacen(bare, mark, 1);
    let bytes = bare.as_bytes();
    let is_code =
        bytes.len() == 4 && b"KG".contains(&bytes[0]) && bytes[1..].iter().all(u8::is_ascii_digit);
    if bare.is_empty() || is_code {
        return word.to_owned();
    }
    if ["B", "KiB", "MiB", "kB/s", "MB/s", "B/s"].contains(&bare) {
        return whole("BYTES");
    }
    let hex = bare
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    // Checksums, fingerprints and UUIDs; a date has another length.
    if hex && matches!(bare.len(), 8 | 16 | 36) {
        return whole("HEX");
    }
    let number = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b".,".contains(&byte))
    };
    if bare.strip_suffix(['s', 'm', 'h', 'd']).is_some_and(number) || bare == "ms" {
        return whole("TIME");
    }
    if bare.strip_suffix(['k', 'M']).is_some_and(number) {
        return whole("#");
    }
    let mut marked = String::new();
    let letters: Vec<char> = word.chars().collect();
    let mut at = 0;
    while at < letters.len() {
        let digits = letters[at..]
            .iter()
            .take_while(|letter| letter.is_ascii_digit());
        let digits = digits.count();
        // A code inside something else stays too: `error[K436]`, `G212.md`.
        let is_code = digits == 3 && at > 0 && "KG".contains(letters[at - 1]);
        match digits {
            0 => marked.push(letters[at]),
            _ if is_code => marked.extend(&letters[at..at + digits]),
            _ => marked.push('#'),
        }
        at += digits.max(1);
    }
    // `1,234` and `1.2` are one number each.
    while let Some(at) = ["#,#", "#.#"].iter().find_map(|two| marked.find(two)) {
        marked.replace_range(at..at + 3, "#");
    }
    marked
}

/// What a document or a line for programs consists of: words as they are, where they do not differ.
fn shape(marks: &Marks, value: &Value) -> Value {
    match value {
        Value::Number(_) => "#".into(),
        Value::String(text) => marks.text(text).into(),
        // What is listed is of one kind; how many there are differs.
        Value::Array(all) => all.iter().take(1).map(|one| shape(marks, one)).collect(),
        Value::Object(all) => all
            .iter()
            .map(|(key, value)| (key.clone(), shape(marks, value)))
            .collect(),
        value => value.clone(),
    }
}

/// One transcript: how it was called, what it said, how it ended.
fn transcript(
    marks: &Marks,
    name: &str,
    calls: impl Fn(&[&str]) -> Call,
    command: &[&str],
) -> String {
    let mut all = format!("$ kafka-migrate {}\n", command.join(" "));
    let plain = calls(command).finish();
    let (out, err) = (&plain.stdout, &plain.stderr);
    all += &format!("── plain, exit {}\n", plain.code().unwrap_or(-1));
    all += &said(marks, name, out);
    all += &said(marks, name, err);
    let json = calls(&[&["--json"], command].concat()).finish();
    all += &format!("── json, exit {}\n", json.code().unwrap_or(-1));
    all += &documents(marks, &json.stdout);
    let (code, screen) = OnTerminal::start(calls(command)).wait(PATIENCE);
    all += &format!("── terminal, exit {}\n", code.unwrap_or(-1));
    // What moves on a screen is drawn as often as there is time for.
    if !(MOVING.contains(&name) && code == Some(0)) {
        all += &said(marks, name, &screen);
    }
    all
}

fn said(marks: &Marks, name: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    if LONG.contains(&name) && text.lines().count() > 20 {
        return "(as long as it has to be)\n".to_owned();
    }
    let lines = text.lines().map(|line| marks.line(line));
    let lines: Vec<String> = lines.filter(|line| is_told(name, line)).collect();
    match lines.as_slice() {
        [] => String::new(),
        lines => lines.join("\n") + "\n",
    }
}

/// Lines that say where it is, or what has changed meanwhile, come as often as there is time for; all others come once.
fn is_told(name: &str, line: &str) -> bool {
    if name == "ready" {
        return !line.starts_with("#:#:#");
    }
    let word = line.split(' ').nth(1).unwrap_or_default();
    let passing = [
        "copying",
        "following",
        "replicating",
        "verifying",
        "draining",
        "caught",
    ];
    !MOVING.contains(&name) || !passing.contains(&word)
}

/// Every kind of event once, or the document.
fn documents(marks: &Marks, text: &str) -> String {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let shape = shape(marks, &value);
        return serde_json::to_string_pretty(&shape).expect("it is JSON") + "\n";
    }
    let mut events: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else {
            return "(no JSON)\n".to_owned();
        };
        let name = value["event"].as_str().unwrap_or("?").to_owned();
        // Whether a beat falls into a short run is chance, or whether a broker is slow in a long one.
        let by_chance = [
            "progress",
            "draining",
            "verifying",
            "trouble",
            "shard-restarted",
        ];
        if by_chance.contains(&&*name) {
            continue;
        }
        let line = serde_json::to_string(&shape(marks, &value)).expect("it is JSON");
        events.entry(name).or_insert(line);
    }
    let mut all = String::new();
    for line in events.values() {
        writeln!(all, "{line}").expect("writing to a string");
    }
    all
}

#[test]
fn transcripts_of_success_and_of_failure() {
    let (source, target) = support::pair();
    source.create_topic("orders", 2, &[]);
    Load::to(&[("orders", 2)]).fill(&source, 200);
    let access = (Access::Plain(&source), Access::Plain(&target));
    let migration = Migration::new("transcripts", access.0, access.1, &["orders"]);
    migration.edit("[replication]", "[ready]\nhold = \"1s\"\n\n[replication]");
    let broken = Migration::new("transcripts", access.0, access.1, &["orders"]);
    // The target is another cluster's neighbour, at whose port nobody listens.
    let held = Port::take();
    let nowhere = format!("127.0.0.1:{}", held.number());
    broken.edit(&target.bootstrap()[0], &nowhere);
    let status = migration.run(&["--json", "status"]);
    let ids: Value = serde_json::from_str(&status.stdout).expect("it is JSON");
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("it has a name");
    let id = |side: &str| ids[side].as_str().expect("it has an id").to_owned();
    let marks = Marks(vec![
        (migration.directory().display().to_string(), "DIR"),
        (broken.directory().display().to_string(), "DIR"),
        (id("source_cluster"), "SOURCE"),
        (id("target_cluster"), "TARGET"),
        (format!(" on {}", host.trim()), " on HOST"),
        (format!("({})", host.trim()), "(HOST)"),
        (source.bootstrap()[0].clone(), "SOURCE:PORT"),
        (target.bootstrap()[0].clone(), "TARGET:PORT"),
        (nowhere, "NOBODY:PORT"),
    ]);
    let on = |migration: &Migration, command: &[&str]| {
        migration
            .command(command)
            .env("USER", "ann")
            .env("COLUMNS", "100")
    };
    for (name, _, command) in COMMANDS {
        let calls = |command: &[&str]| match *name {
            // A value that is wrong is all that can go wrong with it.
            "config" => on(&broken, command).env("KAFKA_MIGRATE_NAME", "NOT GOOD"),
            _ => on(&broken, command),
        };
        let transcript = transcript(&marks, name, calls, command);
        assert_snapshot!(format!("{name}-fails"), transcript);
    }
    for (name, command) in MOVES {
        let calls = |command: &[&str]| on(&broken, command);
        let transcript = transcript(&marks, name, calls, command);
        assert_snapshot!(format!("{name}-fails"), transcript);
    }
    let succeeds = |name: &str| {
        let (_, command, _) = COMMANDS
            .iter()
            .find(|(known, ..)| *known == name)
            .expect("it is there");
        let written = std::cell::Cell::new(0);
        let calls = |command: &[&str]| {
            if name != "init" {
                return on(&migration, command);
            }
            // A file of its own for each call: none is overwritten.
            written.set(written.get() + 1);
            let file = migration.path(&format!("written-{}.toml", written.get()));
            let mut call = program();
            call.arg("-c").arg(file).args(command);
            call.args(["--source", &source.bootstrap()[0]]);
            call.args(["--target", &target.bootstrap()[0]]);
            call.current_dir(migration.directory());
            Call(call)
        };
        let transcript = transcript(&marks, name, calls, command);
        assert_snapshot!(format!("{name}-succeeds"), transcript);
    };
    let steering = ["pause", "resume", "throttle", "ready"];
    let alone = COMMANDS.iter().map(|(name, ..)| *name);
    for name in alone.filter(|name| !steering.contains(name)) {
        succeeds(name);
    }
    let loader = Load::to(&[("orders", 2)]).keep_writing(&source, 50);
    let mut engine = on(&migration, &["--json", "replicate", "--metrics", "0"]).start();
    engine.wait_for("\"event\":\"shard-claimed\"", PATIENCE);
    for name in steering {
        succeeds(name);
    }
    loader.stop();
    engine.interrupt();
    let ended = engine.wait(PATIENCE);
    ended.assert_exit(130);
    assert_snapshot!("replicate-steered", documents(&marks, &ended.stdout));
}
