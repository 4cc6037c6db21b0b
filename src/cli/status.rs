//! Where are we: the engine, lag by topic, what is in the way.

use clap::Args;
use serde::Serialize;

use self::journal::Journal;
use super::{Global, connect, replicate::engine_settings};
use crate::{
    clock,
    cluster::{Source, Target},
    config::Settings,
    engine::{
        self,
        status::{
            Batches, Decided, EngineState, HeldStatus, OpenTransaction, SeamStatus, Status as Seen,
            TrimmedStatus, WayBack,
        },
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
mod map;
#[cfg(feature = "aws")]
mod replicators;
mod sync;
mod watch;

/// Stopped partitions whose ways on are shown to a person.
const WAYS_SHOWN: usize = 10;
/// Open transactions shown to a person, the oldest.
const TRANSACTIONS_SHOWN: usize = 10;

/// Kept partitions shown to a person.
const SEAMS_SHOWN: usize = 10;
/// Partitions shown of which something was deleted by its owner.
const TRIMMED_SHOWN: usize = 10;
/// Held settings shown to a person.
const HELD_SHOWN: usize = 10;

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

fn transactions(open: &[OpenTransaction], now: i64) -> String {
    let rows: Vec<[String; 6]> = open
        .iter()
        .take(TRANSACTIONS_SHOWN)
        .map(|one| {
            let age = u64::try_from(now - one.since_ms).unwrap_or(0);
            [
                format!("{}-{}", one.topic, one.partition),
                one.transactional_id
                    .clone()
                    .unwrap_or_else(|| "unknown".to_owned()),
                one.producer_id.to_string(),
                one.first_offset.to_string(),
                numbers::exact(one.held_back),
                numbers::time(std::time::Duration::from_millis(age)),
            ]
        })
        .collect();
    tables::grid(
        &[
            "partition",
            "transactional id",
            "producer",
            "from offset",
            "held back",
            "open for",
        ],
        &rows,
    )
}

/// Partitions whose target held records before, the first of them.
fn seams(all: &[SeamStatus]) -> String {
    let rows: Vec<[String; 4]> = all
        .iter()
        .take(SEAMS_SHOWN)
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                format!("{} to {}", one.kept_from, one.target_offset - 1),
                one.target_offset.to_string(),
                one.source_offset.to_string(),
            ]
        })
        .collect();
    let header = [
        "partition",
        "target offsets of before",
        "ours from",
        "source from",
    ];
    let mut text = tables::grid(&header, &rows);
    if all.len() > SEAMS_SHOWN {
        text += &format!("and {} more (--json for all)\n", all.len() - SEAMS_SHOWN);
    }
    text
}

/// Settings that are not as they were, the first of them.
fn held(all: &[HeldStatus]) -> String {
    let rows: Vec<[String; 5]> = all
        .iter()
        .take(HELD_SHOWN)
        .map(|one| {
            let before = one.before.as_deref().unwrap_or("the broker's own");
            [
                one.topic.clone(),
                one.setting.clone(),
                one.held.clone(),
                before.to_owned(),
                numbers::stamp(one.since_ms),
            ]
        })
        .collect();
    let mut text = tables::grid(&["topic", "setting", "now", "before", "since"], &rows);
    if all.len() > HELD_SHOWN {
        text += &format!("and {} more (--json for all)\n", all.len() - HELD_SHOWN);
    }
    text
}

/// What owners of repartition topics had read and deleted.
fn trimmed(all: &[TrimmedStatus]) -> String {
    let rows: Vec<[String; 6]> = all
        .iter()
        .take(TRIMMED_SHOWN)
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                one.group.clone(),
                numbers::exact(one.offsets),
                numbers::exact(one.times),
                format!("{} to {}", one.from, one.to - 1),
                numbers::stamp(one.at_ms),
            ]
        })
        .collect();
    let heads = ["partition", "owner", "offsets", "times", "last", "when"];
    let mut text = tables::grid(&heads, &rows);
    if all.len() > TRIMMED_SHOWN {
        let more = all.len() - TRIMMED_SHOWN;
        text += &format!("and {more} more (--json for all)\n");
    }
    text
}

/// What persons decided about partitions that had stopped.
pub fn decided(all: &[Decided]) -> String {
    let rows: Vec<[String; 5]> = all
        .iter()
        .map(|one| {
            [
                format!("{}-{}", one.topic, one.partition),
                one.code.clone(),
                numbers::stamp(one.at_ms),
                one.by.clone(),
                one.decision.clone(),
            ]
        })
        .collect();
    tables::grid(&["partition", "past", "when", "who", "what"], &rows)
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
mod tests {
    use super::*;
    use crate::{
        engine::status::{SteeredStatus, StoppedPartition, TopicStatus},
        events::Choice,
    };

    fn status() -> Seen {
        let topic = |topic: &str, stopped, copied, end, lag| TopicStatus {
            topic: topic.into(),
            partitions: 6,
            stopped,
            copied,
            end,
            lag,
        };
        Seen {
            v: 1,
            migration: "orders".into(),
            source_cluster: "Aaa".into(),
            target_cluster: "Bbb".into(),
            engine: EngineState::Running,
            owner: Some("host-7, process 4711, kafka-migrate 0.1.0".into()),
            last_heartbeat_ms: Some(1_769_868_120_000),
            topics: vec![
                topic("orders", 1, 1_840_000, 2_100_000, 260_000),
                topic("payments", 0, 12, 12, 0),
            ],
            stopped: vec![StoppedPartition {
                topic: "orders".into(),
                partition: 3,
                code: "K501".into(),
                reason: "the source begins at 40".into(),
                source_offset: 12,
                goes_on_at: Some(40),
                since_ms: 1_769_868_000_000,
                choices: vec![Choice {
                    does: "give up source offsets 12 to 39, and go on at 40".into(),
                    command: Some("kafka-migrate replicate --accept-gap orders:3@12".into()),
                }],
            }],
            decided: vec![Decided {
                topic: "payments".into(),
                partition: 1,
                code: "K501".into(),
                decision: "source offsets 3 to 7 were given up".into(),
                from: 3,
                to: Some(8),
                by: "ann on ferry".into(),
                at_ms: 1_769_868_000_000,
            }],
            trimmed: vec![TrimmedStatus {
                topic: "sums-by-city-repartition".into(),
                partition: 4,
                group: "sums".into(),
                offsets: 2_340,
                times: 2,
                from: 1_200,
                to: 2_400,
                at_ms: 1_769_868_000_000,
            }],
            seams: vec![SeamStatus {
                topic: "orders".into(),
                partition: 4,
                kept_from: 20,
                target_offset: 1_020,
                source_offset: 7,
            }],
            held: vec![HeldStatus {
                topic: "orders".into(),
                setting: "retention.ms".into(),
                held: "-1".into(),
                before: Some("604800000".into()),
                since_ms: 1_769_868_000_000,
            }],
            open_transactions: Some(vec![OpenTransaction {
                topic: "payments".into(),
                partition: 2,
                transactional_id: Some("billing-1".into()),
                producer_id: 4711,
                first_offset: 9,
                held_back: 120,
                since_ms: 1_769_868_000_000,
                timeout_ms: Some(60_000),
            }]),
            message_lag: Some(260_000),
            records_per_second: 96_204.0,
            bytes_per_second: 412e6,
            throttled_by: Some("the target throttles us (quota)".into()),
            pause: Some(SteeredStatus {
                what: "paused".into(),
                by: "ann on ferry".into(),
                at_ms: 1_769_868_000_000,
            }),
            limit: Some(SteeredStatus {
                what: "at most 20.0 kB/s".into(),
                by: "bob on quay".into(),
                at_ms: 1_769_868_000_000,
            }),
            batches: Batches::default(),
            way_back: None,
            sync: None,
            groups: None,
        }
    }

    #[test]
    fn a_status_reads_well() {
        insta::assert_snapshot!(text(&status(), 1_769_868_122_100), @r#"
    orders   engine: running   source Aaa → target Bbb
    owner      host-7, process 4711, kafka-migrate 0.1.0
    heartbeat  2026-01-31T14:02:00.000Z by the engine's clock; 2.1s ago, if this machine's clock agrees
    lag        260,000 offsets in all
    speed      412 MB/s  96.2k rec/s, as the engine last said
    slowed     on purpose: the target throttles us (quota)
    request    paused by ann on ferry since 2026-01-31T14:00:00.000Z, whoever runs, until `kafka-migrate resume`
    request    at most 20.0 kB/s by bob on quay since 2026-01-31T14:00:00.000Z, whoever runs, until `kafka-migrate throttle default`

    topic     partitions  stopped  copied to  source end      lag
    orders             6        1  1,840,000   2,100,000  260,000
    payments           6        0         12          12        0

    1 partition stopped; nothing is skipped unless you say so
    partition  code  from offset  since                     what happened
    orders-3   K501           12  2026-01-31T14:00:00.000Z  the source begins at 40

    ways on for orders-3
      give up source offsets 12 to 39, and go on at 40
        kafka-migrate replicate --accept-gap orders:3@12

    kept on the target, in front of ours
    partition  target offsets of before  ours from  source from
    orders-4   20 to 1019                     1020            7

    held on the target until nothing old is left to come, then put back
    topic   setting       now     before  since
    orders  retention.ms   -1  604800000  2026-01-31T14:00:00.000Z

    1 transaction open on the source; what lies behind is copied once they end
    partition   transactional id  producer  from offset  held back  open for
    payments-2  billing-1             4711            9        120  2m 2s

    read and deleted by its owner before it was copied, and no gap
    partition                   owner  offsets  times  last          when
    sums-by-city-repartition-4  sums     2,340      2  1200 to 2399  2026-01-31T14:00:00.000Z

    what a person decided
    partition   past  when                      who           what
    payments-1  K501  2026-01-31T14:00:00.000Z  ann on ferry  source offsets 3 to 7 were given up
    "#);
    }

    #[test]
    fn a_heartbeat_of_the_future_is_no_age() {
        assert_eq!(
            heartbeat(2000, 1000),
            "1970-01-01T00:00:02.000Z by the engine's clock, which is ahead of this machine's"
        );
    }

    #[test]
    fn what_comes_next_depends_on_what_is() {
        let of = |engine, lag, stopped: bool| {
            let mut status = status();
            status.engine = engine;
            status.message_lag = lag;
            if !stopped {
                status.stopped.clear();
            }
            next(&status)
        };
        assert_eq!(
            of(EngineState::NeverStarted, Some(9), false),
            "kafka-migrate replicate"
        );
        assert_eq!(
            of(EngineState::Stopped, Some(9), false),
            "kafka-migrate replicate"
        );
        assert_eq!(
            of(EngineState::Silent, Some(0), false),
            "kafka-migrate replicate"
        );
        assert_eq!(
            of(EngineState::Stopped, Some(0), false),
            "kafka-migrate verify"
        );
        assert_eq!(
            of(EngineState::Running, Some(0), false),
            "kafka-migrate verify"
        );
        assert_eq!(
            of(EngineState::Running, Some(9), false),
            "kafka-migrate status"
        );
        assert_eq!(
            of(EngineState::Running, None, false),
            "kafka-migrate status"
        );
        assert_eq!(
            of(EngineState::Stopped, Some(0), true),
            "kafka-migrate replicate"
        );
    }

    #[test]
    fn the_document_is_the_status_with_its_time() {
        let looked = Looked {
            status: status(),
            journal: Journal::of(Ok(crate::run::state::State::default()), &[]),
            at_ms: 0,
        };
        let document = Document::of(&looked);
        let value = serde_json::to_value(&document).expect("it is JSON");
        assert_eq!(value["v"], 1);
        assert_eq!(value["at"], "1970-01-01T00:00:00.000Z");
        assert_eq!(value["migration"], "orders");
        assert_eq!(value["engine"], "running");
        assert_eq!(value["message_lag"], 260_000);
    }
}
