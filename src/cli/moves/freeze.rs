//! Whom a move keeps from writing where an application leaves, and why that is refused where it would not do what it says.

use super::{Kind, Moves, look::Clusters, look::Looked, other};
use crate::{
    cli::replicate,
    cluster::{Cluster, freeze::Freeze},
    config::Settings,
    error::Failure,
    exit::Exit,
    model::{application::Application, freeze::Frozen, names::Side},
    phases::{freeze, standing},
};

/// The cluster of a side, unless it is gone.
fn cluster(clusters: &Clusters, side: Side) -> Option<&Cluster> {
    match side {
        Side::Source => Some(&clusters.source),
        Side::Target => clusters.target.as_deref(),
    }
}

/// What an earlier move keeps the application from writing on the side that it goes to.
pub async fn frozen(
    settings: &Settings,
    clusters: &Clusters,
    application: &Application,
    to: Side,
) -> Result<Vec<Frozen>, Failure> {
    let Some(cluster) = cluster(clusters, to).filter(|_| !application.principals.is_empty()) else {
        return Ok(Vec::new());
    };
    let standing = Freeze::on(cluster, &settings.name).standing().await;
    let of = standing.map_err(|error| error.failure())?.into_iter();
    Ok(of
        .filter(|one| application.principals.contains(&one.principal))
        .collect())
}

impl Moves<'_> {
    /// Does a freeze belong to this kind of move at all?
    pub(super) fn can_freeze(&self, settings: &Settings) -> Result<(), Failure> {
        let why = match (self.kind, settings.msk.is_some()) {
            (_, true) => {
                "MSK Replicator copies access rules by itself, and would carry the denial over"
            }
            (Kind::AlreadyMoved, _) => "it has left already, and nothing of it is stopped",
            (Kind::WithoutTarget, _) => "the side that it leaves is gone",
            (Kind::Moves | Kind::LeavesData, false) => return Ok(()),
        };
        Err(
            Failure::new(Exit::Usage, "K355", "--freeze is not for this move")
                .cause(why)
                .hint("leave it out"),
        )
    }

    /// What the application writes, and as whom; refused where denying it would not do, or would do more.
    pub(super) async fn to_freeze(
        &self,
        settings: &Settings,
        clusters: &Clusters,
        looked: &Looked,
        application: &Application,
    ) -> Result<Vec<Frozen>, Failure> {
        let from = other(self.to);
        let Some(cluster) = cluster(clusters, from) else {
            return Ok(Vec::new());
        };
        let rules = cluster.acls().await.map_err(|error| error.failure())?;
        let us = match from {
            Side::Source => &settings.source.auth,
            Side::Target => &settings.target.auth,
        };
        let stays = |one: &&Application| {
            one.name != application.name && standing::of(&looked.state, &one.name).at == from
        };
        let asked = freeze::Asked {
            application,
            topics: &looked.topics,
            beside: looked.applications.iter().filter(stays).collect(),
            rules: rules.as_deref(),
            us: &replicate::principal(us),
            on: from,
        };
        asked.judged()
    }
}
