//! `status` where MSK Replicator copies: both replicators, their numbers with their age, and what their log says of trouble.

use serde::Serialize;

use super::{
    journal::{ApplicationStatus, Journal},
    watch::{Shown, again_and_again, on_a_line},
};
use crate::{
    aws::Clients,
    cli::{Global, connect, journal, replicate},
    clock,
    cluster::{Source, Target},
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

/// What one look found.
struct Looked {
    at_ms: i64,
    seen: Replicators,
    journal: Journal,
    /// Their ids, source and target.
    clusters: [String; 2],
}

impl Looked {
    fn document<'a>(&'a self, settings: &'a Settings) -> Document<'a> {
        Document {
            v: 1,
            at: numbers::stamp(self.at_ms),
            event: "replicators",
            migration: &settings.name,
            source_cluster: &self.clusters[0],
            target_cluster: &self.clusters[1],
            replicators: &self.seen,
            applications: &self.journal.applications,
            journal_trouble: self.journal.trouble.as_deref(),
        }
    }

    fn picture(&self, settings: &Settings, global: &Global) -> String {
        let [source, target] = &self.clusters;
        format!(
            "{}   source {source} → target {target}   backend: msk\n\n{}{}\nnext: {}\n",
            settings.name,
            text(&self.seen),
            self.journal.text(),
            global.complete(next(&self.seen))
        )
    }

    /// A change: everything but numbers that move by themselves.
    fn state(&self) -> String {
        let states = self.seen.replicators.iter();
        let states: Vec<_> = states
            .map(|one| (&one.state, &one.says, &one.numbers_trouble))
            .collect();
        let log: Vec<_> = self.seen.log.iter().map(|line| &line.text).collect();
        format!(
            "{:?}",
            (states, log, &self.seen.log_trouble, self.journal.text())
        )
    }

    /// It in a line, for logs.
    fn line(&self) -> String {
        let each = self.seen.replicators.iter().map(|one| {
            let [_, state, lag, ..] = row(one);
            format!("{} {state}  MessageLag {lag}", one.direction)
        });
        let mut parts: Vec<String> = each.collect();
        if let Some(newest) = self.seen.log.first() {
            parts.push(format!("the log says: {}", printable(&newest.text)));
        }
        parts.join("  ")
    }
}

async fn look(
    clients: &Clients,
    (settings, msk): (&Settings, &Msk),
    (source, target): (&Source, &Target),
) -> Result<Looked, Failure> {
    let read = journal::look(settings, source, target).await;
    let known = read.as_ref().ok().cloned().unwrap_or_default();
    let directions = replicate::directions(None);
    let ids = (source.id(), target.id());
    let wanted = replicate::replicators::wanted(settings, msk, directions, ids, &known);
    Ok(Looked {
        seen: Box::pin(state(clients, msk, &wanted)).await?,
        journal: Journal::of(read, &settings.applications),
        at_ms: clock::unix_millis(),
        clusters: [ids.0.to_owned(), ids.1.to_owned()],
    })
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
    let looked = look(&clients, (settings, msk), (&source, &target)).await?;
    match screen.is_json() {
        true => screen.document(&looked.document(settings)),
        false => screen.text(&looked.picture(settings, global)),
    }
    Ok(Exit::Ok)
}

/// Asks as often as AWS is asked elsewhere, until a signal comes.
pub async fn watch(
    settings: &Settings,
    msk: &Msk,
    global: &Global,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let clients = Box::pin(Clients::open(&msk.region, None)).await;
    let looking = async |source: &Source, target: &Target| {
        let looked = look(&clients, (settings, msk), (source, target)).await?;
        Ok(Shown {
            at_ms: looked.at_ms,
            picture: looked.picture(settings, global),
            line: looked.line(),
            state: looked.state(),
            document: on_a_line(&looked.document(settings)),
        })
    };
    Box::pin(again_and_again(settings, msk.ask, looking, screen)).await
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
