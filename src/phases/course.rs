//! What a move has to do from where the journal says that an application stands: begin, go on, go back, or take the place of another.

use super::standing;
use crate::{
    error::Failure,
    model::names::Side,
    run::{
        executor::{Ended, Executor},
        journal::Store,
        plan::Plan,
        state::{End, Record, State},
        step::Effects,
    },
};

/// What a command has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is there already.
    Nothing,
    /// A new plan.
    Begin,
    /// The plan of this number was begun, and is gone on with.
    GoOn(u32),
    /// The plan of this number goes the other way and has started nothing there yet: it is undone, and that is all.
    Undo(u32),
    /// The plan of this number goes the other way and may have started it there: a new plan takes its place.
    Replace(u32),
}

/// What moving an application there takes.
pub fn next(state: &State, application: &str, to: Side) -> Next {
    let standing = standing::of(state, application);
    match standing.moving {
        None if standing.at == to => Next::Nothing,
        None => Next::Begin,
        Some(moving) if !moving.is_open => Next::Begin,
        Some(moving) if moving.to == to => Next::GoOn(moving.plan),
        Some(moving) if moving.is_past => Next::Replace(moving.plan),
        Some(moving) => Next::Undo(moving.plan),
    }
}

/// The plan that is done: the one that was begun, or else the new one.
pub fn plan_of(state: &State, next: Next, new: impl FnOnce() -> Plan) -> Plan {
    let begun = match next {
        Next::GoOn(number) | Next::Undo(number) => state.courses.get(number as usize),
        Next::Nothing | Next::Begin | Next::Replace(_) => None,
    };
    begun.map_or_else(new, |course| course.plan.clone())
}

/// Does it. `plan` is what [`plan_of`] answered, and the executor's effects are those of its steps.
pub async fn run<S: Store, E: Effects>(
    executor: &mut Executor<'_, S, E>,
    next: Next,
    plan: &Plan,
) -> Result<Ended, Failure> {
    match next {
        Next::Nothing => Ok(Ended::Done),
        Next::Begin => executor.run(plan).await,
        Next::GoOn(number) => executor.go_on(number).await,
        Next::Undo(number) => executor.undo(number, None).await,
        Next::Replace(number) => {
            // First, so that nobody goes on with it once the new one has begun.
            let how = End::Replaced;
            let ended = Record::Ended { plan: number, how };
            executor.journal.append(ended).await?;
            executor.run(plan).await
        }
    }
}

#[cfg(test)]
mod tests;
