//! Where are we: the engine, lag by topic, what is in the way.

use clap::Args;
use serde::Serialize;

pub(super) use self::lists::decided;
use self::{
    journal::Journal,
    lists::{TRIMMED_SHOWN, held, seams, transactions, trimmed},
};
use super::{Global, connect, replicate::engine_settings};
use crate::{
    clock,
    cluster::{Source, Target},
    config::Settings,
    engine::{
        self,
        status::{Batches, EngineState, Status as Seen, WayBack},
    },
    error::Failure,
    exit::Exit,
    ui::{Screen, numbers, printable, tables},
};

/// Show where the migration is: the engine, the lag of each topic, what is in the way
///
/// It works from any machine that reaches both clusters: it asks them, and the ledger on the target, not the engine
/// itself. It changes nothing.
#[derive(Debug, Args)]
pub struct Status {
    /// Look again and again until Ctrl-C: redrawn in place on a terminal, a line for each change elsewhere
    #[arg(short, long)]
    watch: bool,

    /// Show which offsets the ledgers can translate to the other cluster, and the place there of one
    #[arg(
        long,
        value_name = "TOPIC:PARTITION:OFFSET",
        num_args = 0..=1,
        default_missing_value = "",
        conflicts_with = "watch"
    )]
    map: Option<map::Wanted>,
    /// Show every group that is carried, not only those whose position is not exact
    #[arg(long)]
    groups: bool,
}

mod groups;
mod journal;
mod lists;
mod map;
#[cfg(feature = "aws")]
mod replicators;
mod sync;
mod watch;

/// Stopped partitions whose ways on are shown to a person.
const WAYS_SHOWN: usize = 10;

/// What one look found.
struct Looked {
    status: Seen,
    journal: Journal,
    at_ms: i64,
}

#[derive(Serialize)]
struct Document<'a> {
    at: String,
    event: &'static str,
    #[serde(flatten)]
    status: &'a Seen,
    journal: &'a Journal,
}

impl<'a> Document<'a> {
    fn of(looked: &'a Looked) -> Self {
        Self {
            at: numbers::stamp(looked.at_ms),
            event: "status",
            status: &looked.status,
            journal: &looked.journal,
        }
    }
}

impl Status {
    /// Asks once, or again and again, and prints it.
    pub async fn run(&self, global: &Global, screen: &Screen) -> Result<Exit, Failure> {
        let settings = global.settings(&[]).await?;
        global.notes(&settings, screen);
        #[cfg(feature = "aws")]
        if let Some(msk) = &settings.msk {
            if self.map.is_some() {
                let hint = "MSK Replicator translates the positions of groups by itself";
                let why = "it keeps no map of offsets";
                return Err(super::refusal::of_backend(&["--map"], why, hint));
            }
            return match self.watch {
                true => Box::pin(replicators::watch(&settings, msk, global, screen)).await,
                false => Box::pin(replicators::run(&settings, msk, global, screen)).await,
            };
        }
        if self.watch {
            return Box::pin(watch::run(&settings, global, screen)).await;
        }
        let (source, target) = connect::both(&settings).await?;
        if let Some(wanted) = &self.map {
            let asked = engine_settings(&settings, engine::Until::Stopped);
            let clusters = (&source, &target);
            map::run(wanted, &asked, clusters, global, screen).await?;
            return Ok(Exit::Ok);
        }
        let looked = Box::pin(look(&settings, global, &source, &target)).await?;
        if screen.is_json() {
            screen.document(&Document::of(&looked));
        } else {
            let all = if self.groups { usize::MAX } else { 0 };
            screen.text(&picture(&looked, all, global));
        }
        Ok(Exit::Ok)
    }
}

/// Asks both clusters, the ledger and the journal.
async fn look(
    settings: &Settings,
    global: &Global,
    source: &Source,
    target: &Target,
) -> Result<Looked, Failure> {
    let asked = engine_settings(settings, engine::Until::Stopped);
    let (status, state) = tokio::join!(
        engine::status::look(&asked, source, target),
        super::journal::look(settings, source, target)
    );
    let mut status = status?;
    let there = status.stopped.iter_mut().map(|one| &mut one.choices);
    let back = status.way_back.iter_mut();
    let back = back.flat_map(|back| back.stopped.iter_mut().map(|one| &mut one.choices));
    for choice in there.chain(back).flatten() {
        choice.command = choice
            .command
            .take()
            .map(|command| global.complete(&command));
    }
    Ok(Looked {
        status,
        // What the clusters and the ledger say is worth showing whatever became of the journal.
        journal: Journal::of(state, &settings.applications),
        at_ms: clock::unix_millis(),
    })
}

/// All of it, for people.
fn picture(looked: &Looked, groups: usize, global: &Global) -> String {
    format!(
        "{}{}{}\nnext: {}\n",
        text(&looked.status, looked.at_ms),
        groups::text(looked.status.groups.as_ref(), groups, looked.at_ms),
        looked.journal.text(),
        global.complete(&next(&looked.status))
    )
}

/// The direction from the target back to the source.
fn way_back(back: &WayBack) -> String {
    let lag = back.message_lag.map_or_else(
        || "how far it is, is unknown".to_owned(),
        |lag| {
            format!(
                "{} offsets of the target not passed yet",
                numbers::exact(lag)
            )
        },
    );
    let mut text = format!("{}; {lag}", engine_word(back.engine));
    if back.engine == EngineState::Running {
        let records = back.records_per_second.round() as u64;
        text += &format!("; {} rec/s came back last", numbers::count(records));
    }
    let Batches { echoes, jumps, .. } = back.batches;
    if echoes + jumps > 0 {
        text += &format!(
            "\n           our own copies, left where they are: {} batches told by their headers, {} ranges not even read",
            numbers::exact(echoes),
            numbers::exact(jumps)
        );
    }
    for one in back.trimmed.iter().take(TRIMMED_SHOWN) {
        text += &format!(
            "\n           {}-{}: its owner, group {}, had read {} there and deleted them before they came back, and that is no gap",
            one.topic,
            one.partition,
            one.group,
            numbers::of(one.offsets, "offset")
        );
    }
    for one in &back.stopped {
        text += &format!(
            "\n           {}-{} stopped at target offset {}: {}  {}",
            one.topic,
            one.partition,
            one.target_offset,
            printable(&one.reason),
            one.code
        );
    }
    for one in back.stopped.iter().take(WAYS_SHOWN) {
        text += &format!("\n           ways on for {}-{}", one.topic, one.partition);
        for choice in &one.choices {
            text += &format!("\n             {}", choice.does);
            if let Some(command) = &choice.command {
                text += &format!("\n               {command}");
            }
        }
    }
    text
}

/// Everything but the next command.
fn text(status: &Seen, now: i64) -> String {
    let mut text = format!(
        "{}   engine: {}   source {} → target {}\n",
        status.migration,
        engine_word(status.engine),
        status.source_cluster,
        status.target_cluster
    );
    let mut line = |name: &str, value: String| text += &format!("{name:<10} {value}\n");
    if let Some(owner) = &status.owner {
        line("owner", owner.clone());
    }
    if let Some(beat) = status.last_heartbeat_ms {
        line("heartbeat", heartbeat(beat, now));
    }
    line(
        "lag",
        status.message_lag.map_or_else(
            || "unknown: a cluster did not say".to_owned(),
            |lag| format!("{} offsets in all", numbers::exact(lag)),
        ),
    );
    if status.engine == EngineState::Running {
        let records = status.records_per_second.round() as u64;
        line(
            "speed",
            format!(
                "{}  {} rec/s, as the engine last said",
                numbers::rate(status.bytes_per_second),
                numbers::count(records)
            ),
        );
    }
    if let Some(reason) = &status.throttled_by {
        line("slowed", format!("on purpose: {reason}"));
    }
    if let Some(back) = &status.way_back {
        line("way back", way_back(back));
    }
    if let Some(pause) = &status.pause {
        let since = numbers::stamp(pause.at_ms);
        let (what, by) = (&pause.what, printable(&pause.by));
        line(
            "request",
            format!("{what} by {by} since {since}, whoever runs, until `kafka-migrate resume`"),
        );
    }
    if let Some(limit) = &status.limit {
        let since = numbers::stamp(limit.at_ms);
        let (what, by) = (&limit.what, printable(&limit.by));
        line(
            "request",
            format!(
                "{what} by {by} since {since}, whoever runs, until `kafka-migrate throttle default`"
            ),
        );
    }
    if !status.topics.is_empty() {
        text += "\n";
        text += &topics(status);
    }
    if !status.stopped.is_empty() {
        text += &format!(
            "\n{} stopped; nothing is skipped unless you say so\n",
            numbers::of(status.stopped.len() as u64, "partition")
        );
        text += &stopped(status);
        for one in status.stopped.iter().take(WAYS_SHOWN) {
            text += &format!("\nways on for {}-{}\n", one.topic, one.partition);
            for choice in &one.choices {
                text += &format!("  {}\n", choice.does);
                if let Some(command) = &choice.command {
                    text += &format!("    {command}\n");
                }
            }
        }
        if status.stopped.len() > WAYS_SHOWN {
            text += &format!(
                "\nand {} more (--json for all)\n",
                status.stopped.len() - WAYS_SHOWN
            );
        }
    }
    if !status.seams.is_empty() {
        text += "\nkept on the target, in front of ours\n";
        text += &seams(&status.seams);
    }
    if !status.held.is_empty() {
        text += "\nheld on the target until nothing old is left to come, then put back\n";
        text += &held(&status.held);
    }
    text += &sync::text(status.sync.as_ref());
    match &status.open_transactions {
        Some(open) if open.is_empty() => {}
        Some(open) => {
            text += &format!(
                "\n{} open on the source; what lies behind is copied once they end\n",
                numbers::of(open.len() as u64, "transaction")
            );
            text += &transactions(open, now);
        }
        None => text += "\ntransactions are open on the source, and it does not say whose\n",
    }
    if !status.trimmed.is_empty() {
        text += "\nread and deleted by its owner before it was copied, and no gap\n";
        text += &trimmed(&status.trimmed);
    }
    if !status.decided.is_empty() {
        text += "\nwhat a person decided\n";
        text += &decided(&status.decided);
    }
    text
}

fn topics(status: &Seen) -> String {
    let rows: Vec<[String; 6]> = status
        .topics
        .iter()
        .map(|topic| {
            [
                topic.topic.clone(),
                topic.partitions.to_string(),
                topic.stopped.to_string(),
                numbers::exact(topic.copied),
                numbers::exact(topic.end),
                numbers::exact(topic.lag),
            ]
        })
        .collect();
    tables::grid(
        &[
            "topic",
            "partitions",
            "stopped",
            "copied to",
            "source end",
            "lag",
        ],
        &rows,
    )
}

fn stopped(status: &Seen) -> String {
    let rows: Vec<[String; 5]> = status
        .stopped
        .iter()
        .map(|stopped| {
            [
                format!("{}-{}", stopped.topic, stopped.partition),
                stopped.code.clone(),
                stopped.source_offset.to_string(),
                numbers::stamp(stopped.since_ms),
                stopped.reason.clone(),
            ]
        })
        .collect();
    tables::grid(
        &["partition", "code", "from offset", "since", "what happened"],
        &rows,
    )
}

/// Ages of two machines' clocks are for people only, and say so.
fn heartbeat(beat: i64, now: i64) -> String {
    let clock = format!("{} by the engine's clock", numbers::stamp(beat));
    match u64::try_from(now - beat) {
        Ok(age) => format!(
            "{clock}; {} ago, if this machine's clock agrees",
            numbers::time(std::time::Duration::from_millis(age))
        ),
        Err(_) => format!("{clock}, which is ahead of this machine's"),
    }
}

fn engine_word(engine: EngineState) -> &'static str {
    match engine {
        EngineState::NeverStarted => "never started",
        EngineState::Running => "running",
        EngineState::Stopped => "stopped cleanly",
        EngineState::Silent => "silent: it does not run, or cannot reach the target",
    }
}

fn next(status: &Seen) -> String {
    match (status.engine, status.message_lag) {
        (EngineState::Running | EngineState::Stopped, Some(0)) if status.stopped.is_empty() => {
            "kafka-migrate verify"
        }
        (EngineState::Running, _) => "kafka-migrate status",
        _ => "kafka-migrate replicate",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
