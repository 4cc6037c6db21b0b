//! What the file that `init` writes says beside its settings: what was seen, what was guessed from it, what could not be read.

use crate::{
    config::{Proposal, Section},
    model::numbers,
    observe::{Discovery, Guess, Guessed},
};

/// Names of topics in the prose.
const NAMED: usize = 20;

/// The prose and the applications of a new file.
pub fn proposal(name: &str, at: &str, seen: &Discovery, guessed: &Guessed) -> Proposal {
    let cluster = match &seen.source.id {
        Some(id) => format!("cluster {id}"),
        None => "a cluster without an id".to_owned(),
    };
    let brokers = match seen.source.brokers.value() {
        Ok(brokers) => format!(", {}", numbers::of(brokers.len() as u64, "broker")),
        Err(_) => String::new(),
    };
    let head = vec![
        format!("The migration {name:?}, for kafka-migrate."),
        format!("Written by `kafka-migrate init` at {at}, from what the source ({cluster}{brokers}) showed."),
        "Keys that are commented out show their default, or an example where they have none: take the # away to change one. \
         Every key can also be given by a variable, KAFKA_MIGRATE_ and its path in capitals with _ for a dot. \
         `kafka-migrate config` shows what is in force."
            .to_owned(),
        "Applications are guessed, and say on what they rest. Read them through before the first `kafka-migrate replicate`."
            .to_owned(),
    ];
    let mut scope = vec![format!(
        "{} of the source {}: {}.",
        numbers::of(seen.topics.len() as u64, "topic"),
        if seen.topics.len() == 1 {
            "is in scope now"
        } else {
            "are in scope now"
        },
        listed(&seen.topics)
    )];
    if !seen.left_out.is_empty() {
        scope.push(format!(
            "Left out: {}. Topics of brokers and of other tools are never in scope, whatever the globs; `_schemas` and Connect's own only by name.",
            listed(&seen.left_out)
        ));
    }
    Proposal {
        head,
        scope,
        applications: about_applications(guessed),
        sections: guessed.applications.iter().map(section).collect(),
    }
}

fn about_applications(guessed: &Guessed) -> Vec<String> {
    let mut lines = vec![
        "Guessed: an application for each group that reads topics in scope, and for each writer with a transactional id. \
         Who logs in as what cannot be seen in groups, so `principals` stay with you. Groups named here belong to the migration, \
         whatever `scope.groups` says."
            .to_owned(),
    ];
    let mut list = |title: &str, of: &[String]| {
        if !of.is_empty() {
            lines.push(title.to_owned());
            lines.extend(of.iter().map(|line| format!("- {line}")));
        }
    };
    list("Left out:", &guessed.left_out);
    list("Could not be read:", &guessed.unknown);
    if guessed.applications.is_empty() {
        lines.push("No application was recognised.".to_owned());
    }
    lines
}

fn section(guess: &Guess) -> Section {
    Section {
        notes: guess
            .evidence
            .iter()
            .map(|line| format!("Seen: {line}."))
            .collect(),
        name: guess.name.clone(),
        reads: guess.reads.clone(),
        writes: guess.writes.clone(),
        groups: guess.groups.clone(),
    }
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(String::as_str).collect();
    match names.len() {
        0 => "none".to_owned(),
        all if all > NAMED => format!("{} and {} more", shown.join(", "), all - NAMED),
        _ => shown.join(", "),
    }
}
