//! `status` where MSK Replicator copies: both replicators, their numbers with their age, and what their log says of trouble.

use serde::Serialize;

use super::journal::{ApplicationStatus, Journal};
use crate::{
    aws::Clients,
    cli::{Global, connect, journal, replicate},
    clock,
    config::Settings,
    error::Failure,
    exit::Exit,
    model::msk::Msk,
    phases::msk::state::{One, Replicators, state},
    ui::{Screen, numbers, printable, tables},
};

#[derive(Serialize)]
struct Document<'a> {
    v: u32,
    at: String,
    event: &'static str,
    migration: &'a str,
    source_cluster: &'a str,
    target_cluster: &'a str,
    #[serde(flatten)]
    replicators: &'a Replicators,
    applications: &'a [ApplicationStatus],
    journal_trouble: Option<&'a str>,
}

/// Asks once and prints it.
pub async fn run(
    settings: &Settings,
    msk: &Msk,
    global: &Global,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let clients = Box::pin(Clients::open(&msk.region, None)).await;
    let (source, target) = connect::both(settings).await?;
    let read = journal::look(settings, &source, &target).await;
    let known = read.as_ref().ok().cloned().unwrap_or_default();
    let directions = replicate::directions(None);
    let ids = (source.id(), target.id());
    let wanted = replicate::replicators::wanted(settings, msk, directions, ids, &known);
    let seen = Box::pin(state(&clients, msk, &wanted)).await?;
    let journal = Journal::of(read, &settings.applications);
    if screen.is_json() {
        screen.document(&Document {
            v: 1,
            at: numbers::stamp(clock::unix_millis()),
            event: "replicators",
            migration: &settings.name,
            source_cluster: source.id(),
            target_cluster: target.id(),
            replicators: &seen,
            applications: &journal.applications,
            journal_trouble: journal.trouble.as_deref(),
        });
        return Ok(Exit::Ok);
    }
    screen.text(&format!(
        "{}   source {} → target {}   backend: msk\n\n",
        settings.name,
        source.id(),
        target.id()
    ));
    screen.text(&text(&seen));
    screen.text(&journal.text());
    screen.text(&format!("\nnext: {}\n", global.complete(next(&seen))));
    Ok(Exit::Ok)
}

fn next(seen: &Replicators) -> &'static str {
    let all_run = seen
        .replicators
        .iter()
        .all(|one| one.state.as_deref() == Some("running"));
    match all_run {
        true => "kafka-migrate ready --wait 4h",
        false => "kafka-migrate replicate",
    }
}

fn text(seen: &Replicators) -> String {
    let rows: Vec<[String; 7]> = seen.replicators.iter().map(row).collect();
    let header = [
        "replicator",
        "state",
        "MessageLag",
        "latency",
        "throughput",
        "failures",
        "groups",
    ];
    let mut text = tables::grid(&header, &rows);
    for one in &seen.replicators {
        for (what, words) in [
            ("AWS says", &one.says),
            ("what to do", &one.advice),
            ("no numbers", &one.numbers_trouble),
        ] {
            if let Some(words) = words {
                text += &format!("  {}: {what}: {}\n", one.name, printable(words));
            }
        }
    }
    if let Some(trouble) = &seen.log_trouble {
        text += &format!("\nthe log cannot be read: {}\n", printable(trouble));
    }
    if !seen.log.is_empty() {
        text += "\nthe log says, the newest first\n";
        for line in &seen.log {
            let at = numbers::clock(line.at_ms);
            text += &format!("  {at}  {}\n", printable(&line.text));
            if let (Some(cause), Some(cure)) = (line.cause, line.cure) {
                text += &format!("            {cause}: {cure}\n");
            }
        }
    }
    text
}

fn row(one: &One) -> [String; 7] {
    let state = one.state.clone().unwrap_or_else(|| "not there".to_owned());
    let told = |metric: &str, words: fn(f64) -> String| {
        let mut all = one.numbers.iter();
        let found = all.find(|number| number.metric == metric && number.cluster.is_none());
        match found.map(|number| (number.value, number.age_ms, number.stale)) {
            Some((Some(value), Some(age_ms), false)) => {
                format!("{} ({} ago)", words(value), age(age_ms))
            }
            Some((Some(value), Some(age_ms), true)) => {
                format!("{} ({} ago: too old)", words(value), age(age_ms))
            }
            Some(_) => "unknown".to_owned(),
            None => "-".to_owned(),
        }
    };
    let count = |value: f64| numbers::exact(value as u64);
    [
        format!("{} ({})", one.name, one.direction),
        state,
        told("MessageLag", count),
        told("ReplicationLatency", |ms| {
            numbers::time(std::time::Duration::from_millis(ms as u64))
        }),
        told("ReplicatorThroughput", numbers::rate),
        told("ReplicatorFailure", count),
        told("ConsumerGroupCount", count),
    ]
}

fn age(age_ms: u64) -> String {
    numbers::time(std::time::Duration::from_millis(age_ms))
}
