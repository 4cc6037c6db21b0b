//! The only module that writes to the terminal: chooses bars, lines or JSON, and prints what commands hand it.

mod bars;
mod beat;
mod follow;
mod json;
mod lines;
mod log;
mod news;
mod pace;
pub mod scrape;
pub mod tables;
mod theme;
mod trend;
mod watch;

use std::io::{self, Write as _};

use serde::Serialize;

pub use follow::Follow;
pub use log::log;
pub use theme::{Color, Theme};
pub use watch::{Look, Watch};

pub use crate::model::numbers;
use crate::{clock, error::Failure};

/// Causes shown to a person before the rest is counted.
const CAUSES_SHOWN: usize = 20;

/// Where a command speaks: data to stdout, words for people to stderr. A reader that went away is no error.
#[derive(Debug, Clone)]
pub struct Screen {
    json: bool,
    theme: Theme,
    /// Below zero: only failures; above: more.
    volume: i16,
}

impl Default for Screen {
    fn default() -> Self {
        Self::new(false, Color::Auto, 0)
    }
}

impl Screen {
    /// A screen under the global flags.
    pub fn new(json: bool, color: Color, volume: i16) -> Self {
        Self {
            json,
            theme: Theme::choose(color),
            volume,
        }
    }

    /// Is stdout for programs?
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Follows a command that runs on.
    pub fn follow(&self, migration: &str) -> Follow {
        Follow::new(self, migration)
    }

    /// Shows something that is looked at again and again.
    pub fn watch(&self) -> Watch {
        Watch::new(self)
    }

    /// Colours, for tables of a command's own.
    pub fn theme(&self) -> Theme {
        self.theme
    }

    /// Data for stdout, as it is.
    pub fn text(&self, text: &str) {
        let mut out = io::stdout().lock();
        // A closed pipe is the reader's way of saying that it has seen enough.
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .ok();
    }

    /// One JSON document on stdout.
    pub fn document(&self, document: &impl Serialize) {
        let text = serde_json::to_string_pretty(document)
            .expect("our documents have string keys and finite numbers");
        self.text(&(text + "\n"));
    }

    /// A line on stderr, whatever the volume.
    pub fn aside(&self, line: &str) {
        writeln!(io::stderr().lock(), "{line}").ok();
    }

    /// Colours for what goes to stdout: none where that is no terminal, whatever stderr is.
    pub fn data_theme(&self) -> Theme {
        self.theme.of_stdout()
    }

    /// A line on stderr about how it goes, unless nobody wants to hear of that.
    pub fn progress(&self, line: &str) {
        if self.volume >= 0 && !self.json {
            self.aside(line);
        }
    }

    /// Something worth knowing that is no failure.
    pub fn note(&self, note: &str) {
        if self.volume >= 0 && !self.json {
            self.aside(&format!("{} {note}", self.theme.warn("note:")));
        }
    }

    /// A failure: sentence, causes, hints, the next command and the exit code.
    pub fn failure(&self, migration: Option<&str>, failure: &Failure) {
        if self.json {
            return self.text(&format!("{}\n", failure_document(migration, failure)));
        }
        let mut lines = vec![format!(
            "{} {}",
            self.theme.bad(&format!("error[{}]:", failure.code)),
            printable(&failure.message)
        )];
        lines.extend(
            failure
                .causes
                .iter()
                .take(CAUSES_SHOWN)
                .map(|cause| format!("   {}", printable(cause))),
        );
        if failure.causes.len() > CAUSES_SHOWN {
            lines.push(format!(
                "   and {} more (--json for all)",
                failure.causes.len() - CAUSES_SHOWN
            ));
        }
        lines.extend(
            failure
                .hints
                .iter()
                .map(|hint| format!("{} {}", self.theme.dim("hint:"), printable(hint))),
        );
        let exit = format!("exit {} ({})", failure.exit.code(), failure.exit.name());
        lines.push(match &failure.next {
            Some(next) => format!(
                "{} {next}      {}",
                self.theme.dim("next:"),
                self.theme.dim(&exit)
            ),
            None => self.theme.dim(&exit),
        });
        self.aside(&lines.join("\n"));
    }
}

/// A failure as the line or document that programs get.
#[derive(Serialize)]
struct Failed<'a> {
    v: u32,
    at: String,
    migration: Option<&'a str>,
    event: &'static str,
    exit: u8,
    exit_name: &'static str,
    code: &'static str,
    message: &'a str,
    causes: &'a [String],
    hints: &'a [String],
    next: Option<&'a str>,
}

fn failure_document(migration: Option<&str>, failure: &Failure) -> String {
    let failed = Failed {
        v: json::VERSION,
        at: numbers::stamp(clock::unix_millis()),
        migration,
        event: "failed",
        exit: failure.exit.code(),
        exit_name: failure.exit.name(),
        code: failure.code,
        message: &failure.message,
        causes: &failure.causes,
        hints: &failure.hints,
        next: failure.next.as_deref(),
    };
    serde_json::to_string(&failed).expect("all of it is text and numbers")
}

/// Text from elsewhere (brokers, files) without what a terminal would obey.
pub fn printable(text: &str) -> String {
    let obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if obeyed(letter) {
            printable.extend(letter.escape_default());
        } else {
            printable.push(letter);
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing_that_came_from_elsewhere() {
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{202e}é"),
            r"a\u{1b}[2J\nb\u{202e}é"
        );
    }
}
