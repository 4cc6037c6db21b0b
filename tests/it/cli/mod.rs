//! Transcripts of the commands: what they print where, and their exit codes. No real broker is needed.

mod broken_sides;
mod config;
mod exits;
mod help;
mod init;
mod msk;
mod refusals;
mod report;
mod secrets;

use std::{fs, path::Path};

use tempfile::TempDir;

use crate::support::{
    self,
    ports::Port,
    tool::{Call, Finished, program},
};

/// A directory with a migration file in it, in which commands run.
struct Place(TempDir);

impl Place {
    /// With this text in `migration.toml`.
    fn with(text: &str) -> Self {
        let place = Self::empty();
        fs::write(place.path().join("migration.toml"), text)
            .expect("the scratch directory is writable");
        place
    }

    /// Without a migration file.
    fn empty() -> Self {
        Self(support::scratch("cli"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command with these arguments, in this directory.
    fn command(&self, arguments: &[&str]) -> Call {
        let mut command = program();
        command.args(arguments).current_dir(self.path());
        Call(command)
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.command(arguments).finish()
    }

    /// What a command printed and how it ended.
    fn transcript(&self, arguments: &[&str]) -> String {
        transcript(&self.run(arguments))
    }
}

/// Both outputs and the exit code, without what differs from run to run.
fn transcript(finished: &Finished) -> String {
    let code = finished
        .code()
        .map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
    let mut text = String::new();
    for (name, said) in [("stdout", &finished.stdout), ("stderr", &finished.stderr)] {
        if !said.is_empty() {
            text += &format!("── {name}\n{}\n", redacted(said.trim_end()));
        }
    }
    text + &format!("── exit {code}")
}

/// Ports, times and dates become marks.
fn redacted(text: &str) -> String {
    let mut redacted: Vec<String> = Vec::new();
    for line in text.lines() {
        let line: Vec<String> = line
            .split_inclusive([' ', '"', ',', '(', ')'])
            .map(word)
            .collect();
        redacted.push(line.concat());
    }
    redacted.join("\n")
}

fn word(word: &str) -> String {
    let bare = word.trim_end_matches([' ', '"', ',', '(', ')', ':']);
    let rest = &word[bare.len()..];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((host, port)) = bare.rsplit_once(':')
        && host.ends_with("127.0.0.1")
        && digits(port)
    {
        return format!("{host}:PORT{rest}");
    }
    let parts: Vec<&str> = bare.split(':').collect();
    if parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && digits(part)) {
        return format!("HH:MM:SS{rest}");
    }
    if bare.len() == 24 && bare.ends_with('Z') && bare.as_bytes().get(10) == Some(&b'T') {
        return format!("DATE{rest}");
    }
    word.to_owned()
}

/// A migration file for two servers.
fn file(source: &str, target: &str) -> String {
    format!(
        "version = 1\nname = \"orders\"\n\n[source]\nbootstrap = [{source:?}]\nconnect_timeout = \"5s\"\n\n\
         [target]\nbootstrap = [{target:?}]\nconnect_timeout = \"5s\"\n\n[scope]\ntopics = [\"orders\"]\n"
    )
}

/// An address at which nobody listens, as long as the port is held.
fn nobody() -> (Port, String) {
    let port = Port::take();
    let address = format!("127.0.0.1:{}", port.number());
    (port, address)
}

#[test]
fn redaction_leaves_everything_but_marks() {
    assert_eq!(
        redacted(
            "14:02:11 connecting to (127.0.0.1:9092), \"at\":\"2026-01-31T09:14:02.123Z\",\"n\":12:34"
        ),
        "HH:MM:SS connecting to (127.0.0.1:PORT), \"at\":\"DATE\",\"n\":12:34"
    );
}
