//! A command line that is not understood, as a failure like every other.

use clap::error::{ContextKind, ContextValue};

use crate::{error::Failure, exit::Exit};

/// What is wrong with the command line.
pub fn of(error: &clap::Error) -> Failure {
    let rendered = error.render().to_string();
    // The sentence, then indented lines that belong to it; after an empty line come tips and usage.
    let mut lines = rendered.lines().take_while(|line| !line.is_empty());
    let sentence = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let failure = Failure::new(Exit::Usage, "K004", sentence);
    let failure = lines.fold(failure, |failure, line| failure.cause(line.trim()));
    let tips = rendered
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("tip: "));
    let failure = tips.take(2).fold(failure, Failure::hint);
    failure.next(format!("{} --help", command(error)))
}

/// The command whose help says what it takes.
fn command(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let words = usage
        .split_whitespace()
        .skip_while(|word| *word != "kafka-migrate")
        .take_while(|word| !word.starts_with(['[', '<', '-']));
    let words: Vec<&str> = words.collect();
    if words.is_empty() {
        "kafka-migrate".to_owned()
    } else {
        words.join(" ")
    }
}
