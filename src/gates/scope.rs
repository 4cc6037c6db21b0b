//! Is what we are to move whole, there, and nobody else's?

use super::{Asked, Finding, acls, fresh, quoted, reach::named};
use crate::{
    model::{limits::Limits, names::Side, numbers},
    observe::{GroupKind, Observation},
};

/// Topics by which Kafka Streams and Kafka Connect can be told.
const STREAMS: [&str; 2] = ["-changelog", "-repartition"];
const CONNECT: [&str; 3] = ["connect-configs", "connect-offsets", "connect-status"];

/// G119.
pub(super) fn no_other_migration(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let others = fresh(&seen.others)?;
    let in_scope = |name: &String| topics.iter().any(|topic| topic.name == *name);
    let mut lines = Vec::new();
    for other in others {
        let copies = fresh(&other.content)?;
        let (id, what) = match other.on {
            Side::Source => (
                &seen.source.id,
                "writes them on our source: its copies would be copied on",
            ),
            Side::Target => (
                &seen.target.id,
                "writes them on our target: they would be there twice",
            ),
        };
        // A ledger that was itself copied to another cluster speaks of none of this one's topics.
        if id.as_deref() != Some(&*copies.target_cluster) {
            continue;
        }
        let shared: Vec<String> = copies
            .topics
            .iter()
            .filter(|name| in_scope(name))
            .cloned()
            .collect();
        if !shared.is_empty() {
            lines.push(format!(
                "{} ({}) {what}: {}",
                copies.migration,
                other.ledger,
                named(&shared)
            ));
        }
    }
    if lines.is_empty() {
        return Ok(Finding::pass(match others.len() {
            0 => "no other ledgers on these clusters".to_owned(),
            count => format!(
                "{}, none with a topic of ours",
                numbers::of(count as u64, "other ledger")
            ),
        }));
    }
    Ok(Finding::block("another migration copies topics that are in scope")
        .of(lines)
        .fix("take the topics out of one of the two, or end the other migration and delete its ledger"))
}

/// G120.
pub(super) fn topics_exist(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let commands = seen.missing_topics.iter().map(|name| {
        let operations = ["Read", "Describe", "DescribeConfigs"];
        acls(
            &seen.source,
            &operations,
            &format!("--topic {}", quoted(name)),
        )
    });
    if !seen.missing_topics.is_empty() {
        return Ok(Finding::block(format!(
            "not on the source, or not shown to this login: {}",
            named(&seen.missing_topics)
        ))
        .fix(
            "correct `scope.topics`, or let somebody with the right to Alter the cluster run these",
        )
        .run(commands));
    }
    if topics.is_empty() {
        return Ok(Finding::block("nothing that the source shows is in scope")
            .fix("correct `scope.topics`"));
    }
    Ok(Finding::pass(numbers::of(topics.len() as u64, "topic")))
}

/// G121.
pub(super) fn applications_recognised(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let groups = fresh(&seen.source_groups)?;
    let mut lines = Vec::new();
    for group in &groups.groups {
        match group.kind {
            GroupKind::Streams => lines.push(format!(
                "group {} is a Kafka Streams application: its internal topics have to be in scope, and its local state wiped when it moves",
                group.name
            )),
            GroupKind::Connect => lines.push(format!(
                "group {} is a Kafka Connect cluster: its three topics have to be named in `scope.topics`",
                group.name
            )),
            GroupKind::Other => lines.push(format!(
                "group {} is of no kind we know: it may keep its positions elsewhere",
                group.name
            )),
            GroupKind::Consumer if group.members > 0 && group.committed.is_empty() => lines.push(format!(
                "group {} has members and no positions: it may keep them outside Kafka",
                group.name
            )),
            GroupKind::Consumer => {}
        }
    }
    // Whose the topics out of scope are is known only by the name of a group in scope.
    let ours = |name: &&String| {
        let mut groups = groups.groups.iter();
        groups.any(|group| name.starts_with(&format!("{}-", group.name)))
    };
    let outside = seen.topics_outside.iter().filter(ours);
    for name in topics.iter().map(|topic| &topic.name).chain(outside) {
        if STREAMS.iter().any(|suffix| name.ends_with(suffix)) {
            lines.push(format!(
                "topic {name} is named like an internal topic of Kafka Streams"
            ));
        } else if CONNECT.contains(&name.as_str()) {
            lines.push(format!(
                "topic {name} is named like one of Kafka Connect's own"
            ));
        }
    }
    if lines.is_empty() {
        return Ok(Finding::pass(format!(
            "{}: consumers only",
            numbers::of(groups.groups.len() as u64, "group")
        )));
    }
    let evidence = "there is something that needs more than topics and positions";
    // Copying is not held up by it; the move of just this application is.
    let (found, fix) = match &seen.asked.application {
        None => (
            Finding::warn(evidence),
            "copying is not held up by it; plan these applications' moves by themselves",
        ),
        Some(_) => (
            Finding::block(evidence),
            "see to it in the application's own hooks, then say so with --waive G121=REASON",
        ),
    };
    Ok(found.of(lines).fix(fix))
}

/// G215.
pub(super) fn whole_application(seen: &Observation, _: &Limits) -> Asked {
    let topics = fresh(&seen.topics)?;
    let groups = fresh(&seen.source_groups)?;
    let in_scope = |name: &str| topics.iter().any(|topic| topic.name == name);
    let mut lines = Vec::new();
    let mut unclear = Vec::new();
    for group in &groups.groups {
        let mut read: Vec<String> = group
            .committed
            .keys()
            .map(|at| at.topic.to_string())
            .collect();
        match &group.subscribed {
            Some(subscribed) => read.extend(subscribed.clone()),
            None if group.kind == GroupKind::Consumer => unclear.push(group.name.clone()),
            None => {}
        }
        read.sort_unstable();
        read.dedup();
        read.retain(|name| !in_scope(name));
        if !read.is_empty() {
            lines.push(format!("group {} reads {}", group.name, named(&read)));
        }
        if group.kind == GroupKind::Connect {
            lines.push(format!(
                "group {} is a Kafka Connect cluster, which cannot be moved by its positions",
                group.name
            ));
        }
        let internal = |name: &&String| {
            name.starts_with(&format!("{}-", group.name))
                && STREAMS.iter().any(|suffix| name.ends_with(suffix))
        };
        let internal: Vec<String> = seen
            .topics_outside
            .iter()
            .filter(internal)
            .cloned()
            .collect();
        if !internal.is_empty() {
            lines.push(format!(
                "group {} keeps its state in {}",
                group.name,
                named(&internal)
            ));
        }
    }
    let of = |one: &&crate::model::application::Application| {
        seen.asked
            .application
            .as_ref()
            .is_none_or(|name| one.name == *name)
    };
    for application in seen.applications.iter().filter(of) {
        let named_topics = application
            .reads
            .literals()
            .chain(application.writes.literals());
        let mut missing: Vec<String> = named_topics
            .filter(|name| !in_scope(name))
            .cloned()
            .collect();
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            lines.push(format!(
                "application {} reads or writes {}",
                application.name,
                named(&missing)
            ));
        }
    }
    if !lines.is_empty() {
        return Ok(Finding::block("something would be left behind that is not in scope")
            .of(lines)
            .fix("take these topics into `scope.topics` (and into the application's reads and writes), or the group out of scope"));
    }
    if !unclear.is_empty() {
        return Err(super::CannotLook::because(format!(
            "what {} subscribes to is a pattern or cannot be read",
            named(&unclear)
        )));
    }
    Ok(Finding::pass(format!(
        "{} within the topics in scope",
        numbers::of(groups.groups.len() as u64, "group")
    )))
}
