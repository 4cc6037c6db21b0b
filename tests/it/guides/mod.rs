//! Guides, done as a reader does them: the commands of a page run in one shell, and what they print is what the page shows.
//!
//! A block of the language `console` holds commands behind `$ ` (continued behind `> `), each followed by what it prints. What differs from
//! run to run (times, ids, sizes) is compared as marks. `KAFKA_MIGRATE_REWRITE=guides` writes what was printed into the page instead.

mod first_look;
#[cfg(feature = "aws")]
mod msk;
mod page;
mod shell;
mod tutorial;
mod two_ways;

use std::time::Duration;

use page::Page;
use shell::Shell;

use crate::support::{kafka::Kafka, wait};

/// How long what was changed may take to show.
const SETTLED: Duration = Duration::from_secs(15);

/// Names of servers as a page has them, and what they are in this run.
type Names = Vec<(String, String)>;

/// Runs a page from its first command to its last.
#[track_caller]
fn run(path: &str, shell: &mut Shell, names: &Names) {
    run_loosely(path, shell, names, str::to_owned, |_| {});
}

/// The same where more differs from run to run than times and ids: `loosely` leaves of a screen what does not. `before` is told each command
/// that is about to be run. Answers with what was printed.
#[track_caller]
fn run_loosely(
    path: &str,
    shell: &mut Shell,
    names: &Names,
    loosely: fn(&str) -> String,
    mut before: impl FnMut(&str),
) -> Vec<String> {
    let mut printed = Vec::new();
    let mut page = Page::read(path);
    let rewrites = std::env::var("KAFKA_MIGRATE_REWRITE").is_ok_and(|asked| asked == "guides");
    let mut different = Vec::new();
    for command in page.commands() {
        let mut script = command.script.clone();
        for (shown, real) in names {
            script = script.replace(shown, real);
        }
        before(&script);
        eprintln!("$ {script}");
        let mut ended = shell.run(&script);
        // What was changed may take a moment to reach a broker.
        let marked = |said: &str| page::marked(&loosely(said));
        let shows = |said: &str| marked(&shown(said, names)) == marked(&command.shown);
        if is_a_look(&script) && !rewrites {
            wait::whether(SETTLED, || {
                shows(&ended.said) || {
                    ended = shell.run(&script);
                    false
                }
            });
        }
        eprintln!("{}", ended.said);
        let said = shown(&ended.said, names);
        // A code other than 0 is part of the screen, where the program says it.
        assert!(
            ended.code == 0 || said.contains(&format!("exit {} (", ended.code)),
            "{path}: {script}\nended with {}:\n{said}",
            ended.code
        );
        if rewrites {
            page.show(&command, &page::without_this_machine(&said));
        } else if marked(&said) != marked(&command.shown) {
            different.push(format!(
                "$ {}\n{}",
                command.script,
                page::difference(&loosely(&command.shown), &loosely(&said))
            ));
        }
        printed.push(said);
    }
    if rewrites {
        page.write();
    }
    assert!(
        different.is_empty(),
        "{path} shows something else than is printed:\n{}\n`KAFKA_MIGRATE_REWRITE=guides` writes it anew",
        different.join("\n")
    );
    printed
}

/// Only looks, and so may be run again.
fn is_a_look(script: &str) -> bool {
    ["preflight", "plan", "status", "-q ready"]
        .iter()
        .any(|look| script.starts_with(&format!("kafka-migrate {look}")))
}

/// What was printed, with the names of the page.
fn shown(said: &str, names: &Names) -> String {
    let name = |said: String, (shown, real): &(String, String)| said.replace(real, shown);
    names.iter().fold(said.to_owned(), name)
}

/// A server's name on a page and in this run.
fn name(shown: &str, kafka: &Kafka) -> (String, String) {
    (shown.to_owned(), kafka.secure_bootstrap()[0].clone())
}
