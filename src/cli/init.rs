//! Writes a starting migration file by looking at the source.

mod proposal;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::proposal::proposal;
use super::{Global, amazon};
use crate::{
    clock,
    config::{self, Flag, Given},
    error::Failure,
    exit::Exit,
    model::{names::Side, patterns::Patterns},
    observe::{self, Discovery, Guess, Guessed},
    run::signals::Signals,
    ui::{Screen, numbers, printable, tables},
};

/// Write a migration file by looking at the source
///
/// It reads the source's topics, groups, members and writers, guesses the applications from them, and writes the file that
/// --config names, with every key, its meaning and its default. What is guessed says on what it rests. A file that is there
/// is never overwritten. Nothing else is changed, and the target is not asked: `preflight` looks at both.
///
/// Passwords are never given themselves: only the file or the variable that holds them.
#[derive(Debug, Args)]
pub struct Init {
    /// The migration's name, which its topics on the target carry [default: that of the file, without its ending]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Servers of the source to ask first, several with commas between
    #[arg(long, value_name = "HOST:PORT")]
    source: Option<String>,
    /// How to log in to the source: none, plain, scram-sha-256, scram-sha-512, msk-iam [default: none]
    #[arg(long, value_name = "MECHANISM")]
    source_mechanism: Option<String>,
    /// Who logs in to the source
    #[arg(long, value_name = "NAME")]
    source_username: Option<String>,
    /// The file that holds the password for the source
    #[arg(long, value_name = "FILE", conflicts_with = "source_password_env")]
    source_password_file: Option<PathBuf>,
    /// The variable that holds the password for the source
    #[arg(long, value_name = "VARIABLE")]
    source_password_env: Option<String>,
    /// Speak TLS with the source, and trust the system's authorities
    #[arg(long)]
    source_tls: bool,
    /// Speak TLS with the source, and trust the authorities of this PEM file
    #[arg(long, value_name = "FILE")]
    source_ca: Option<String>,
    /// Servers of the target to ask first, several with commas between
    #[arg(long, value_name = "HOST:PORT")]
    target: Option<String>,
    /// How to log in to the target: none, plain, scram-sha-256, scram-sha-512, msk-iam [default: none]
    #[arg(long, value_name = "MECHANISM")]
    target_mechanism: Option<String>,
    /// Who logs in to the target
    #[arg(long, value_name = "NAME")]
    target_username: Option<String>,
    /// The file that holds the password for the target
    #[arg(long, value_name = "FILE", conflicts_with = "target_password_env")]
    target_password_file: Option<PathBuf>,
    /// The variable that holds the password for the target
    #[arg(long, value_name = "VARIABLE")]
    target_password_env: Option<String>,
    /// Speak TLS with the target, and trust the system's authorities
    #[arg(long)]
    target_tls: bool,
    /// Speak TLS with the target, and trust the authorities of this PEM file
    #[arg(long, value_name = "FILE")]
    target_ca: Option<String>,
}

/// Keys whose flags are named where they are missing.
const KEYS: &[(&str, &str)] = &[
    ("source.bootstrap", "--source"),
    ("target.bootstrap", "--target"),
];

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    migration: &'a str,
    event: &'static str,
    file: String,
    source_cluster: Option<&'a str>,
    topics: &'a [String],
    topics_left_out: &'a [String],
    applications: &'a [Guess],
    left_out: &'a [String],
    unknown: &'a [String],
    next: String,
}

impl Init {
    /// Looks, guesses and writes.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let mut signals = Signals::listen()?;
        let path = &global.config;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy());
        let name = observe::fitting(stem.as_deref().unwrap_or_default());
        let tls = [
            (Side::Source, self.source_tls),
            (Side::Target, self.target_tls),
        ];
        let tls: Vec<Side> = tls
            .iter()
            .filter(|(_, on)| *on)
            .map(|(side, _)| *side)
            .collect();
        let (around, amazon) = (global.environment(), amazon::nothing_asked());
        let draft = config::begin(path, &name, &tls, &self.flags(), KEYS, around, amazon)?;
        let settings = &draft.settings;
        global.name.set(settings.name.clone()).ok();
        global.notes(settings, screen);
        let wanted = match settings.groups.is_empty() {
            true => Patterns::of(&["*".to_owned()]).unwrap_or_default(),
            false => settings.groups.clone(),
        };
        let unwanted = &settings.exclude_groups;
        let seen = tokio::select! {
            seen = Box::pin(observe::discover(&settings.source, &settings.scope, &wanted, unwanted)) => seen?,
            _ = signals.next() => return Ok(Exit::Interrupted),
        };
        let guessed = observe::guess(&seen);
        let now = numbers::stamp(clock::unix_millis());
        draft.write(&draft.text(&proposal(&settings.name, &now, &seen, &guessed)))?;
        let next = global.complete("kafka-migrate preflight");
        if screen.is_json() {
            screen.document(&Document {
                v: 1,
                at: now,
                migration: &settings.name,
                event: "init",
                file: path.display().to_string(),
                source_cluster: seen.source.id.as_deref(),
                topics: &seen.topics,
                topics_left_out: &seen.left_out,
                applications: &guessed.applications,
                left_out: &guessed.left_out,
                unknown: &guessed.unknown,
                next,
            });
            return Ok(Exit::Ok);
        }
        screen.text(&shown(
            &path.display().to_string(),
            &settings.name,
            &seen,
            &guessed,
            &next,
        ));
        Ok(Exit::Ok)
    }

    /// What was given, as settings of the file.
    fn flags(&self) -> Vec<Flag> {
        let text = |value: &Option<String>| value.clone().map(Given::Text);
        let secret = |file: &Option<PathBuf>| file.clone().map(Given::SecretFile);
        let variable = |name: &Option<String>| name.clone().map(Given::SecretVariable);
        let all = [
            ("--name", "name", text(&self.name)),
            ("--source", "source.bootstrap", text(&self.source)),
            (
                "--source-mechanism",
                "source.auth.mechanism",
                text(&self.source_mechanism),
            ),
            (
                "--source-username",
                "source.auth.username",
                text(&self.source_username),
            ),
            (
                "--source-password-file",
                "source.auth.password",
                secret(&self.source_password_file),
            ),
            (
                "--source-password-env",
                "source.auth.password",
                variable(&self.source_password_env),
            ),
            ("--source-ca", "source.tls.ca", text(&self.source_ca)),
            ("--target", "target.bootstrap", text(&self.target)),
            (
                "--target-mechanism",
                "target.auth.mechanism",
                text(&self.target_mechanism),
            ),
            (
                "--target-username",
                "target.auth.username",
                text(&self.target_username),
            ),
            (
                "--target-password-file",
                "target.auth.password",
                secret(&self.target_password_file),
            ),
            (
                "--target-password-env",
                "target.auth.password",
                variable(&self.target_password_env),
            ),
            ("--target-ca", "target.tls.ca", text(&self.target_ca)),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(flag, path, value)| {
                Some(Flag {
                    flag,
                    path,
                    value: value?,
                })
            })
            .collect()
    }
}

/// What a person is shown: what was written, the applications, what is missing, and what comes next.
fn shown(file: &str, name: &str, seen: &Discovery, guessed: &Guessed, next: &str) -> String {
    let mut text = format!(
        "wrote {file}   migration: {name}   source: {}\n{} in scope, {} left out; {} guessed\n",
        printable(seen.source.id.as_deref().unwrap_or("(without an id)")),
        numbers::of(seen.topics.len() as u64, "topic"),
        seen.left_out.len(),
        numbers::of(guessed.applications.len() as u64, "application"),
    );
    if !guessed.applications.is_empty() {
        let rows: Vec<[String; 4]> = guessed
            .applications
            .iter()
            .map(|one| {
                [
                    one.name.clone(),
                    printable(&one.groups.join(", ")),
                    few(&one.reads),
                    few(&one.writes),
                ]
            })
            .collect();
        text += "\n";
        text += &tables::grid(&["application", "groups", "reads", "writes"], &rows);
    }
    for (title, lines) in [
        ("left out", &guessed.left_out),
        ("not known", &guessed.unknown),
    ] {
        if !lines.is_empty() {
            text += &format!("\n{title}:\n");
        }
        for line in lines {
            text += &format!("  {}\n", printable(line));
        }
    }
    text + &format!("\nRead the file through: guesses say on what they rest.\nnext: {next}\n")
}

/// Names, the first few of them; a table has no room for all.
fn few(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    match names.len() {
        0 => "?".to_owned(),
        1..=3 => shown.join(", "),
        all => format!("{} and {} more", shown.join(", "), all - 3),
    }
}
