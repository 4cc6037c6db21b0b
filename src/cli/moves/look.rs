//! What is looked at before applications are moved: both clusters, the journal, and what a plan is made from.

use super::{Kind, Moves};
use crate::{
    cli::{connect, journal, plan},
    cluster::{Cluster, Source, Target},
    config::Settings,
    error::Failure,
    exit::Exit,
    model::{application::Application, names::Side, patterns::Patterns},
    phases::{live, moving::Move, waves},
    run::{plan::counted, state::State},
};

/// The clusters as they are connected.
#[derive(Clone)]
pub struct Clusters {
    /// The source.
    pub source: Source,
    /// The target, unless it is gone.
    pub target: Option<Target>,
}

/// What was seen before anything is done.
pub struct Looked {
    /// What the journal says.
    pub state: State,
    /// The applications of the file, or the groups that stand for them.
    pub applications: Vec<Application>,
    /// Topics in scope.
    pub topics: Vec<String>,
    /// Ids of both clusters.
    pub ids: [String; 2],
}

impl Moves<'_> {
    /// Connects both, or the one that is left.
    pub(super) async fn connect(&self, settings: &Settings) -> Result<Clusters, Failure> {
        if self.kind == Kind::WithoutTarget {
            let source = Source::connect(&settings.source).await;
            return Ok(Clusters {
                source: source.map_err(|error| error.failure())?,
                target: None,
            });
        }
        let (source, target) = connect::both(settings).await.map_err(|failure| {
            match (self.to, failure.exit) {
                (Side::Source, Exit::Target) => failure
                    .hint("if the target is gone for good, applications go back without it: rollback --without-target"),
                _ => failure,
            }
        })?;
        Ok(Clusters {
            source,
            target: Some(target),
        })
    }

    /// Looks at the journal, the topics and who reads them.
    pub(super) async fn look(
        &self,
        settings: &Settings,
        clusters: &Clusters,
    ) -> Result<Looked, Failure> {
        let (source, target) = (&clusters.source, clusters.target.as_ref());
        let state = journal::look_at(settings, source, target).await?;
        let topics = live::topics(source, &settings.scope).await?;
        let topics: Vec<String> = topics.iter().map(ToString::to_string).collect();
        let applications = match settings.applications.is_empty() {
            false => settings.applications.clone(),
            true => groups_as_applications(settings, source, &topics).await?,
        };
        let ids = [source.id().to_owned(), target_id(target, &state)];
        Ok(Looked {
            state,
            applications,
            topics,
            ids,
        })
    }
}

/// The side that it leaves.
pub fn other(side: Side) -> Side {
    crate::phases::carrier::other(side)
}

/// The target's id: of the target, or of what the journal says of it.
fn target_id(target: Option<&Target>, state: &State) -> String {
    match (target, &state.head) {
        (Some(target), _) => target.id().to_owned(),
        (None, Some(head)) => head.target.clone(),
        (None, None) => String::new(),
    }
}

/// Where the file has no applications each group in scope is one: it moves, and whoever writes stays.
pub async fn groups_as_applications(
    settings: &Settings,
    source: &Source,
    topics: &[String],
) -> Result<Vec<Application>, Failure> {
    let found = live::groups(source, &settings.groups).await?;
    let all = found.into_iter().filter(|group| {
        let reads = group
            .committed
            .keys()
            .any(|at| topics.iter().any(|topic| **topic == *at.topic));
        reads && !settings.exclude_groups.matches(&group.name)
    });
    Ok(all
        .map(|group| {
            let mut reads: Vec<String> = group
                .committed
                .keys()
                .map(|at| globset::escape(&at.topic))
                .collect();
            reads.dedup();
            Application {
                reads: Patterns::of(&reads).unwrap_or_default(),
                groups: Patterns::of(&[globset::escape(&group.name)]).unwrap_or_default(),
                name: group.name,
                ..Application::default()
            }
        })
        .collect())
}

/// What a plan is made from.
pub async fn made_of(
    to: Side,
    settings: &Settings,
    clusters: &Clusters,
    looked: &Looked,
    application: &Application,
) -> Result<Move, Failure> {
    let side = looked.topics.iter();
    let topics = side.filter(|topic| application.has_topic(topic)).cloned();
    let here: &Cluster = match (other(to), &clusters.target) {
        (Side::Target, Some(target)) => target,
        _ => &clusters.source,
    };
    let groups = match (other(to), &clusters.target) {
        (Side::Target, None) => Vec::new(),
        _ => live::groups(here, &application.groups).await?,
    };
    let groups = groups.into_iter().filter(|group| group.members > 0);
    let waived = looked.state.waived.iter();
    let waived = waived.filter(|waiver| waiver.counts_for(Some(&application.name)));
    Ok(Move {
        migration: settings.name.clone(),
        application: application.clone(),
        to,
        clusters: looked.ids.clone(),
        journal: looked.state.summary(),
        settings: counted("setting", &plan::settings_in_force(settings)),
        topics: topics.collect(),
        shared: waves::shared(application, &looked.applications, &looked.topics),
        groups: groups.map(|group| group.name).collect(),
        waived: waived.map(|waiver| waiver.gate.clone()).collect(),
        engine: super::who::engine(settings, clusters, application, to).await?,
        freeze: Vec::new(),
        frozen: Vec::new(),
    })
}
