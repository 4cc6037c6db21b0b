//! Keeps an application's principals from writing where it leaves, and lets them write where it goes to.

use super::Deeds;
use crate::{
    error::Failure,
    model::names::Side,
    phases::{
        moving::{self, FREEZE},
        world::World,
    },
    run::step::Step,
};

impl<W: World> Deeds<'_, W> {
    /// What of it still runs cannot write from here on.
    pub(super) async fn freeze(&self, step: &Step) -> Result<String, Failure> {
        self.world
            .freeze(self.from(), &moving::frozen(step))
            .await?;
        Ok(format!("every broker of the {} refuses it", self.from()))
    }

    /// What is frozen there is let again: by the plan that froze it, undone, or by a later one that comes back.
    pub(super) async fn lift(&self, step: &Step, on: Side) -> Result<String, Failure> {
        self.world.lift(on, &moving::frozen(step)).await?;
        Ok(format!("no denial of ours is left for it on the {on}"))
    }

    /// Somebody may have changed it by hand meanwhile: then it is done once more.
    pub(super) async fn is_as_it_was_left(&self, step: &Step) -> Result<bool, Failure> {
        let all = moving::frozen(step);
        match step.name == FREEZE {
            true => Ok(self.world.frost(self.from(), &all).await?.denies_all),
            false => Ok(!self.world.frost(self.to, &all).await?.has_ours),
        }
    }

    /// Of these topics, those that something of it might still write, as far as anybody can tell.
    pub(super) fn left_to_say(&self, topics: Vec<String>) -> Vec<String> {
        let steps = self.plan.steps.iter().filter(|step| step.name == FREEZE);
        let frozen: Vec<String> = steps
            .flat_map(moving::frozen)
            .map(|one| one.topic)
            .collect();
        let open = topics.into_iter();
        open.filter(|topic| !frozen.contains(topic)).collect()
    }
}
