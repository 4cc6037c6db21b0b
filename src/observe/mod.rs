//! Everything known at one instant about both clusters, the engine, groups and applications, and what could not be learned.
//!
//! An observation is plain data: gates and plans are functions of it and of nothing else. What was asked for and not answered stands in
//! it with the reason, never as something empty.

mod arrived;
mod clients;
mod clusters;
mod discovery;
#[cfg(test)]
pub(crate) mod example;
mod groups;
mod guess;
mod known;
mod look;
mod needs;
mod sample;
mod seen;
mod topics;
mod trend;
mod tried;

pub use clusters::{seen as cluster, unreachable};
pub use discovery::{Discovery, Writer, discover};
pub use guess::{Guess, Guessed, fitting, guess};
pub use known::Known;
pub use look::{Depth, Eyes, Subject};
pub use seen::{
    AclsSeen, AmazonAsked, AmazonSeen, BackSeen, BatchSeen, BrokerSeen, CallerSeen, ClientSeen,
    ClockSeen, ClusterSeen, EngineRights, EngineSeen, FollowsSeen, GroupCount, GroupKind,
    GroupSeen, GroupsSeen, Latency, ListenerSeen, Metrics, Objection, OtherCopies, OtherSeen,
    PartitionSeen, Refusal, ReplicatorSeen, ReplicatorsSeen, Sample, SecretSeen, StoppedSeen,
    TargetRights, TopicSeen, TopicSettings, TopicSide, Trouble, Vantage, Waiting,
};
use serde::Serialize;
pub use trend::Trend;

use crate::{
    cluster::Fidelity,
    model::{application::Application, backend::Backend, patterns::Patterns},
};

/// Version of the document.
pub const VERSION: u32 = 1;

/// Everything at one instant.
#[derive(Debug, Clone, Serialize)]
pub struct Observation {
    /// Version of this document.
    pub v: u32,
    /// Milliseconds since 1970, by this machine's clock.
    pub at_ms: i64,
    /// The migration's name.
    pub migration: String,
    /// What the migration file asks for.
    pub asked: Asked,
    /// The cluster applications come from.
    pub source: ClusterSeen,
    /// The cluster they go to.
    pub target: ClusterSeen,
    /// Topics in scope.
    pub topics: Known<Vec<TopicSeen>>,
    /// Topics that the file names and the source does not show.
    pub missing_topics: Vec<String>,
    /// Topics of the source that are not in scope: what a group or an application may need besides.
    pub topics_outside: Vec<String>,
    /// The engine, by its ledger.
    pub engine: Known<EngineSeen>,
    /// The engine that copies back, by its ledger.
    pub reverse: Known<EngineSeen>,
    /// Groups on the source.
    pub source_groups: Known<GroupsSeen>,
    /// Groups on the target.
    pub target_groups: Known<GroupsSeen>,
    /// Applications of the file.
    pub applications: Vec<Application>,
    /// Other migrations that left ledgers on these clusters.
    pub others: Known<Vec<OtherSeen>>,
    /// What the target lets us do to what the engine needs besides topics.
    pub engine_rights: EngineRights,
    /// Groups in scope whose positions the target would not let us commit.
    pub commits_denied: Known<Vec<String>>,
    /// Whether the target keeps batches as they are written, by trying.
    pub fidelity: Known<Fidelity>,
    /// What the source lets us do, where records come back to it.
    pub back: Option<Box<BackSeen>>,
    /// What would follow the source beside records and positions, where it was asked.
    pub follows: Option<Box<FollowsSeen>>,
    /// Amazon's side, where MSK Replicator copies.
    pub amazon: Option<Box<AmazonSeen>>,
    /// Numbers under MSK Replicator's names.
    pub metrics: Metrics,
    /// How numbers moved since the command began to look.
    pub trend: Trend,
}

/// What the migration file asks for, as far as gates care.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Asked {
    /// Who copies.
    pub backend: Backend,
    /// Copy back, too.
    pub two_way: bool,
    /// Groups to carry; empty: none.
    pub groups: Patterns,
    /// Of topics we make.
    pub replication_factor: Option<i16>,
    /// Bytes per second, where a number was given.
    pub bytes_per_second: Option<u64>,
    /// The most topics that the backend takes.
    pub most_topics: Option<usize>,
    /// The one application that is asked about, if it is one.
    pub application: Option<String>,
}

impl Observation {
    /// The observation with nothing in it but what concerns one application: its topics and its groups.
    #[must_use]
    pub fn of_application(mut self, application: &Application) -> Self {
        let keep = |groups: Known<GroupsSeen>| {
            groups.map(|mut seen| {
                seen.groups
                    .retain(|group| application.groups.matches(&group.name));
                seen.denied
                    .retain(|group| application.groups.matches(group));
                seen
            })
        };
        self.topics = self.topics.map(|mut topics| {
            topics.retain(|topic| application.has_topic(&topic.name));
            topics
        });
        self.missing_topics
            .retain(|topic| application.has_topic(topic));
        self.metrics.waiting = self.metrics.waiting.map(|mut waiting| {
            waiting.retain(|one| application.has_topic(&one.topic));
            waiting
        });
        self.engine = self.engine.map(|mut engine| {
            engine
                .stopped
                .retain(|stopped| application.has_topic(&stopped.topic));
            engine
        });
        self.source_groups = keep(self.source_groups);
        self.target_groups = keep(self.target_groups);
        self.asked.groups = application.groups.clone();
        self.asked.application = Some(application.name.clone());
        groups::count(&mut self);
        self
    }
}
