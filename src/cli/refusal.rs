//! A command line that is not understood, as a failure like every other.

use crate::{error::Failure, exit::Exit};

/// What is wrong with the command line; `command` is the one it names, if it names one.
pub fn of(error: &clap::Error, command: Option<&str>) -> Failure {
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
    failure.next(match command {
        Some(command) => format!("kafka-migrate {command} --help"),
        None => "kafka-migrate --help".to_owned(),
    })
}

/// Flags that mean nothing to who copies.
pub fn of_backend(flags: &[&str], why: &str, hint: &str) -> Failure {
    let what = format!(
        "{} cannot be asked of this backend: {why}",
        flags.join(", ")
    );
    Failure::new(Exit::Usage, "K032", what).hint(hint)
}

/// A plan of moves without a word about which.
pub fn which_application() -> Failure {
    Failure::new(
        Exit::Usage,
        "K033",
        "a plan is of one application, and none is named, or several are",
    )
    .hint("name it with --app NAME")
}

/// A signal came while a step was done; the next one was not begun.
pub fn stopped_before(step: &str) -> Failure {
    let what = format!("stopped before a step, as asked: {step}");
    Failure::new(Exit::Interrupted, "K447", what).hint("the same command goes on with it")
}
