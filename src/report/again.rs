//! What groups were to read again after a move, as it was announced, and what they were given a second time, as it was counted.

use serde::Serialize;

use crate::run::placed::{Counted, Placed};

/// One group in one move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// Records that it was to read again, as announced before it was started there; all partitions.
    pub announced: u64,
    /// Records that it was given a second time, counted from both clusters; `None`: at least one partition was not counted.
    pub measured: Option<u64>,
    /// Why not, of the first such partition.
    pub not_measured: Option<String>,
    /// Each partition that it has a position in.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partition {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What the group had committed on the side that it left.
    pub committed: i64,
    /// The largest offset of the other side that skips nothing.
    pub exact: i64,
    /// Where it went on.
    pub went_on_at: i64,
    /// Records to be read again, as announced.
    pub announced: u64,
    /// Records given a second time, as counted; `None`: they were not.
    pub measured: Option<u64>,
    /// Why not.
    pub not_measured: Option<String>,
}

/// Why nothing was counted, where the journal does not say.
const ENDED_BEFORE: &str = "the command ended before it could count";

/// As it was announced; nothing is counted yet.
pub fn announced(placed: &[Placed]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for one in placed {
        let partition = Partition {
            topic: one.topic.clone(),
            partition: one.partition,
            committed: one.committed,
            exact: one.exact,
            went_on_at: one.stands,
            announced: one.again,
            measured: None,
            not_measured: Some(ENDED_BEFORE.to_owned()),
        };
        match groups.iter_mut().find(|group| group.group == one.group) {
            Some(group) => group.partitions.push(partition),
            None => groups.push(Group {
                group: one.group.clone(),
                announced: 0,
                measured: None,
                not_measured: None,
                partitions: vec![partition],
            }),
        }
    }
    groups.iter_mut().for_each(sum);
    groups
}

/// Takes in what was counted.
pub fn count(groups: &mut [Group], counted: &[Counted]) {
    for one in counted {
        let group = groups.iter_mut().find(|group| group.group == one.group);
        let mut partitions = group.into_iter().flat_map(|group| &mut group.partitions);
        let partition =
            partitions.find(|of| (&of.topic, of.partition) == (&one.topic, one.partition));
        if let Some(partition) = partition {
            partition.measured = one.again;
            partition.not_measured.clone_from(&one.why);
        }
    }
    groups.iter_mut().for_each(sum);
}

fn sum(group: &mut Group) {
    group.announced = group.partitions.iter().map(|one| one.announced).sum();
    group.measured = group.partitions.iter().map(|one| one.measured).sum();
    let mut why = group.partitions.iter();
    group.not_measured = why.find_map(|one| {
        let why = one.not_measured.as_ref()?;
        Some(format!("{}-{}: {why}", one.topic, one.partition))
    });
}
