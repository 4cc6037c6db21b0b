//! Applications guessed from what was seen of a source: who reads, who writes, and what that rests on.
//!
//! A guess is a beginning for a person: it says on what it rests, what was left out of it, and what could not be read.

use std::collections::{BTreeMap, BTreeSet};

use super::{Discovery, GroupKind, GroupSeen, Known, Writer};
use crate::model::numbers;

/// Names shown of many.
const NAMED: usize = 5;
/// Kafka Streams names topics of its own so, behind the application's id.
const STREAMS: [&str; 2] = ["-changelog", "-repartition"];
/// The longest name of an application.
const LONGEST: usize = 40;

/// An application as it may be. Names of topics and groups are names, not globs.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Guess {
    /// A name that the migration file takes, and no other guess has.
    pub name: String,
    /// Topics it reads.
    pub reads: Vec<String>,
    /// Topics it writes, as far as that was seen.
    pub writes: Vec<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// What all this rests on, one line each.
    pub evidence: Vec<String>,
}

/// Everything guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Guessed {
    /// Applications, by name.
    pub applications: Vec<Guess>,
    /// What was seen and is part of none of them, and why, one line each.
    pub left_out: Vec<String>,
    /// What could not be read, one line each.
    pub unknown: Vec<String>,
}

/// Guesses.
pub fn guess(seen: &Discovery) -> Guessed {
    let mut guessed = Guessed::default();
    let topics: BTreeSet<&str> = seen.topics.iter().map(String::as_str).collect();
    let writers: &[Writer] = match &seen.writers {
        Known::Seen { value, .. } => value,
        Known::Unknown { reason } => {
            guessed
                .unknown
                .push(format!("who writes to the topics: {reason}"));
            &[]
        }
    };
    if seen.writers.value().is_ok() && !seen.ids_told {
        guessed.unknown.push(
            "transactional ids: the brokers do not list them, or not for this login".to_owned(),
        );
    }
    match &seen.groups {
        Known::Seen { value, .. } => {
            if !value.complete {
                guessed.unknown.push("all groups: without the right to Describe the cluster the source shows only some, and does not say which it hides".to_owned());
            }
            for name in &value.denied {
                guessed.unknown.push(format!(
                    "group {name}: this login may not describe it (Describe and Read on the group)"
                ));
            }
            for group in &value.groups {
                of_group(group, seen, &topics, writers, &mut guessed);
            }
        }
        Known::Unknown { reason } => guessed.unknown.push(format!("groups: {reason}")),
    }
    of_writers(writers, &mut guessed);
    name_each(&mut guessed.applications);
    guessed
}

/// A group is an application, or a line that says why it is none.
fn of_group(
    group: &GroupSeen,
    seen: &Discovery,
    topics: &BTreeSet<&str>,
    writers: &[Writer],
    guessed: &mut Guessed,
) {
    let stands: BTreeSet<&str> = group.committed.keys().map(|at| &*at.topic).collect();
    let subscribed: BTreeSet<&str> = group
        .subscribed
        .iter()
        .flatten()
        .map(|name| &**name)
        .collect();
    let read: BTreeSet<&str> = stands.union(&subscribed).copied().collect();
    let mut reads: BTreeSet<&str> = read.intersection(topics).copied().collect();
    let name = &group.name;
    let why_not = match group.kind {
        GroupKind::Connect => {
            Some("a Kafka Connect cluster: it cannot be moved by its positions".to_owned())
        }
        GroupKind::Other => Some("its members are of no kind we know".to_owned()),
        _ if name.is_empty() => {
            Some("a group without a name cannot be named in this file".to_owned())
        }
        _ if name.starts_with("console-consumer-") => {
            Some("made by a consumer at a console".to_owned())
        }
        _ if read.is_empty() => Some("it reads nothing and stands nowhere".to_owned()),
        _ if reads.is_empty() => Some(format!(
            "it reads nothing that is in scope, but {}",
            some(&read)
        )),
        _ if group.idle => Some("no members, and nothing read in the last 24 hours".to_owned()),
        _ => None,
    };
    if let Some(why) = why_not {
        guessed.left_out.push(format!("group {name:?}: {why}"));
        return;
    }
    let mut writes: BTreeSet<&str> = BTreeSet::new();
    let mut evidence = vec![told(group, &stands, &subscribed)];
    if group.kind == GroupKind::Streams {
        let internal = |topic: &&String| {
            belongs(topic, name) && STREAMS.iter().any(|suffix| topic.ends_with(suffix))
        };
        let internal: BTreeSet<&str> = seen
            .topics
            .iter()
            .filter(internal)
            .map(|name| &**name)
            .collect();
        evidence.push(
            "a Kafka Streams application: its local state has to be wiped when it moves".to_owned(),
        );
        if !internal.is_empty() {
            evidence.push(format!(
                "topics of its own, by their names: {}",
                some(&internal)
            ));
        }
        reads.extend(&internal);
        writes.extend(internal);
    }
    for writer in writers {
        let id = writer.transactional_id.as_ref();
        if let Some(id) = id.filter(|id| *id == name || belongs(id, name)) {
            writes.extend(writer.topics.iter().map(|topic| &**topic));
            evidence.push(format!(
                "transactional id {id:?}, named like the group, wrote to {}",
                some(&writer.topics)
            ));
        }
    }
    let beside: BTreeSet<&str> = read.difference(topics).copied().collect();
    if !beside.is_empty() {
        evidence.push(format!("it also reads {}, not in scope", some(&beside)));
    }
    if group.subscribed.is_none() {
        guessed.unknown.push(format!(
            "what group {name:?} subscribes to, a pattern or an unknown format: its reads are taken from its positions"
        ));
    }
    guessed.applications.push(Guess {
        name: name.clone(),
        reads: owned(&reads),
        writes: owned(&writes),
        groups: vec![name.clone()],
        evidence,
    });
}

/// What was seen of a group, in one line.
fn told(group: &GroupSeen, stands: &BTreeSet<&str>, subscribed: &BTreeSet<&str>) -> String {
    let members = match group.members {
        0 => "no members now".to_owned(),
        count => format!(
            "{} ({})",
            numbers::of(count as u64, "member"),
            some(&group.clients)
        ),
    };
    let mut parts = vec![format!("group {:?}: {members}", group.name)];
    if !subscribed.is_empty() {
        parts.push(format!("subscribed to {}", some(subscribed)));
    }
    if !stands.is_empty() {
        parts.push(format!("with positions on {}", some(stands)));
    }
    parts.join(", ")
}

/// Writers that are part of no group's application: those that name themselves are applications, the others a line.
fn of_writers(writers: &[Writer], guessed: &mut Guessed) {
    let mut named: BTreeMap<&str, Vec<(&str, &Writer)>> = BTreeMap::new();
    let mut nameless: BTreeMap<&str, u64> = BTreeMap::new();
    for writer in writers {
        match writer.transactional_id.as_deref() {
            Some(id) => {
                let mut groups = guessed.applications.iter().flat_map(|one| &one.groups);
                if !groups.any(|group| id == group || belongs(id, group)) {
                    named.entry(stem(id)).or_default().push((id, writer));
                }
            }
            None => {
                for topic in &writer.topics {
                    *nameless.entry(topic).or_default() += 1;
                }
            }
        }
    }
    for (stem, writers) in named {
        let ids: Vec<&str> = writers.iter().map(|(id, _)| *id).collect();
        let topics = writers.iter().flat_map(|(_, writer)| &writer.topics);
        let topics: BTreeSet<&str> = topics.map(|topic| &**topic).collect();
        let of = match ids.len() {
            1 => format!("transactional id {:?}", ids[0]),
            _ => format!("transactional ids {}", some(&ids)),
        };
        guessed.applications.push(Guess {
            name: stem.to_owned(),
            writes: owned(&topics),
            evidence: vec![format!("{of} wrote to {}", some(&topics))],
            ..Guess::default()
        });
    }
    if !nameless.is_empty() {
        let each: Vec<String> = nameless
            .into_iter()
            .map(|(topic, count)| format!("{topic} ({count})"))
            .collect();
        guessed.left_out.push(format!(
            "producers that tell no name, by topic: {}; add these topics to `writes` of the applications that write them",
            some(&each)
        ));
    }
}

/// Is it named like a part of this: `orders-1` of `orders`?
fn belongs(name: &str, to: &str) -> bool {
    let rest = name.strip_prefix(to);
    rest.is_some_and(|rest| rest.starts_with(['-', '.', '_']))
}

/// A transactional id without the number of its instance.
fn stem(id: &str) -> &str {
    let bare = id.trim_end_matches(|letter: char| letter.is_ascii_digit());
    match bare.strip_suffix(['-', '.', '_']) {
        Some(stem) if bare.len() < id.len() && !stem.is_empty() => stem,
        _ => id,
    }
}

/// Names that the file takes, each once.
fn name_each(applications: &mut [Guess]) {
    let mut taken = BTreeSet::new();
    for application in &mut *applications {
        let base = fitting(&application.name);
        let mut name = base.clone();
        for number in 2.. {
            if taken.insert(name.clone()) {
                break;
            }
            let end = format!("-{number}");
            name = base[..base.len().min(LONGEST - end.len())].to_owned() + &end;
        }
        application.name = name;
    }
    applications.sort_by(|a, b| a.name.cmp(&b.name));
}

/// A name as the file takes it: lower-case letters, digits and hyphens, not a hyphen first, and not too long.
pub fn fitting(name: &str) -> String {
    let plain = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_alphanumeric() => letter,
        _ => '-',
    };
    let plain: String = name.chars().map(plain).collect();
    let plain: String = plain.trim_matches('-').chars().take(LONGEST).collect();
    match plain.trim_end_matches('-') {
        "" => "application".to_owned(),
        plain => plain.to_owned(),
    }
}

fn owned(names: &BTreeSet<&str>) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The first few of many.
fn some<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    let shown: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::names::TopicPartition,
        observe::{GroupsSeen, example},
    };

    fn group(name: &str, subscribed: &[&str], stands: &[&str]) -> GroupSeen {
        let stands = stands
            .iter()
            .map(|topic| (TopicPartition::new(*topic, 0), 5));
        GroupSeen {
            name: name.to_owned(),
            state: "Stable".to_owned(),
            members: subscribed.len().min(1),
            clients: subscribed
                .iter()
                .take(1)
                .map(|_| format!("{name}-client"))
                .collect(),
            subscribed: Some(subscribed.iter().map(|topic| (*topic).to_owned()).collect()),
            committed: stands.collect(),
            ..GroupSeen::default()
        }
    }

    fn writer(producer_id: i64, id: Option<&str>, topics: &[&str]) -> Writer {
        Writer {
            producer_id,
            transactional_id: id.map(str::to_owned),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        }
    }

    fn seen(groups: Vec<GroupSeen>, writers: Vec<Writer>) -> Discovery {
        let topics = [
            "orders",
            "order_status",
            "payments",
            "stats-store-changelog",
        ];
        Discovery {
            source: example::green().source,
            topics: topics.map(str::to_owned).to_vec(),
            left_out: vec!["__consumer_offsets".to_owned()],
            groups: Known::seen(GroupsSeen {
                complete: true,
                groups,
                ..GroupsSeen::default()
            }),
            writers: Known::seen(writers),
            ids_told: true,
        }
    }

    #[test]
    fn a_group_is_an_application_and_its_transactional_ids_say_what_it_writes() {
        let guessed = guess(&seen(
            vec![group("order-status", &["orders"], &["orders", "elsewhere"])],
            vec![writer(7, Some("order-status-3"), &["order_status"])],
        ));
        assert_eq!(guessed.applications.len(), 1);
        let one = &guessed.applications[0];
        assert_eq!(
            (&*one.name, &one.groups),
            ("order-status", &vec!["order-status".to_owned()])
        );
        assert_eq!(
            (one.reads.join(" "), one.writes.join(" ")),
            ("orders".into(), "order_status".into())
        );
        assert_eq!(
            one.evidence,
            [
                "group \"order-status\": 1 member (order-status-client), subscribed to orders, with positions on elsewhere, orders",
                "transactional id \"order-status-3\", named like the group, wrote to order_status",
                "it also reads elsewhere, not in scope",
            ]
        );
        assert!(
            guessed.unknown.is_empty() && guessed.left_out.is_empty(),
            "{guessed:?}"
        );
    }

    #[test]
    fn writers_without_a_group_are_applications_if_they_have_a_name() {
        let guessed = guess(&seen(
            Vec::new(),
            vec![
                writer(1, Some("shop-1"), &["orders"]),
                writer(2, Some("shop-2"), &["payments"]),
                writer(3, Some("2026"), &["orders"]),
                writer(4, None, &["orders", "payments"]),
                writer(5, None, &["orders"]),
            ],
        ));
        let names: Vec<(&str, String)> = guessed
            .applications
            .iter()
            .map(|one| (&*one.name, one.writes.join(" ")))
            .collect();
        assert_eq!(
            names,
            [
                ("2026", "orders".to_owned()),
                ("shop", "orders payments".to_owned())
            ]
        );
        assert!(
            guessed.left_out[0].contains("by topic: orders (2), payments (1);"),
            "{guessed:?}"
        );
    }

    #[test]
    fn what_is_no_application_is_said_with_the_reason() {
        let mut connect = group("connect-cluster", &[], &[]);
        connect.kind = GroupKind::Connect;
        let mut idle = group("old", &[], &["orders"]);
        idle.idle = true;
        let guessed = guess(&seen(
            vec![
                connect,
                idle,
                group("console-consumer-1", &["orders"], &[]),
                group("", &[], &["orders"]),
                group("outside", &["elsewhere"], &[]),
                group("nothing", &[], &[]),
            ],
            Vec::new(),
        ));
        assert!(guessed.applications.is_empty(), "{guessed:?}");
        assert_eq!(
            guessed.left_out,
            [
                "group \"connect-cluster\": a Kafka Connect cluster: it cannot be moved by its positions",
                "group \"old\": no members, and nothing read in the last 24 hours",
                "group \"console-consumer-1\": made by a consumer at a console",
                "group \"\": a group without a name cannot be named in this file",
                "group \"outside\": it reads nothing that is in scope, but elsewhere",
                "group \"nothing\": it reads nothing and stands nowhere",
            ]
        );
    }

    #[test]
    fn an_id_that_only_begins_like_a_group_is_another_s() {
        let guessed = guess(&seen(
            vec![group("order", &["orders"], &[])],
            vec![writer(7, Some("orderly-1"), &["payments"])],
        ));
        let names: Vec<(&str, String)> = guessed
            .applications
            .iter()
            .map(|one| (&*one.name, one.writes.join(" ")))
            .collect();
        assert_eq!(
            names,
            [("order", String::new()), ("orderly", "payments".to_owned())]
        );
    }

    #[test]
    fn a_streams_application_has_topics_of_its_own() {
        let mut stats = group("stats", &["orders"], &[]);
        stats.kind = GroupKind::Streams;
        let guessed = guess(&seen(vec![stats], Vec::new()));
        let one = &guessed.applications[0];
        assert_eq!(one.reads, ["orders", "stats-store-changelog"]);
        assert_eq!(one.writes, ["stats-store-changelog"]);
        assert!(one.evidence[1].contains("Kafka Streams"), "{one:?}");
    }

    #[test]
    fn what_could_not_be_read_is_said() {
        let mut dark = seen(Vec::new(), Vec::new());
        dark.groups = Known::unknown("not today");
        dark.writers = Known::unknown("nor this");
        assert_eq!(
            guess(&dark).unknown,
            ["who writes to the topics: nor this", "groups: not today"]
        );
        let mut pattern = group("pattern", &[], &["orders"]);
        pattern.subscribed = None;
        let mut some = seen(vec![pattern], Vec::new());
        some.ids_told = false;
        some.groups = some.groups.map(|mut groups| {
            groups.complete = false;
            groups.denied = vec!["secret".to_owned()];
            groups
        });
        let unknown = guess(&some).unknown;
        for (line, says) in unknown.iter().zip([
            "transactional ids",
            "Describe the cluster",
            "group secret",
            "\"pattern\" subscribes",
        ]) {
            assert!(line.contains(says), "{line}");
        }
        assert_eq!(unknown.len(), 4);
    }

    #[test]
    fn names_fit_and_differ_whatever_groups_are_called() {
        let names = [
            "Order.Status",
            "order_status",
            "---",
            "§",
            &"x".repeat(300),
            &"x".repeat(299),
        ];
        let groups = names
            .iter()
            .map(|name| group(name, &["orders"], &[]))
            .collect();
        let guessed = guess(&seen(groups, Vec::new()));
        let mut named: Vec<&str> = guessed.applications.iter().map(|one| &*one.name).collect();
        assert_eq!(
            named[..4],
            [
                "application",
                "application-2",
                "order-status",
                "order-status-2"
            ]
        );
        assert!(named.iter().all(|name| name.len() <= LONGEST), "{named:?}");
        named.dedup();
        assert_eq!(named.len(), 6);
    }
}
