//! Topics in scope: found on the source, made and grown on the target before anything is copied to them.

mod create;

use std::{collections::HashSet, time::Duration};

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::{
    cluster::{ConfigEntry, Source, Target, TopicInfo, failure},
    error::Failure,
    model::{names::TopicName, numbers, scope::Scope},
    wire::codec::Codec,
};

/// How long the target may show nothing more of what was made a moment ago. A broker takes milliseconds for each partition.
const SETTLED_WITHIN: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Partitions and settings made by one command: a controller writes it as one batch of at most 10,000 entries
/// (`QuorumController.MAX_RECORDS_PER_USER_OP`).
const AT_ONCE: usize = 4000;

/// What a topic on the target takes, where that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takes {
    /// The largest batch, in bytes (`max.message.bytes`).
    pub largest: Option<usize>,
    /// The only codec (`compression.type`). A broker that has to change a batch's codec writes all of its records anew, and header names
    /// that are not UTF-8 are then others.
    pub codec: Option<Codec>,
    /// The age in milliseconds from which on it may delete records before all have arrived.
    pub too_old_ms: Option<i64>,
}

/// A topic of the source, and what stands for it on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its name, on both sides.
    pub name: TopicName,
    /// Its id on the source, nil where the cluster has none.
    pub source_id: Uuid,
    /// Its id on the target, nil where the cluster has none or the topic was not seen.
    pub target_id: Uuid,
    /// Partitions on the target: as many as on the source, unless it was refused.
    pub partitions: i32,
    /// What the target says that it takes.
    pub takes: Takes,
    /// For how many milliseconds the source keeps tombstones of it, if it is compacted there.
    pub tombstones_ms: Option<i64>,
    /// We made it just now.
    pub created: bool,
    /// With these settings.
    pub made_with: Vec<(String, String)>,
    /// Partitions from this number on are there since we made them just now: nobody wrote to them before.
    pub made_from: i32,
    /// Why nothing may be copied to it: a stable code and a sentence.
    pub refused: Option<(&'static str, String)>,
    /// What is not as on the source, or could not be learnt, in a sentence; it is copied to all the same.
    pub trouble: Option<String>,
}

impl Prepared {
    fn new(topic: &TopicInfo) -> Self {
        Self {
            name: topic.name.clone(),
            source_id: topic.id,
            target_id: Uuid::nil(),
            partitions: 0,
            takes: Takes::default(),
            tombstones_ms: None,
            created: false,
            made_with: Vec::new(),
            made_from: i32::MAX,
            refused: None,
            trouble: None,
        }
    }

    fn seen(&mut self, there: &TopicInfo) {
        self.target_id = there.id;
        self.partitions = count(there);
    }

    fn refuse(&mut self, code: &'static str, reason: String) {
        self.refused = Some((code, reason));
    }

    fn is_seen(&self) -> bool {
        self.partitions > 0
    }
}

/// Settings with which a topic is made on the target whose settings on the source are these.
pub fn made_with(of: &[ConfigEntry]) -> Vec<(String, String)> {
    create::settings(of)
}

/// Topics named in scope that are not among these.
pub fn missing(found: &[TopicInfo], scope: &Scope) -> Vec<TopicName> {
    let here: HashSet<&str> = found.iter().map(|topic| &*topic.name).collect();
    let named = scope.literal_topics.iter();
    named
        .filter(|name| !here.contains(name.as_str()))
        .map(|name| name.as_str().into())
        .collect()
}

/// A named topic that is not there and that the ledger does not know (`gone` are those it does), and an empty scope, are errors.
pub fn check_scope(
    found: &[TopicInfo],
    scope: &Scope,
    gone: &HashSet<TopicName>,
) -> Result<(), Failure> {
    let mut missing = missing(found, scope);
    missing.retain(|name| !gone.contains(name));
    if !missing.is_empty() {
        // The sentence names a few.
        let all = format!("not visible: {}", missing.join(", "));
        return Err(failure::missing_topics(&missing).cause(all));
    }
    if found.is_empty() && gone.is_empty() {
        return Err(failure::empty_scope());
    }
    Ok(())
}

/// Topics in scope that are there now: in mid-run a named topic that was deleted does not keep new ones from being found.
pub async fn found(source: &Source, scope: &Scope) -> Result<Vec<TopicInfo>, Failure> {
    let all = source.topics(None).await;
    let mut topics = all.map_err(|error| error.failure())?;
    topics.retain(|topic| scope.has_topic(&topic.name, topic.internal));
    Ok(topics)
}

/// Makes the topics that the target does not have, with the source's partition count and settings, and grows those that have
/// fewer partitions. Returns when the target names leaders for what is new, or takes too long to. A topic that the
/// target refuses does not stop the others. Answers in the order of `topics`.
pub async fn prepare(
    source: &Source,
    target: &Target,
    topics: &[TopicInfo],
    replication_factor: Option<i16>,
) -> Result<Vec<Prepared>, Failure> {
    let mut all: Vec<Prepared> = topics.iter().map(Prepared::new).collect();
    if all.is_empty() {
        return Ok(all);
    }
    look(target, &mut all).await?;
    let pairs = topics.iter().zip(&mut all);
    let missing = pairs.filter(|(_, prepared)| !prepared.is_seen() && prepared.refused.is_none());
    create::missing(
        source,
        target,
        missing.collect(),
        replication_factor.unwrap_or(-1),
    )
    .await?;
    grow(target, topics, &mut all).await?;
    ask_settings(target, &mut all).await?;
    ask_tombstones(source, &mut all).await?;
    Ok(all)
}

/// Learns of topics what [`prepare`] learns, and makes or changes nothing: what is not there is refused.
pub async fn see(
    source: &Source,
    target: &Target,
    topics: &[TopicInfo],
) -> Result<Vec<Prepared>, Failure> {
    let mut all: Vec<Prepared> = topics.iter().map(Prepared::new).collect();
    if all.is_empty() {
        return Ok(all);
    }
    look(target, &mut all).await?;
    for prepared in &mut all {
        if !prepared.is_seen() && prepared.refused.is_none() {
            let reason = format!("topic {} is not there to be written to", prepared.name);
            prepared.refuse("K561", reason);
        }
    }
    ask_settings(target, &mut all).await?;
    ask_tombstones(source, &mut all).await?;
    Ok(all)
}

/// Asks once what the target has.
async fn look(target: &Target, all: &mut [Prepared]) -> Result<(), Failure> {
    let names: Vec<TopicName> = all.iter().map(|prepared| prepared.name.clone()).collect();
    let there = target.topics_each(&names).await;
    let there = there.map_err(|error| error.failure())?;
    let mut unsure = Vec::new();
    for prepared in all {
        match there.get(&prepared.name) {
            None => {}
            Some(Ok(topic)) => prepared.seen(topic),
            Some(Err(error)) if error.is_passing() => unsure.push((prepared, 1)),
            Some(Err(error)) => {
                let reason = format!("the target does not show topic {}: {error}", prepared.name);
                prepared.refuse("K553", reason);
            }
        }
    }
    settle(target, unsure).await
}

async fn grow(target: &Target, topics: &[TopicInfo], all: &mut [Prepared]) -> Result<(), Failure> {
    let mut short = Vec::new();
    for (topic, prepared) in topics.iter().zip(all) {
        if prepared.refused.is_some() {
            continue;
        }
        let (here, there) = (count(topic), prepared.partitions);
        if there > here {
            let reason = format!(
                "topic {} has {there} partitions on the target and {here} on the source",
                prepared.name
            );
            prepared.refuse("K550", reason);
        } else if there < here {
            short.push((prepared, here));
        }
    }
    let sizes: Vec<usize> = short
        .iter()
        .map(|(prepared, wanted)| usize::try_from(wanted - prepared.partitions).unwrap_or(0))
        .collect();
    let wanted: Vec<(TopicName, i32)> = short
        .iter()
        .map(|(prepared, wanted)| (prepared.name.clone(), *wanted))
        .collect();
    let mut answers = Vec::with_capacity(wanted.len());
    for some in parts(&sizes) {
        let grown = target.grow_topics(&wanted[some]).await;
        answers.extend(grown.map_err(|error| error.failure())?);
    }
    let mut fresh = Vec::new();
    for ((prepared, wanted), answer) in short.into_iter().zip(answers) {
        match answer {
            Ok(()) => {
                prepared.made_from = prepared.partitions.min(prepared.made_from);
                fresh.push((prepared, wanted));
            }
            Err(error) => {
                let reason = format!(
                    "topic {} has {} on the target and cannot be given the source's {wanted}: {error}",
                    prepared.name,
                    numbers::of(u64::try_from(prepared.partitions).unwrap_or(0), "partition")
                );
                prepared.refuse("K552", reason);
            }
        }
    }
    settle(target, fresh).await
}

/// Waits until the target shows topics with so many partitions, and names their leaders.
async fn settle(target: &Target, mut open: Vec<(&mut Prepared, i32)>) -> Result<(), Failure> {
    let mut moved = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut behind = usize::MAX;
    while !open.is_empty() {
        let names: Vec<TopicName> = open.iter().map(|(topic, _)| topic.name.clone()).collect();
        let there = target.topics_each(&names).await;
        let there = there.map_err(|error| error.failure())?;
        let late = moved.elapsed() >= SETTLED_WITHIN;
        open.retain_mut(|(prepared, wanted)| match there.get(&prepared.name) {
            Some(Ok(topic)) => {
                prepared.seen(topic);
                let led = topic.partitions.iter().all(|one| one.leader.is_some());
                // One without a leader exists, and is waited for where it is written.
                prepared.partitions < *wanted || (!led && !late)
            }
            Some(Err(error)) if !error.is_passing() => {
                let reason = format!("the target does not show topic {}: {error}", prepared.name);
                prepared.refuse("K553", reason);
                false
            }
            Some(Err(_)) | None => true,
        });
        if late {
            break;
        }
        if open.len() < behind {
            (behind, moved) = (open.len(), Instant::now());
        }
        if !open.is_empty() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    for (prepared, wanted) in open {
        let reason = format!(
            "the target did not show topic {} with {wanted} partitions within {}",
            prepared.name,
            numbers::time(SETTLED_WITHIN)
        );
        prepared.refuse("K553", reason);
    }
    Ok(())
}

/// Learns what topics take. Where the target stamps records itself, they cannot arrive as they are.
async fn ask_settings(target: &Target, all: &mut [Prepared]) -> Result<(), Failure> {
    // What we made without trouble has the time that we gave it.
    let is_doubtful = |prepared: &Prepared| !prepared.created || prepared.trouble.is_some();
    let asked: Vec<TopicName> = all
        .iter()
        .filter(|prepared| prepared.refused.is_none())
        .map(|prepared| prepared.name.clone())
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let configs = target.topic_configs_each(&asked).await;
    let configs = configs.map_err(|error| error.failure())?;
    let unknown = all
        .iter()
        .filter(|prepared| is_doubtful(prepared))
        .filter(|prepared| configs.get(&prepared.name).is_some_and(Result::is_err))
        .count();
    let mut told = false;
    for prepared in all {
        match configs.get(&prepared.name) {
            Some(Ok(entries)) if create::stamps(entries) => {
                let reason = format!(
                    "topic {} on the target gives records its own time (message.timestamp.type=LogAppendTime)",
                    prepared.name
                );
                prepared.refuse("K555", reason);
            }
            Some(Ok(entries)) => prepared.takes = create::takes(entries),
            // Told once, however many there are.
            Some(Err(error)) if !told && is_doubtful(prepared) => {
                told = true;
                prepared.trouble.get_or_insert(format!(
                    "whether {unknown} topics on the target keep records' timestamps is unknown: {error}"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Learns which topics the source compacts. Where it does not tell, nobody can say whether tombstones were missed.
async fn ask_tombstones(source: &Source, all: &mut [Prepared]) -> Result<(), Failure> {
    let copied = |prepared: &Prepared| prepared.refused.is_none();
    let asked: Vec<TopicName> = all
        .iter()
        .filter(|prepared| copied(prepared))
        .map(|prepared| prepared.name.clone())
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let configs = source.topic_configs_each(&asked).await;
    let configs = configs.map_err(|error| error.failure())?;
    let unknown = configs.values().filter(|answer| answer.is_err()).count();
    let mut told = false;
    for prepared in all {
        match configs.get(&prepared.name) {
            Some(Ok(entries)) => prepared.tombstones_ms = create::tombstones_ms(entries),
            Some(Err(error)) if !told => {
                told = true;
                prepared.trouble.get_or_insert(format!(
                    "whether {unknown} topics are compacted on the source is unknown, and so whether their tombstones are copied in time: {error}"
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn count(topic: &TopicInfo) -> i32 {
    i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX)
}

/// Cuts a list of things of these sizes into ranges that are no larger than one command may be, or hold one thing.
fn parts(sizes: &[usize]) -> Vec<std::ops::Range<usize>> {
    let mut parts = Vec::new();
    let (mut from, mut sum) = (0, 0);
    for (index, size) in sizes.iter().enumerate() {
        if sum + size > AT_ONCE && index > from {
            parts.push(from..index);
            (from, sum) = (index, 0);
        }
        sum += size;
    }
    if from < sizes.len() {
        parts.push(from..sizes.len());
    }
    parts
}

#[cfg(test)]
mod tests {
    use globset::{Glob, GlobSet, GlobSetBuilder};

    use super::*;

    fn globs(of: &[&str]) -> GlobSet {
        let mut set = GlobSetBuilder::new();
        for glob in of {
            set.add(Glob::new(glob).unwrap());
        }
        set.build().unwrap()
    }

    fn scope(topics: &[&str]) -> Scope {
        let literal = topics.iter().filter(|name| !name.contains('*'));
        Scope {
            topics: globs(topics),
            exclude_topics: globs(&["*-old"]),
            literal_topics: literal.map(ToString::to_string).collect(),
        }
    }

    fn topics(names: &[&str]) -> Vec<TopicInfo> {
        let topic = |name: &&str| TopicInfo {
            name: (*name).into(),
            id: Uuid::nil(),
            internal: name.starts_with("__"),
            partitions: Vec::new(),
        };
        names.iter().map(topic).collect()
    }

    #[test]
    fn what_the_scope_names_is_found_and_all_that_is_missing_is_named() {
        let here = topics(&["orders", "orders-old", "payments-1", "__offsets"]);
        let check = |scope: &Scope, gone: &[&str]| {
            let mut found = here.clone();
            found.retain(|topic| scope.has_topic(&topic.name, topic.internal));
            let gone = gone.iter().map(|name| TopicName::from(*name)).collect();
            check_scope(&found, scope, &gone)
        };
        check(&scope(&["orders", "pay*", "__*"]), &[]).unwrap();

        let missing = check(&scope(&["orders", "orders-old", "a", "b", "c"]), &["d"]);
        let missing = missing.unwrap_err();
        assert_eq!(missing.exit, crate::exit::Exit::Source);
        let said = format!("{missing} {:?}", missing.causes);
        for name in ["orders-old", " a", " b", " c"] {
            assert!(said.contains(name), "{said} does not name {name}");
        }
        // What the ledger knows is not missing: its partitions stop.
        check(&scope(&["orders", "a"]), &["a"]).unwrap();

        let empty = check(&scope(&["nothing-*"]), &[]).unwrap_err();
        assert_eq!(empty.exit, crate::exit::Exit::Source);
        assert!(empty.to_string().contains("scope"), "{empty}");
    }

    #[test]
    fn commands_are_cut_where_they_would_be_too_large() {
        assert!(parts(&[]).is_empty());
        assert_eq!(parts(&[1, AT_ONCE - 1, 1]), [0..2, 2..3]);
        assert_eq!(parts(&[AT_ONCE * 2, 1, AT_ONCE]), [0..1, 1..2, 2..3]);
        assert_eq!(parts(&[1; 10]), std::slice::from_ref(&(0..10)));
    }
}
