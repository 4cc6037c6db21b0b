//! Who copies in a migration, as a move of one application has to know it: MSK Replicator, or our own engine.

use super::look::{Clusters, other};
use crate::{
    cli::{replicate, waived},
    cluster::Cluster,
    config::Settings,
    error::Failure,
    model::{application::Application, names::Side},
    phases::{
        by_content::{ByContent, MSK_MARK},
        by_ledger::{ByLedger, Of},
        copier::Copier,
        moving::Engine,
    },
};

/// Whoever copies, for one application.
pub fn copier(settings: &Settings, clusters: &Clusters, application: &Application) -> Copier {
    if settings.msk.is_none() {
        return Copier::Ledger(Box::new(by_ledger(settings, clusters, application)));
    }
    let source: Cluster = (*clusters.source).clone();
    let target = clusters.target.as_ref();
    let target: Cluster = target.map_or_else(|| source.clone(), |target| (**target).clone());
    Copier::Content(Box::new(ByContent::new(source, target, MSK_MARK)))
}

fn by_ledger(settings: &Settings, clusters: &Clusters, application: &Application) -> ByLedger {
    let of = Of {
        migration: settings.name.clone(),
        two_way: settings.two_way,
        wanted: replicate::groups(settings),
        application: application.clone(),
        writes: waits_to_write(settings, application),
        by: waived::by(),
    };
    ByLedger::new(of, clusters.source.clone(), clusters.target.clone())
}

/// Do rules that let it write wait for its cutover?
fn waits_to_write(settings: &Settings, application: &Application) -> bool {
    settings.acls_every.is_some() && !application.principals.is_empty()
}

/// What a plan has to know of our own engine, if that copies.
pub async fn engine(
    settings: &Settings,
    clusters: &Clusters,
    application: &Application,
    to: Side,
) -> Result<Option<Engine>, Failure> {
    if settings.msk.is_some() {
        return Ok(None);
    }
    let ledgers = by_ledger(settings, clusters, application);
    let groups = ledgers.groups().await?;
    Ok(Some(Engine {
        two_way: settings.two_way,
        has_groups: !groups.is_empty(),
        writes: waits_to_write(settings, application),
        follows: ledgers.follows(other(to)).await?,
    }))
}
