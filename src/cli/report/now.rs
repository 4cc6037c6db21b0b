//! What stands on both clusters at this moment, as a report says it: who copies, how far, what has stopped, the way back.

use crate::{
    cli::replicate::engine_settings,
    cluster::{Source, Target},
    config::Settings,
    engine::{
        self,
        status::{EngineState, Status},
    },
    error::Failure,
    report::{Now, Stopped, WayBack},
    run::state::State,
    ui::numbers,
};

/// Asks both clusters and the ledger, or AWS.
pub async fn look(
    settings: &Settings,
    source: &Source,
    target: &Target,
    state: &State,
) -> Result<Now, Failure> {
    #[cfg(feature = "aws")]
    if let Some(msk) = &settings.msk {
        return Box::pin(replicators(settings, msk, (source, target), state)).await;
    }
    let _ = state;
    let asked = engine_settings(settings, engine::Until::Stopped);
    let status = Box::pin(engine::status::look(&asked, source, target)).await?;
    Ok(of(&status, settings.two_way))
}

fn of(status: &Status, two_way: bool) -> Now {
    let there = status.stopped.iter().map(|one| Stopped {
        direction: "forward",
        topic: one.topic.clone(),
        partition: one.partition,
        code: one.code.clone(),
        reason: one.reason.clone(),
    });
    let back = status.way_back.iter().flat_map(|back| &back.stopped);
    let back = back.map(|one| Stopped {
        direction: "reverse",
        topic: one.topic.clone(),
        partition: one.partition,
        code: one.code.clone(),
        reason: one.reason.clone(),
    });
    Now {
        copier: Some(format!("our own engine: {}", word(status.engine))),
        topics: Some(status.topics.len() as u64),
        partitions: Some(
            status
                .topics
                .iter()
                .map(|topic| topic.partitions as u64)
                .sum(),
        ),
        message_lag: status.message_lag,
        stopped: Some(there.chain(back).collect()),
        way_back: Some(way_back(status, two_way)),
    }
}

fn word(state: EngineState) -> &'static str {
    match state {
        EngineState::NeverStarted => "it was never started",
        EngineState::Running => "it runs",
        EngineState::Stopped => "it was stopped cleanly",
        EngineState::Silent => "it says nothing any more",
    }
}

fn way_back(status: &Status, two_way: bool) -> WayBack {
    let no = |why: String| WayBack { open: false, why };
    if !two_way {
        return no(
            "replication.two_way is off, and what is written on the target stays there".into(),
        );
    }
    let Some(back) = &status.way_back else {
        return no("nothing has begun to come back".into());
    };
    if back.engine != EngineState::Running {
        return no(format!(
            "of the engine that copies back, {}",
            word(back.engine)
        ));
    }
    if !back.stopped.is_empty() {
        let count = numbers::of(back.stopped.len() as u64, "partition");
        return no(format!("{count} stopped on the way back"));
    }
    let Some(lag) = back.message_lag else {
        return no("how far it is could not be asked".into());
    };
    WayBack {
        open: true,
        why: format!(
            "the engine copies back, with {} to pass",
            numbers::of(lag, "offset")
        ),
    }
}

#[cfg(feature = "aws")]
async fn replicators(
    settings: &Settings,
    msk: &crate::model::msk::Msk,
    (source, target): (&Source, &Target),
    state: &State,
) -> Result<Now, Failure> {
    use crate::{aws::Clients, cli::replicate, phases::msk::state::state as look};
    let clients = Box::pin(Clients::open(&msk.region, None)).await;
    let directions = replicate::directions(None);
    let ids = (source.id(), target.id());
    let wanted = replicate::replicators::wanted(settings, msk, directions, ids, state);
    let seen = Box::pin(look(&clients, msk, &wanted)).await?;
    let runs = |one: Option<&crate::phases::msk::state::One>| {
        one.and_then(|one| one.state.clone())
            .unwrap_or_else(|| "not there".to_owned())
    };
    let each = seen.replicators.iter();
    let each = each.map(|one| format!("{} is {}", one.name, runs(Some(one))));
    let back = runs(seen.replicators.iter().find(|one| one.name == msk.reverse));
    Ok(Now {
        copier: Some(format!(
            "MSK Replicator: {}",
            each.collect::<Vec<_>>().join(", ")
        )),
        way_back: Some(WayBack {
            open: back == "running",
            why: format!("the replicator back is {back}"),
        }),
        ..Now::default()
    })
}
