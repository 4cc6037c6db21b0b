//! Amazon's side of an observation, where MSK Replicator copies; otherwise nothing is asked.

use crate::{
    config::Settings,
    observe::{Depth, Observation},
};

#[cfg(feature = "aws")]
use crate::run::state::State;

/// What the journal says; asked once, or as often as it takes until there is one.
#[derive(Default)]
pub struct Remembered(#[cfg(feature = "aws")] Option<State>);

#[cfg(feature = "aws")]
impl Remembered {
    async fn state(&mut self, settings: &Settings) -> Result<&State, crate::error::Failure> {
        let known = self.0.take().filter(|state| state.head.is_some());
        let state = match known {
            Some(state) => state,
            None => {
                let (source, target) = super::connect::both(settings).await?;
                Box::pin(super::journal::look(settings, &source, &target)).await?
            }
        };
        Ok(self.0.insert(state))
    }
}

/// Adds what AWS says to what the clusters said.
#[cfg(feature = "aws")]
pub async fn add(
    settings: &Settings,
    remembered: &mut Remembered,
    seen: &mut Observation,
    depth: Depth,
) {
    use super::replicate::{directions, replicators};
    use crate::{
        aws::Clients,
        observe::Known,
        phases::msk::{Names, numbers, sight},
    };

    let Some(msk) = &settings.msk else { return };
    let clients = Box::pin(Clients::open(&msk.region, None)).await;
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    let (source, target) = (id(&seen.source.id), id(&seen.target.id));
    let ids = (&*source, &*target);
    let nothing = State::default();
    let (state, unread) = match remembered.state(settings).await {
        Ok(state) => (state, None),
        Err(failure) => (&nothing, Some(failure)),
    };
    let wanted = replicators::wanted(settings, msk, directions(None), ids, state);
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
    let mut amazon = Box::pin(sight(&clients, msk, &wanted, &names, thorough)).await;
    if let Some(failure) = unread {
        // Without the journal nobody knows whose a thing is.
        let why = format!("the journal: {}: {}", failure.code, failure.message);
        amazon.replicators = Known::unknown(why.clone());
        amazon.secrets = Known::unknown(why);
    }
    seen.amazon = Some(Box::new(amazon));
    if !thorough {
        Box::pin(numbers(&clients, seen)).await;
    }
}

/// Without AWS there is nothing to add.
#[cfg(not(feature = "aws"))]
pub async fn add(_: &Settings, _: &mut Remembered, _: &mut Observation, _: Depth) {}
