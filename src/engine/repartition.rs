//! Whose a repartition topic of Kafka Streams is, and whether its owner had read what is deleted from its front.
//!
//! Streams deletes from its repartition topics (`<application.id>-<name>-repartition`) what it has read, up to the committed offset of its own
//! group (`repartition.purge.interval.ms`). Where the log start that was seen lies at or below an offset that the group had committed by then,
//! everything below was read by its owner, and nothing of it is missing anywhere. The log start is asked for first: a commit only moves on.
//!
//! Only the commit of the cluster that has authority over the group counts. A cutover moves authority once every position of the group has its
//! place on the other side, so once the copy has passed it: what is found deleted afterwards was not deleted by the application that moved.

use super::ledger::positions::Holder;
use crate::{
    cluster::{self, Cluster},
    model::{direction::Direction, names::TopicPartition},
};

const SUFFIX: &str = "-repartition";
/// GROUP_AUTHORIZATION_FAILED.
const DENIED: i16 = 30;
/// GROUP_ID_NOT_FOUND: a group of a kind that commits no offsets.
const NO_OFFSETS: i16 = 69;
/// Groups that a sentence names.
const NAMED: usize = 3;

/// Groups that a topic may belong to, by their names; the longest first. None for a topic that is no repartition topic.
pub fn owners(topic: &str) -> Vec<String> {
    let Some(name) = topic.strip_suffix(SUFFIX) else {
        return Vec::new();
    };
    let dashes = name.match_indices('-').map(|(at, _)| at);
    let ends = dashes.filter(|at| *at > 0 && at + 1 < name.len());
    let mut owners: Vec<String> = ends.map(|at| name[..at].to_owned()).collect();
    owners.reverse();
    owners
}

/// Where a group stands in the partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stands {
    /// It has committed this offset.
    At(i64),
    /// It has committed none; most of those that are asked for do not even exist.
    Nowhere,
    /// The cluster lists it, and this login may not look into it.
    Denied,
    /// This login may not look into a group of that name, and whether there is one nobody tells.
    Hidden,
    /// It could not be asked for the moment.
    Later(String),
    /// It cannot be asked.
    Refused(String),
}

/// Whether what is deleted was read by its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Read {
        /// The owner.
        group: String,
        /// What it had committed.
        committed: i64,
    },
    /// That cannot be told for the moment.
    Later(String),
    /// It was not, or nobody can say.
    Missing(String),
}

/// Asks where groups stand in a partition, each of them.
pub async fn look(
    cluster: &Cluster,
    at: &TopicPartition,
    groups: Vec<String>,
) -> Vec<(String, Stands)> {
    let mut positions = cluster.positions(&groups).await;
    let mut seen: Vec<(String, Stands)> = groups
        .into_iter()
        .map(|group| {
            let stands = match positions.remove(&group) {
                Some(Ok(commits)) => commits
                    .get(at)
                    .map_or(Stands::Nowhere, |commit| Stands::At(commit.offset)),
                Some(Err(error)) => cannot(&error),
                None => Stands::Later("it was not answered".to_owned()),
            };
            (group, stands)
        })
        .collect();
    if seen.iter().any(|(_, stands)| *stands == Stands::Hidden) {
        // Who may Describe the cluster is shown also what it may not look into.
        let listed = cluster.listed_groups().await;
        for (group, stands) in &mut seen {
            if *stands == Stands::Hidden {
                *stands = match &listed {
                    Ok(listed) if listed.iter().any(|one| one.name == *group) => Stands::Denied,
                    Ok(_) => Stands::Hidden,
                    Err(error) => Stands::Later(error.to_string()),
                };
            }
        }
    }
    seen
}

fn cannot(error: &cluster::Error) -> Stands {
    match error.code() {
        Some(DENIED) => Stands::Hidden,
        Some(NO_OFFSETS) => Stands::Nowhere,
        _ if error.is_passing() => Stands::Later(error.to_string()),
        _ => Stands::Refused(error.to_string()),
    }
}

/// Judges what was seen. `start`: the log start, seen before; `seen`: groups, the longest names first; `holder`: which cluster has authority over
/// a group, `None` where that is not known yet.
pub fn judge(
    start: i64,
    seen: &[(String, Stands)],
    direction: Direction,
    holder: impl Fn(&str) -> Option<Holder>,
) -> Verdict {
    let here = match direction {
        Direction::Forward => Holder::Source,
        Direction::Reverse => Holder::Target,
    };
    let mut hidden = Vec::new();
    for (group, stands) in seen {
        let missing = |why: String| Verdict::Missing(why);
        return match stands {
            Stands::Nowhere => continue,
            Stands::Hidden => {
                hidden.push(group.as_str());
                continue;
            }
            Stands::Denied => missing(format!(
                "where group {group} stands, whose it may be, cannot be read: the right Describe on the group is missing"
            )),
            Stands::Later(why) => {
                Verdict::Later(format!("where group {group} stands cannot be read: {why}"))
            }
            Stands::Refused(why) => {
                missing(format!("where group {group} stands cannot be read: {why}"))
            }
            Stands::At(committed) if *committed < start => missing(format!(
                "its owner, group {group}, has committed no more than offset {committed}"
            )),
            Stands::At(committed) => match holder(group) {
                None => Verdict::Later(format!(
                    "which cluster's commits count for group {group} is not known yet"
                )),
                // As it is said of the way there; on the way back the words change places.
                Some(holder) if holder != here => missing(format!(
                    "commits of its owner, group {group}, count on the target, and say nothing here"
                )),
                Some(_) => Verdict::Read {
                    group: group.clone(),
                    committed: *committed,
                },
            },
        };
    }
    Verdict::Missing(match hidden.as_slice() {
        [] => "no group whose name it begins with has committed an offset of it".to_owned(),
        hidden => format!(
            "no group whose name it begins with is seen to have committed an offset of it; the right Describe is missing on {}",
            some_of(hidden)
        ),
    })
}

fn some_of(groups: &[&str]) -> String {
    let named = groups.iter().rev().take(NAMED).copied();
    let mut named = named.collect::<Vec<_>>().join(", ");
    if let more @ 1.. = groups.len().saturating_sub(NAMED) {
        named += &format!(" and {more} more");
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD_BY_THE_SOURCE: fn(&str) -> Option<Holder> = |_| Some(Holder::Source);

    fn seen(of: &[(&str, Stands)]) -> Vec<(String, Stands)> {
        let own = |(group, stands): &(&str, Stands)| ((*group).to_owned(), stands.clone());
        of.iter().map(own).collect()
    }

    fn forward(start: i64, of: &[(&str, Stands)]) -> Verdict {
        judge(start, &seen(of), Direction::Forward, HELD_BY_THE_SOURCE)
    }

    fn read(group: &str, committed: i64) -> Verdict {
        let group = group.to_owned();
        Verdict::Read { group, committed }
    }

    #[track_caller]
    fn assert_missing(verdict: &Verdict, words: &[&str]) {
        let Verdict::Missing(why) = verdict else {
            panic!("{verdict:?}");
        };
        for word in words {
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn an_owner_is_a_name_in_front_of_a_dash_and_the_longest_is_asked_first() {
        let of = |topic| owners(topic);
        assert_eq!(of("orders-by-city-repartition"), ["orders-by", "orders"]);
        assert_eq!(of("orders-x-repartition"), ["orders"]);
        for none in [
            "orders",
            "orders-repartition",
            "-repartition",
            "-x-repartition",
            "orders--repartition",
            "orders-x-changelog",
            "orders-x-repartition-2",
        ] {
            assert_eq!(of(none), Vec::<String>::new(), "{none}");
        }
    }

    #[test]
    fn what_lies_below_a_committed_offset_was_read() {
        assert_eq!(forward(50, &[("a", Stands::At(50))]), read("a", 50));
        assert_eq!(forward(50, &[("a", Stands::At(70))]), read("a", 70));
        assert_missing(
            &forward(50, &[("a", Stands::At(49))]),
            &["group a", "no more than offset 49"],
        );
        // Groups of other applications whose names the topic's begins with have nothing to say.
        let longer = ("a-b", Stands::Nowhere);
        assert_eq!(forward(50, &[longer, ("a", Stands::At(50))]), read("a", 50));
        // Of two, the longer name is the owner.
        let both = [("a-b", Stands::At(40)), ("a", Stands::At(90))];
        assert_missing(&forward(50, &both), &["group a-b", "offset 40"]);
        assert_missing(&forward(50, &[("a", Stands::Nowhere)]), &["no group"]);
        assert_missing(&forward(50, &[]), &["no group"]);
    }

    #[test]
    fn who_may_not_look_says_which_right_is_missing() {
        let owner = ("a", Stands::At(50));
        let denied = [("a-b", Stands::Denied), owner.clone()];
        assert_missing(&forward(50, &denied), &["group a-b", "Describe"]);
        // A name that nobody may bear does not stand in the way of a group that is seen.
        let hidden = [("a-b", Stands::Hidden), owner];
        assert_eq!(forward(50, &hidden), read("a", 50));
        let hidden = ["a-b-c-d", "a-b-c", "a-b", "a"].map(|group| (group, Stands::Hidden));
        assert_missing(
            &forward(50, &hidden),
            &["Describe is missing on a, a-b, a-b-c and 1 more"],
        );
    }

    #[test]
    fn what_passes_is_asked_again_and_what_does_not_is_said() {
        let later = [("a", Stands::Later("it loads".to_owned()))];
        assert!(matches!(forward(50, &later), Verdict::Later(why) if why.contains("it loads")));
        let refused = [("a", Stands::Refused("it is odd".to_owned()))];
        assert_missing(&forward(50, &refused), &["it is odd"]);
    }

    #[test]
    fn only_commits_of_the_cluster_with_authority_count() {
        let seen = seen(&[("a", Stands::At(50))]);
        for (direction, holder, is_read) in [
            (Direction::Forward, Holder::Source, true),
            (Direction::Forward, Holder::Target, false),
            (Direction::Reverse, Holder::Source, false),
            (Direction::Reverse, Holder::Target, true),
        ] {
            let verdict = judge(50, &seen, direction, |_| Some(holder));
            assert_eq!(verdict == read("a", 50), is_read, "{direction:?} {holder}");
            if !is_read {
                assert_missing(&verdict, &["count on the target"]);
            }
        }
        let unknown = judge(50, &seen, Direction::Forward, |_| None);
        assert!(matches!(unknown, Verdict::Later(_)), "{unknown:?}");
    }
}
