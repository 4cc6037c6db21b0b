//! The table of gates: code, name, question, what it guards, and the function that answers.
//!
//! A gate is a pure function of an observation and of limits. What it could not learn is `unknown`, never `pass`.

mod copied;
mod fit;
mod hold;
mod reach;
mod replicator;
mod rights;
mod safe;
mod scope;
#[cfg(test)]
mod tests;

pub use hold::{Held, Hold, Standing};
use serde::Serialize;

use crate::{
    model::limits::Limits,
    observe::{Known, Observation},
};

/// Older answers decide nothing.
const FRESH_MS: u64 = 30_000;
/// Things named before the rest is counted.
const NAMED: usize = 5;

/// What a gate answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// As it should be.
    Pass,
    /// It holds nothing up, and deserves a look.
    Warn,
    /// No.
    Block,
    /// It could not look.
    Unknown,
}

impl Answer {
    /// The word that people and programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Block => "block",
            Self::Unknown => "unknown",
        }
    }
}

/// What a gate guards, and so where it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guards {
    /// The first copy: `preflight`.
    Replicate,
    /// The move of applications: `ready`.
    Cutover,
    /// Both.
    Both,
}

impl Guards {
    fn has(self, phase: Self) -> bool {
        self == Self::Both || self == phase
    }
}

/// One gate.
pub struct Gate {
    /// Its code; never reused.
    pub code: &'static str,
    /// A statement that can be true.
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
    /// What it guards.
    pub guards: Guards,
    /// Whether `unknown` holds up what it guards; one that only tells something does not.
    pub unknown_counts: bool,
    /// What it says takes several observations: a single one that says `unknown` decides nothing yet.
    pub takes_time: bool,
    /// The answer.
    pub ask: fn(&Observation, &Limits) -> Asked,
}

/// What a gate found, or why it could not look.
pub type Asked = Result<Finding, CannotLook>;

/// Why a gate could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CannotLook {
    reason: String,
    fix: Option<String>,
    commands: Vec<String>,
}

impl CannotLook {
    fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            fix: None,
            commands: Vec::new(),
        }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

/// What a gate found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    answer: Answer,
    evidence: String,
    because: Vec<String>,
    fix: Option<String>,
    commands: Vec<String>,
}

impl Finding {
    fn new(answer: Answer, evidence: impl Into<String>) -> Self {
        Self {
            answer,
            evidence: evidence.into(),
            because: Vec::new(),
            fix: None,
            commands: Vec::new(),
        }
    }

    fn pass(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Pass, evidence)
    }

    fn warn(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Warn, evidence)
    }

    fn block(evidence: impl Into<String>) -> Self {
        Self::new(Answer::Block, evidence)
    }

    /// Adds what it is about, one line each.
    fn of(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.because.extend(lines);
        self
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Commands of Kafka's own tools that put it right. Printed, never run.
    fn run(mut self, commands: impl IntoIterator<Item = String>) -> Self {
        self.commands.extend(commands);
        self
    }
}

/// A gate's answer, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The gate's code.
    pub code: &'static str,
    /// The gate's name.
    pub name: &'static str,
    /// The answer.
    pub verdict: Answer,
    /// What it rests on.
    pub evidence: String,
    /// What it is about, one line each.
    pub because: Vec<String>,
    /// What to do.
    pub fix: Option<String>,
    /// Commands of Kafka's own tools that put it right.
    pub commands: Vec<String>,
    /// The reason for which a person lets this pass.
    pub waived: Option<String>,
    /// Where the page about it stands.
    pub page: String,
    /// Whether it holds up what the gate guards.
    pub holds_up: bool,
    /// Whether only more observations can tell.
    #[serde(skip)]
    pub takes_time: bool,
}

/// A person's word that something may be as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiver {
    /// The gate.
    pub code: String,
    /// Why.
    pub reason: String,
}

const fn gate(
    code: &'static str,
    name: &'static str,
    guards: Guards,
    ask: fn(&Observation, &Limits) -> Asked,
    question: &'static str,
) -> Gate {
    Gate {
        code,
        name,
        question,
        guards,
        unknown_counts: true,
        takes_time: false,
        ask,
    }
}

/// One that tells something and guards only by a plain no.
const fn telling(mut gate: Gate) -> Gate {
    gate.unknown_counts = false;
    gate
}

const fn slow(mut gate: Gate) -> Gate {
    gate.takes_time = true;
    gate
}

use Guards::{Both, Cutover, Replicate};

/// Every gate, in the order in which it is asked and shown.
pub const GATES: &[Gate] = &[
    gate(
        "G101",
        "brokers-reachable",
        Both,
        reach::brokers_reachable,
        "Can every advertised broker of both clusters be reached and logged in to?",
    ),
    gate(
        "G102",
        "clusters-differ",
        Both,
        reach::clusters_differ,
        "Are source and target two clusters?",
    ),
    gate(
        "G103",
        "versions-suffice",
        Replicate,
        reach::versions_suffice,
        "Do all brokers speak what we cannot do without?",
    ),
    telling(gate(
        "G104",
        "clocks-agree",
        Both,
        reach::clocks_agree,
        "Do the clocks of both clusters agree?",
    )),
    gate(
        "G105",
        "credentials-outlive-the-window",
        Both,
        reach::credentials_outlive,
        "Will certificates and logins outlive the migration?",
    ),
    gate(
        "G106",
        "can-read-source",
        Replicate,
        rights::can_read_source,
        "May we read every topic in scope and its settings?",
    ),
    gate(
        "G107",
        "can-create-topics",
        Replicate,
        rights::can_create_topics,
        "Would the target make the topics that it lacks?",
    ),
    gate(
        "G108",
        "can-write-target",
        Replicate,
        rights::can_write_target,
        "May we write to every topic on the target, and read back what we wrote?",
    ),
    gate(
        "G109",
        "can-keep-the-ledger",
        Replicate,
        rights::can_keep_ledger,
        "May we make, write, read and trim the ledger?",
    ),
    gate(
        "G110",
        "can-use-transactional-ids",
        Replicate,
        rights::can_use_transactional_ids,
        "May we use the transactional ids by which older engines are shut out?",
    ),
    gate(
        "G111",
        "can-see-groups",
        Both,
        rights::can_see_groups,
        "Does the source show us every group in scope?",
    ),
    gate(
        "G112",
        "message-sizes-fit",
        Replicate,
        fit::message_sizes_fit,
        "Does the target take batches as large as the source holds?",
    ),
    gate(
        "G113",
        "timestamps-fit",
        Replicate,
        fit::timestamps_fit,
        "Does the target take records as old and as young as the source holds, with their own time?",
    ),
    gate(
        "G115",
        "cleanup-policies-fit",
        Replicate,
        fit::cleanup_policies_fit,
        "Does the target keep what the source keeps?",
    ),
    gate(
        "G116",
        "replication-fits",
        Replicate,
        fit::replication_fits,
        "Are there brokers enough on the target for the replicas?",
    ),
    gate(
        "G117",
        "same-partitions",
        Both,
        fit::same_partitions,
        "Has every topic as many partitions on both sides?",
    ),
    gate(
        "G118",
        "target-topics-are-ours",
        Replicate,
        fit::target_topics_are_ours,
        "Do the topics on the target hold nothing but what this migration wrote?",
    ),
    gate(
        "G119",
        "no-other-migration",
        Replicate,
        scope::no_other_migration,
        "Does no other migration write the same topics?",
    ),
    gate(
        "G120",
        "topics-exist",
        Both,
        scope::topics_exist,
        "Is every topic that the file names on the source?",
    ),
    gate(
        "G121",
        "applications-recognised",
        Both,
        scope::applications_recognised,
        "Is there anything that needs more than topics and positions: Streams, Connect?",
    ),
    telling(gate(
        "G123",
        "topic-count-fits",
        Replicate,
        fit::topic_count_fits,
        "Are there not more topics than the backend takes?",
    )),
    telling(gate(
        "G124",
        "copy-time-is-known",
        Replicate,
        fit::copy_time,
        "How much is there to copy, and how long does it take?",
    )),
    gate(
        "G201",
        "replicator-failure-zero",
        Cutover,
        replicator::no_failure,
        "ReplicatorFailure: does the replicator run as it should?",
    ),
    gate(
        "G202",
        "offset-sync-failure-zero",
        Cutover,
        replicator::no_sync_failure,
        "ConsumerGroupOffsetSyncFailure: are positions carried without failures?",
    ),
    gate(
        "G203",
        "cluster-pings-succeed",
        Cutover,
        replicator::pings_succeed,
        "KafkaClusterPingSuccessCount: do both clusters answer?",
    ),
    slow(gate(
        "G204",
        "message-lag-low",
        Cutover,
        replicator::message_lag_low,
        "MessageLag: does the target hold what the source holds, and not fall behind?",
    )),
    slow(gate(
        "G205",
        "replication-latency-low",
        Cutover,
        replicator::latency_low,
        "ReplicationLatency: does a record arrive soon?",
    )),
    slow(gate(
        "G206",
        "sum-offset-lag-low",
        Cutover,
        replicator::offset_lag_low,
        "SumOffsetLag: have the groups read what there is, on both clusters?",
    )),
    gate(
        "G207",
        "consumer-group-count-as-expected",
        Cutover,
        replicator::groups_as_expected,
        "ConsumerGroupCount: is every group that should be on the target there?",
    ),
    gate(
        "G211",
        "no-partition-stopped",
        Cutover,
        copied::no_partition_stopped,
        "Is every partition being copied?",
    ),
    gate(
        "G212",
        "way-back",
        Cutover,
        safe::way_back,
        "Can an application go back after it has moved?",
    ),
    gate(
        "G213",
        "one-writer",
        Cutover,
        safe::one_writer,
        "Is every compacted topic written on one side only?",
    ),
    gate(
        "G214",
        "backlog-copied",
        Cutover,
        copied::backlog_copied,
        "Is everything that the groups have not read yet within what is copied?",
    ),
    gate(
        "G215",
        "whole-application",
        Both,
        scope::whole_application,
        "Is everything that the groups and applications read in scope?",
    ),
    gate(
        "G217",
        "retention-not-overtaking",
        Cutover,
        copied::retention_not_overtaking,
        "Is the source not about to delete what is not copied yet?",
    ),
    gate(
        "G218",
        "tombstones-in-time",
        Cutover,
        copied::tombstones_in_time,
        "Are compacted topics copied before their tombstones are cleaned away?",
    ),
    gate(
        "G219",
        "replicas-in-sync",
        Cutover,
        copied::replicas_in_sync,
        "Are all replicas of the topics in sync, on both sides?",
    ),
    gate(
        "G220",
        "limits-fit-both-ways",
        Cutover,
        safe::limits_fit_both_ways,
        "Does each side take what applications may write on the other?",
    ),
];

/// Asks every gate that guards this phase.
pub fn ask(phase: Guards, seen: &Observation, limits: &Limits, waivers: &[Waiver]) -> Vec<Verdict> {
    let asked = GATES.iter().filter(|gate| gate.guards.has(phase));
    asked
        .map(|gate| gate.verdict(seen, limits, waivers))
        .collect()
}

/// The gate of that code.
pub fn find(code: &str) -> Option<&'static Gate> {
    GATES
        .iter()
        .find(|gate| gate.code.eq_ignore_ascii_case(code))
}

impl Gate {
    /// Its answer, with what a person said about it.
    pub fn verdict(&self, seen: &Observation, limits: &Limits, waivers: &[Waiver]) -> Verdict {
        let finding = (self.ask)(seen, limits).unwrap_or_else(|cannot| Finding {
            answer: Answer::Unknown,
            evidence: cannot.reason,
            because: Vec::new(),
            fix: cannot.fix,
            commands: cannot.commands,
        });
        let in_the_way = match finding.answer {
            Answer::Pass | Answer::Warn => false,
            Answer::Block => true,
            Answer::Unknown => self.unknown_counts,
        };
        let waived = waivers
            .iter()
            .find(|waiver| waiver.code == self.code && in_the_way)
            .map(|waiver| waiver.reason.clone());
        Verdict {
            code: self.code,
            name: self.name,
            verdict: finding.answer,
            evidence: finding.evidence,
            because: finding.because,
            fix: finding.fix,
            commands: finding.commands,
            holds_up: in_the_way && waived.is_none(),
            waived,
            page: format!("docs/errors/{}.md", self.code),
            takes_time: self.takes_time && finding.answer == Answer::Unknown,
        }
    }
}

/// The answer, if it is fresh enough to decide by.
fn fresh<T>(known: &Known<T>) -> Result<&T, CannotLook> {
    match known {
        Known::Seen { value, age_ms } if *age_ms <= FRESH_MS => Ok(value),
        Known::Seen { age_ms, .. } => Err(CannotLook::because(format!(
            "what was seen is {}s old",
            age_ms / 1000
        ))),
        Known::Unknown { reason } => Err(CannotLook::because(reason.clone())),
    }
}

/// Names, the first few of them.
fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(NAMED);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A command line of `kafka-acls` that gives these rights and no others.
fn acls(side: &crate::observe::ClusterSeen, operations: &[&str], resource: &str) -> String {
    let operations: Vec<String> = operations
        .iter()
        .map(|one| format!("--operation {one}"))
        .collect();
    format!(
        "kafka-acls --bootstrap-server {} --command-config admin.properties --add --allow-principal {} {} {resource}",
        side.bootstrap.first().map_or("HOST:PORT", String::as_str),
        principal(side),
        operations.join(" "),
    )
}

fn principal(side: &crate::observe::ClusterSeen) -> String {
    side.user.as_ref().map_or_else(
        || "User:ANONYMOUS".to_owned(),
        |user| quoted(&format!("User:{user}")),
    )
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':' | '/' | '=')
    };
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
