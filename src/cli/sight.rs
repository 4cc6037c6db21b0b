//! Amazon's side of an observation, where MSK Replicator copies; otherwise nothing is asked.

use crate::{
    config::Settings,
    observe::{Depth, Observation},
};

/// Adds what AWS says to what the clusters said.
#[cfg(feature = "aws")]
pub async fn add(settings: &Settings, seen: &mut Observation, depth: Depth) {
    use super::replicate::{directions, replicators};
    use crate::{
        aws::Clients,
        phases::msk::{Names, numbers, sight},
    };

    let Some(msk) = &settings.msk else { return };
    let clients = Box::pin(Clients::open(&msk.region, None)).await;
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    let (source, target) = (id(&seen.source.id), id(&seen.target.id));
    // Before the journal is read nothing is known of the migration's id: tags with its name are taken for its own.
    let ids = (&*source, &*target);
    let wanted = replicators::wanted(settings, msk, directions(None), ids, String::new());
    let topics = seen.topics.value().map(Vec::as_slice).unwrap_or_default();
    let groups = seen.source_groups.value();
    let names = Names {
        topics: topics
            .iter()
            .map(|topic| topic.name.as_str().into())
            .collect(),
        groups: groups
            .map(|seen| seen.groups.iter().map(|group| group.name.clone()).collect())
            .unwrap_or_default(),
    };
    let thorough = depth == Depth::Preflight;
    let amazon = Box::pin(sight(&clients, msk, &wanted, &names, thorough)).await;
    seen.amazon = Some(Box::new(amazon));
    if !thorough {
        Box::pin(numbers(&clients, seen)).await;
    }
}

/// Without AWS there is nothing to add.
#[cfg(not(feature = "aws"))]
pub async fn add(_: &Settings, _: &mut Observation, _: Depth) {}
