//! Settings of topics that follow the source: which, and what becomes of one that differs. Pure, so that every rule can be tried alone.
//!
//! 1. Only what was set on a topic itself counts, on both sides; what a topic has from its brokers is theirs.
//! 2. The target is changed only where it stands as we know it: as it was brought over, as it was when both sides were the same, or not set at
//!    all. Any other value is somebody's, and is left.
//! 3. A setting is given back to the target's brokers only if we had set it.

use std::collections::BTreeMap;

use crate::{
    cluster::ConfigEntry,
    engine::ledger::synced::{Brought, Standing, What},
};

/// Settings that mean the same on every cluster.
pub const CARRIED: [&str; 8] = [
    "cleanup.policy",
    "retention.ms",
    "retention.bytes",
    "max.message.bytes",
    "delete.retention.ms",
    "min.compaction.lag.ms",
    "max.compaction.lag.ms",
    "compression.type",
];
/// Settings that are not looked at while a topic's retention is held open.
const HELD: [&str; 2] = ["retention.ms", "retention.bytes"];

/// Settings that stay behind, by how their names begin, and why. The first that fits counts.
const STAYS: [(&str, &str); 14] = [
    // What operators do to replicas for a while.
    ("leader.replication.throttled", ""),
    ("follower.replication.throttled", ""),
    // Told where it matters: the target would refuse or change records.
    (
        "message.timestamp.",
        "records keep the times that they have, whatever these are",
    ),
    (
        "min.insync.replicas",
        "it goes by the replicas that the target has",
    ),
    (
        "unclean.leader",
        "it goes by the replicas that the target has",
    ),
    ("remote.", "it goes by the storage that the target has"),
    ("local.", "it goes by the storage that the target has"),
    ("segment.", "how brokers lay out their logs is theirs"),
    ("flush.", "how brokers lay out their logs is theirs"),
    ("index.", "how brokers lay out their logs is theirs"),
    ("preallocate", "how brokers lay out their logs is theirs"),
    ("file.delete", "how brokers lay out their logs is theirs"),
    ("min.cleanable", "when brokers clean their logs is theirs"),
    ("message.", "it goes by the versions of brokers"),
];
const UNKNOWN: &str = "it may mean something else on another cluster";

/// What is to become of one topic's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    /// Those that are not the same on both sides.
    pub standings: Vec<Standing>,
    /// What the ledger has to know before it is the same again, or because it is.
    pub learned: Vec<Brought>,
    /// What the target is to be told; `None` gives a setting back to its brokers.
    pub changes: Vec<Brought>,
}

/// What was set on the topic itself.
fn set_here(entries: &[ConfigEntry], name: &str) -> Option<String> {
    let entry = entries.iter().find(|entry| entry.name == name)?;
    entry.value.clone().filter(|_| entry.set_here)
}

fn in_force<'a>(entries: &'a [ConfigEntry], name: &str) -> Option<&'a str> {
    entries
        .iter()
        .find(|entry| entry.name == name)?
        .value
        .as_deref()
}

/// Holds a topic's settings on both sides against each other. `known` is what the ledger has of it; `is_held`: its retention is held open.
pub fn judge(
    topic: &str,
    source: &[ConfigEntry],
    target: &[ConfigEntry],
    known: Option<&BTreeMap<String, Brought>>,
    is_held: bool,
) -> Judged {
    let mut judged = Judged::default();
    for name in CARRIED {
        if is_held && HELD.contains(&name) {
            continue;
        }
        let (here, there) = (set_here(source, name), set_here(target, name));
        let known = known.and_then(|known| known.get(name));
        if here == there {
            let is_new = match known {
                None => here.is_some(),
                Some(known) => known.value != here || known.before != here,
            };
            if is_new {
                judged.learned.push(Brought {
                    name: name.to_owned(),
                    before: there,
                    is_ours: here.is_some() && known.is_some_and(|known| known.is_ours),
                    value: here,
                });
            }
            continue;
        }
        let as_left = match known {
            None => there.is_none(),
            Some(known) => there == known.before || there == known.value,
        };
        let standing = |what, reason: Option<&str>| Standing {
            topic: topic.to_owned(),
            setting: name.to_owned(),
            source: here.clone(),
            target: there.clone(),
            what,
            reason: reason.map(str::to_owned),
        };
        let reason = match (as_left, known) {
            (false, None) => Some("somebody has set it on the target"),
            (false, Some(_)) => Some("somebody has changed it on the target"),
            (true, known) if here.is_none() && !known.is_some_and(|known| known.is_ours) => {
                Some("it was set on the target before, and is not set on the source any more")
            }
            (true, _) => None,
        };
        if let Some(reason) = reason {
            judged.standings.push(standing(What::Left, Some(reason)));
            continue;
        }
        judged.standings.push(standing(What::Differs, None));
        judged.changes.push(Brought {
            name: name.to_owned(),
            before: there.clone(),
            value: here.clone(),
            is_ours: true,
        });
    }
    judged.standings.extend(stays(topic, source, target));
    judged
}

/// What was set on the source and stays there, where it is not the same on the target anyway.
fn stays(topic: &str, source: &[ConfigEntry], target: &[ConfigEntry]) -> Vec<Standing> {
    let set = source
        .iter()
        .filter(|entry| entry.set_here && !entry.sensitive);
    let mut all = Vec::new();
    for entry in set {
        let is_same = in_force(target, &entry.name) == entry.value.as_deref();
        if CARRIED.contains(&&*entry.name) || is_same {
            continue;
        }
        let fits = STAYS
            .iter()
            .find(|(begins, _)| entry.name.starts_with(begins));
        let why = fits.map_or(UNKNOWN, |(_, why)| why);
        if why.is_empty() {
            continue;
        }
        all.push(Standing {
            topic: topic.to_owned(),
            setting: entry.name.clone(),
            source: entry.value.clone(),
            target: set_here(target, &entry.name),
            what: What::Stays,
            reason: Some(why.to_owned()),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(of: &[(&str, &str)]) -> Vec<ConfigEntry> {
        let entry = |(name, value): &(&str, &str)| ConfigEntry {
            name: (*name).to_owned(),
            value: Some(
                value
                    .trim_start_matches('(')
                    .trim_end_matches(')')
                    .to_owned(),
            ),
            set_here: !value.starts_with('('),
            read_only: false,
            sensitive: false,
        };
        of.iter().map(entry).collect()
    }

    fn brought(name: &str, before: Option<&str>, value: Option<&str>, is_ours: bool) -> Brought {
        Brought {
            name: name.into(),
            before: before.map(Into::into),
            value: value.map(Into::into),
            is_ours,
        }
    }

    /// Judges `retention.ms`, with the values as they are set, `(x)` where they are the broker's.
    fn one(here: &str, there: &str, known: Option<Brought>) -> Judged {
        let known: BTreeMap<String, Brought> = known
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect();
        let of = |value| entries(&[("retention.ms", value)]);
        judge("t", &of(here), &of(there), Some(&known), false)
    }

    fn what(judged: &Judged) -> Vec<What> {
        judged.standings.iter().map(|one| one.what).collect()
    }

    #[test]
    fn what_stands_as_it_was_left_follows_and_what_somebody_set_does_not() {
        let name = "retention.ms";
        // Nobody has set it there.
        let first = one("5", "(7)", None);
        assert_eq!(first.changes, [brought(name, None, Some("5"), true)]);
        // Somebody has.
        assert_eq!(what(&one("5", "7", None)), [What::Left]);
        // It was the same once, or brought over.
        for is_ours in [true, false] {
            let was = || Some(brought(name, Some("4"), Some("4"), is_ours));
            let followed = one("5", "4", was());
            assert_eq!(
                followed.changes,
                [brought(name, Some("4"), Some("5"), true)]
            );
            let by_hand = one("5", "9", was());
            assert_eq!(
                (what(&by_hand), by_hand.changes.len()),
                (vec![What::Left], 0)
            );
            // Taken off by hand.
            assert_eq!(what(&one("4", "(7)", was())), [What::Left]);
        }
        // Killed between the record of it and the change, or after that.
        let intent = || Some(brought(name, Some("4"), Some("5"), true));
        assert_eq!(one("5", "4", intent()).changes.len(), 1);
        assert_eq!(one("6", "4", intent()).changes.len(), 1);
        let landed = one("5", "5", intent());
        assert_eq!(landed.learned, [brought(name, Some("5"), Some("5"), true)]);
        assert_eq!(landed.changes, []);
    }

    #[test]
    fn only_what_we_set_is_given_back() {
        let name = "retention.ms";
        let ours = one("(7)", "4", Some(brought(name, Some("4"), Some("4"), true)));
        assert_eq!(ours.changes, [brought(name, Some("4"), None, true)]);
        let theirs = one("(7)", "4", Some(brought(name, Some("4"), Some("4"), false)));
        assert_eq!((what(&theirs), theirs.changes.len()), (vec![What::Left], 0));
        assert_eq!(what(&one("(7)", "4", None)), [What::Left]);
        // Gone on both sides: nothing is known of it any more.
        let gone = one("(7)", "(7)", Some(brought(name, Some("4"), None, true)));
        assert_eq!(gone.learned, [brought(name, None, None, false)]);
        assert_eq!(one("(7)", "(8)", None), Judged::default());
    }

    #[test]
    fn what_is_the_same_is_learned_once() {
        let name = "retention.ms";
        let learned = one("5", "5", None).learned;
        assert_eq!(learned, [brought(name, Some("5"), Some("5"), false)]);
        assert_eq!(one("5", "5", learned.into_iter().next()), Judged::default());
    }

    #[test]
    fn retention_that_is_held_open_is_not_looked_at() {
        let (here, there) = (
            entries(&[("retention.ms", "5"), ("compression.type", "lz4")]),
            entries(&[("retention.ms", "-1"), ("compression.type", "(producer)")]),
        );
        let judged = judge("t", &here, &there, None, true);
        assert_eq!(judged.standings.len(), 1, "{judged:?}");
        assert_eq!(judged.changes[0].name, "compression.type");
    }

    #[test]
    fn what_stays_says_why_unless_it_is_the_same_anyway() {
        let here = entries(&[
            ("min.insync.replicas", "2"),
            ("segment.ms", "5"),
            ("leader.replication.throttled.replicas", "*"),
            ("message.timestamp.type", "LogAppendTime"),
            ("flush.ms", "(9)"),
            ("vendor.tier", "gold"),
        ]);
        let there = entries(&[("min.insync.replicas", "(2)"), ("segment.ms", "(6)")]);
        let judged = judge("t", &here, &there, None, false);
        let told: Vec<&str> = judged.standings.iter().map(|one| &*one.setting).collect();
        assert_eq!(
            told,
            ["segment.ms", "message.timestamp.type", "vendor.tier"]
        );
        assert!(
            judged
                .standings
                .iter()
                .all(|one| one.what == What::Stays && one.reason.is_some())
        );
    }
}
