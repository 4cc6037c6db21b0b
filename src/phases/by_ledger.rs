//! Our own engine as whoever copies: what it has done is read from its ledgers, and what it is to do is asked for through them.
//!
//! Who may write a group's positions is the ledgers' word alone, and each has its own: the one of the way there stands on the target, the one of the
//! way back on the source. A side gives authority up in one before the other gets it in the other, so that wherever this ends no
//! record says both; between the two nobody writes positions, and the same command goes on (`docs/decisions/011-moves-by-ledger.md`).

mod places;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, stream};
use tokio::sync::Mutex;

use super::{
    by_content::ByContent,
    carrier::{Behind, Carrier, Ends, Position, hears},
};
use crate::{
    cluster::{Cluster, Source, Target},
    engine::{
        groups::Wanted,
        ledger::{
            positions::{self, Holder, Kept},
            record::Steer,
        },
        steer::{self, Answered, CARRIES_NONE},
        sync,
        told::Told,
    },
    error::Failure,
    exit::Exit,
    model::{
        application::Application,
        direction::Direction,
        names::{Side, TopicPartition},
        patterns::Patterns,
    },
    run::placed::{Counted, Placed},
};

/// Groups asked about at once: a ledger remembers only so many requests that are not answered.
const AT_ONCE: usize = 16;

/// What it is told of a migration and of what moves.
pub struct Of {
    /// The migration's name.
    pub migration: String,
    /// Whether records also come back.
    pub two_way: bool,
    /// Groups that the engine carries.
    pub wanted: Wanted,
    /// What moves.
    pub application: Application,
    /// The engine carries access rules, and those that let it write wait for its move.
    pub writes: bool,
    /// Who asks, for people.
    pub by: String,
}

/// Reads the ledgers, and asks the engine through them.
pub struct ByLedger {
    of: Of,
    source: Source,
    /// `None`: it is gone.
    target: Option<Target>,
    told: Mutex<Both>,
}

/// The ledgers of both directions, as far as they were read.
#[derive(Default)]
struct Both {
    forward: Option<Told>,
    reverse: Option<Told>,
}

impl Both {
    fn of(&self, direction: Direction) -> Option<&Told> {
        match direction {
            Direction::Forward => self.forward.as_ref(),
            Direction::Reverse => self.reverse.as_ref(),
        }
    }
}

/// The direction that carries what is on this side to the other.
fn direction(from: Side) -> Direction {
    match from {
        Side::Source => Direction::Forward,
        Side::Target => Direction::Reverse,
    }
}

fn holder(side: Side) -> Holder {
    match side {
        Side::Source => Holder::Source,
        Side::Target => Holder::Target,
    }
}

impl ByLedger {
    /// Over connected clusters, the target's unless it is gone. Nothing is read yet.
    pub fn new(of: Of, source: Source, target: Option<Target>) -> Self {
        Self {
            of,
            source,
            target,
            told: Mutex::default(),
        }
    }

    fn cluster(&self, side: Side) -> Option<&Cluster> {
        match side {
            Side::Source => Some(&self.source),
            Side::Target => self.target.as_deref(),
        }
    }

    fn both(&self) -> Result<[&Cluster; 2], Failure> {
        match &self.target {
            Some(target) => Ok([&self.source, target]),
            None => Err(Failure::new(
                Exit::Bug,
                "K000",
                "the target was asked, and there is none",
            )),
        }
    }

    /// Directions whose ledgers can be asked, and that there are in this migration.
    fn directions(&self) -> impl Iterator<Item = Direction> {
        let there = self.target.as_ref().map(|_| Direction::Forward);
        let back = self.of.two_way.then_some(Direction::Reverse);
        there.into_iter().chain(back)
    }

    /// Both ledgers, read to their ends as they are now.
    async fn told(&self) -> Result<tokio::sync::MutexGuard<'_, Both>, Failure> {
        let mut told = self.told.lock().await;
        let migration = &self.of.migration;
        let (source, target) = (&self.source, self.target.as_ref());
        let Both { forward, reverse } = &mut *told;
        let there = async {
            match (forward.as_mut(), target) {
                (Some(told), _) => told.read_on().await,
                (None, None) => Ok(()),
                (None, Some(target)) => {
                    let (way, id) = (Direction::Forward, Some(source.id()));
                    *forward = Told::open(migration, way, id, target).await?;
                    Ok(())
                }
            }
        };
        let back = async {
            match reverse.as_mut() {
                Some(told) => told.read_on().await,
                None => {
                    let (way, id) = (Direction::Reverse, target.map(|target| target.id()));
                    *reverse = Told::open(migration, way, id, source).await?;
                    Ok(())
                }
            }
        };
        let read: Result<_, Failure> = tokio::try_join!(there, back);
        if read.is_err() {
            // What was read half is read anew.
            *told = Both::default();
        }
        read?;
        Ok(told)
    }

    /// Its groups: those that a side shows, and those that are named.
    pub async fn groups(&self) -> Result<BTreeSet<String>, Failure> {
        let patterns: &Patterns = &self.of.application.groups;
        let mut names: BTreeSet<String> = patterns.literals().cloned().collect();
        if names.len() < patterns.texts().len() {
            for side in [Side::Source, Side::Target] {
                let Some(cluster) = self.cluster(side) else {
                    continue;
                };
                let listed = cluster.listed_groups().await;
                let listed = listed.map_err(|error| error.failure())?;
                let ours = listed.into_iter().map(|group| group.name);
                names.extend(ours.filter(|name| patterns.matches(name)));
            }
        }
        match names.iter().find(|name| !self.of.wanted.has(name)) {
            Some(name) => Err(not_carried(&self.of.application.name, name)),
            None => Ok(names),
        }
    }

    /// Is this side the one whose positions are followed, by all ledgers there are?
    pub async fn follows(&self, side: Side) -> Result<bool, Failure> {
        let groups = self.groups().await?;
        let told = self.told().await?;
        let is_so = |direction: Direction, group: &String| {
            let Some(told) = told.of(direction) else {
                return side == Side::Source;
            };
            let authority = told.authority(group);
            match authority.asked {
                // Without the other side there may be no engine that answers: whichever comes next heeds it first.
                Some(asked) if self.target.is_none() => asked == holder(side),
                Some(asked) if asked != holder(side) => false,
                _ => authority.holder == holder(side),
            }
        };
        let mut directions = self.directions();
        Ok(directions.all(|direction| groups.iter().all(|group| is_so(direction, group))))
    }

    /// Asks one direction, through its ledger.
    async fn ask(&self, direction: Direction, steer: Steer) -> Result<Answered, Failure> {
        let written = match (direction, &self.target) {
            (Direction::Forward, Some(target)) => target.clone(),
            (Direction::Forward, None) => return Ok(Answered::default()),
            (Direction::Reverse, _) => self.source.for_the_way_back(),
        };
        let (migration, by) = (&self.of.migration, &self.of.by);
        Box::pin(steer::ask_direction(
            &written, migration, direction, steer, by,
        ))
        .await
    }

    async fn give(&self, group: &str, to: Side, direction: Direction) -> Result<bool, Failure> {
        let steer = Steer::Authority {
            group: group.to_owned(),
            side: holder(to),
        };
        let answered = self.ask(direction, steer).await?;
        if answered.said.iter().any(|said| said == CARRIES_NONE) {
            return Err(carries_none(direction));
        }
        Ok(answered.answered > 0)
    }

    /// Has the engine make the rules of the target that let the application write there, or take them back. Answers with words for a person.
    async fn let_write(&self, to: Side) -> Result<String, Failure> {
        let Some(target) = self.target.as_ref().filter(|_| self.of.writes) else {
            return Ok(String::new());
        };
        let Of {
            migration,
            application,
            by,
            ..
        } = &self.of;
        let name = &application.name;
        let answered = Box::pin(sync::let_write(target, migration, name, holder(to), by)).await?;
        match (answered.answered, to) {
            (0, Side::Target) => Err(silent(Direction::Forward)
                .hint("until it has answered, rules that let the application write there are not made")),
            (0, Side::Source) => Ok("; that its rules for writing on the target go stands in the ledger, and whichever engine comes next takes them back".to_owned()),
            (_, Side::Target) if !answered.said.iter().all(|said| sync::lets_write(said)) => {
                Err(Failure::new(
                    Exit::NotReady,
                    "K498",
                    format!("rules that let {name} write on the target are not all there, so it does not move"),
                )
                .cause(answered.said.join("; "))
                .hint("give the engine's login the right to Alter the target's cluster, and start `replicate` with this file; or make the rules by hand, and switch `replication.sync.acls` off")
                .next("kafka-migrate status"))
            }
            _ => Ok(format!("; {}", answered.said.join("; "))),
        }
    }

    /// What groups were given a second time by a move from this side: the ledgers are not asked.
    pub async fn given_twice(&self, from: Side, placed: &[Placed]) -> Vec<Counted> {
        match &self.target {
            Some(target) => {
                let (source, target) = ((*self.source).clone(), (**target).clone());
                let judge = ByContent::unmarked(source, target);
                judge.given_twice(from, placed).await
            }
            None => Vec::new(),
        }
    }

    fn refusal(told: Option<&Told>, group: &str) -> Option<String> {
        let standing = told?
            .group(group)
            .and_then(|kept: &Kept| kept.standing.as_ref())?;
        match &standing.position {
            positions::Position::Refused { code, reason } => Some(format!("{code}: {reason}")),
            _ => None,
        }
    }
}

impl Carrier for ByLedger {
    async fn attends(&self, from: Side) -> Result<String, Failure> {
        let groups = self.groups().await?;
        let asked = self.directions().map(async |direction| {
            let answered = self.ask(direction, Steer::Attend).await?;
            if answered.answered == 0 {
                return Err(silent(direction));
            }
            let none = answered.said.iter().any(|said| said == CARRIES_NONE);
            match none && !groups.is_empty() {
                true => Err(carries_none(direction)),
                false => Ok(()),
            }
        });
        for answered in futures_util::future::join_all(asked).await {
            answered?;
        }
        let told = self.told().await?;
        for group in &groups {
            if let Some(why) = Self::refusal(told.of(direction(from)), group) {
                return Err(Failure::new(
                    Exit::NotReady,
                    "K496",
                    format!(
                        "the position of group {group} is not carried, so {} cannot move",
                        self.of.application.name
                    ),
                )
                .cause(why)
                .next("kafka-migrate status --groups 20"));
            }
        }
        let ways = match self.of.two_way {
            true => "both ways",
            false => "one way",
        };
        Ok(format!("it copies {ways}, and has answered"))
    }

    async fn behind(&self, from: Side, below: &Ends) -> Result<Vec<Behind>, Failure> {
        let told = self.told().await?;
        let told = told.of(direction(from));
        let what = |at: &TopicPartition, below: i64| {
            if below == 0 {
                return None;
            }
            let Some(told) = told else {
                return Some(format!("nothing is copied from the {from}"));
            };
            if let Some(stopped) = told.stopped(at) {
                return Some(format!("{}: {}", stopped.code, stopped.reason));
            }
            match told.passed(at) {
                None => Some("the engine has not met it yet".to_owned()),
                Some(passed) if passed < below => {
                    Some(format!("up to offset {passed} of {below} on the {from}"))
                }
                Some(_) => None,
            }
        };
        Ok(below
            .iter()
            .filter_map(|(at, below)| {
                Some(Behind {
                    at: at.clone(),
                    what: what(at, *below)?,
                })
            })
            .collect())
    }

    async fn positions(
        &self,
        from: Side,
        group: &str,
        below: &Ends,
    ) -> Result<Vec<Position>, Failure> {
        self.places(from, group, below).await
    }

    async fn written(
        &self,
        on: Side,
        since: &Ends,
    ) -> Result<BTreeMap<TopicPartition, u64>, Failure> {
        self.natives(on, since).await
    }

    async fn declare(&self, _application: &str, to: Side) -> Result<String, Failure> {
        // Before it is started there: without its rules it could not write.
        let writes = self.let_write(to).await?;
        let groups = self.groups().await?;
        let mut unheard = Vec::new();
        for direction in hears(to) {
            if !self.directions().any(|one| one == direction) {
                continue;
            }
            let mut given = stream::iter(groups.clone())
                .map(|group| async move { self.give(&group, to, direction).await })
                .buffer_unordered(AT_ONCE);
            let mut heard = true;
            while let Some(one) = given.next().await {
                heard &= one?;
            }
            if !heard && self.target.is_some() {
                return Err(silent(direction).hint(
                    "the request stands in the ledger; whoever goes on asks again, and the last word counts",
                ));
            }
            if !heard {
                unheard.push(direction);
            }
        }
        let of = match groups.len() {
            0 => {
                let none = "it has no groups, so there are no positions".to_owned();
                return Ok(none + &writes);
            }
            _ => groups.into_iter().collect::<Vec<_>>().join(", "),
        };
        Ok(match unheard.is_empty() {
            true => format!("the {to} has authority over {of}, by the ledgers{writes}"),
            false => format!(
                "the {to} gets authority over {of}: it stands in the ledger, and whichever engine comes next heeds it first"
            ),
        })
    }

    async fn is_declared(&self, application: &str, to: Side) -> Result<bool, Failure> {
        if !self.follows(to).await? {
            return Ok(false);
        }
        let told = self.told().await?;
        let forward = told.forward.as_ref().filter(|_| self.of.writes);
        Ok(forward.is_none_or(|told| told.may_write(application) == (to == Side::Target)))
    }

    async fn has_left(&self, from: Side) -> Result<bool, Failure> {
        let groups = self.groups().await?;
        let told = self.told().await?;
        let told = told.of(direction(from));
        let has_left =
            |group: &String| told.is_some_and(|told| told.authority(group).holder != holder(from));
        Ok(groups.iter().all(has_left))
    }

    async fn strand(&self, topics: &[String]) -> Result<String, Failure> {
        let topics = topics.to_vec();
        let answered = self
            .ask(Direction::Reverse, Steer::Strand { topics })
            .await?;
        Ok(match answered.answered {
            0 => {
                "it stands in the ledger, and whichever engine comes next heeds it first".to_owned()
            }
            _ => answered.said.join("; "),
        })
    }

    async fn is_stranded(&self, topics: &[String]) -> Result<bool, Failure> {
        let told = self.told().await?;
        Ok(told
            .reverse
            .as_ref()
            .is_some_and(|told| told.strands(topics)))
    }

    async fn synced_ms(&self) -> Result<Option<i64>, Failure> {
        let told = self.told().await?;
        Ok(told.reverse.as_ref().and_then(Told::synced_ms))
    }

    /// Once everything has arrived, the maps say all there is to say.
    fn improves(&self) -> bool {
        false
    }

    fn advice(&self) -> String {
        "`kafka-migrate status --groups 20` names what keeps the engine from carrying a position: members on both sides, somebody else's commit, a partition that has stopped".to_owned()
    }
}

fn not_carried(application: &str, group: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "K350",
        format!("group {group} of {application} is not among those whose positions are carried"),
    )
    .hint("name it in `scope.groups`, not in `scope.exclude_groups`, and start `replicate` anew")
    .next("kafka-migrate config")
}

fn carries_none(direction: Direction) -> Failure {
    Failure::new(
        Exit::NotReady,
        "K495",
        format!(
            "the engine that copies from the {} to the {} carries no positions of groups",
            direction.read(),
            direction.written()
        ),
    )
    .hint("name groups in `scope.groups`, with `replication.two_way` as it is to stay, and start `replicate` anew")
    .next("kafka-migrate status")
}

fn silent(direction: Direction) -> Failure {
    Failure::new(
        Exit::NotReady,
        "K494",
        format!(
            "no engine that copies from the {} to the {} has answered within 10 s, so what it does is unknown",
            direction.read(),
            direction.written()
        ),
    )
    .hint("see that `replicate` runs; the same command begins anew")
    .next("kafka-migrate status")
}
